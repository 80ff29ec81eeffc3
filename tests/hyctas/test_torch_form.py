"""The torch module of a graph: names, training behaviour, slices, weights in and out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hyctas.architecture import ArchitectureDefaults
from hyctas.builder import GraphBuilder
from hyctas.errors import GraphError, UnsupportedNode
from hyctas.folding import fold
from hyctas.graph import Graph
from hyctas.layers import batch_norm, conv, conv_bn_relu
from hyctas.lowering import lower, lower_part
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.weights import initial_weights, seeded_weights

torch = pytest.importorskip("torch")

from hyctas.torch_form import MOMENTUM, GraphModule, load_numpy, run_node, to_numpy  # noqa: E402

CELL = Part("sa", 12, 20, (43,), 64, stride=2, attention="efficient")


def network(*, training: bool = False, batch: int = 1) -> Graph:
    settings = ArchitectureDefaults(height=64, width=96, batch=batch)
    architectures = sample_structured(SearchSpace(depth=8), np.random.default_rng(0), 6, settings)
    return lower(next(a for a in architectures if len(a.branches) == 3), training=training)


def image(graph: Graph, batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, *graph.inputs[0].shape[1:], generator=torch.Generator().manual_seed(0))


def test_state_has_the_names_of_the_graph() -> None:
    graph = network()
    module = GraphModule(graph)
    trainable = {parameter.name for parameter in graph.parameters if parameter.trainable}
    assert {name for name, _ in module.named_parameters()} == trainable
    assert set(module.state_dict()) == {parameter.name for parameter in graph.parameters}
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_weights_go_in_and_out_unchanged() -> None:
    graph = network()
    weights = seeded_weights(graph, 0)
    found = to_numpy(GraphModule(graph, weights))
    assert list(found) == list(weights)
    assert all(np.array_equal(found[name], weights[name]) for name in weights)


def test_module_shares_no_memory_with_arrays() -> None:
    graph = lower_part(CELL)
    weights = seeded_weights(graph, 0)
    before = {name: array.copy() for name, array in weights.items()}
    module = GraphModule(graph, weights)
    taken = to_numpy(module)
    module.train()(image(graph, 2)).sum().backward()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1.0)
    for name, array in before.items():
        assert np.array_equal(weights[name], array)
        assert np.array_equal(taken[name], array)


def test_module_without_weights_is_untrained() -> None:
    graph = lower_part(CELL)
    found, expected = to_numpy(GraphModule(graph)), initial_weights(graph, 0)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_loading_replaces_all_weights() -> None:
    graph = lower_part(CELL)
    module, other = GraphModule(graph).eval(), GraphModule(graph, seeded_weights(graph, 1)).eval()
    load_numpy(module, seeded_weights(graph, 1))
    x = image(graph)
    assert torch.equal(module(x), other(x))
    with pytest.raises(GraphError, match="no weights for parameter"):
        load_numpy(module, {})


def test_evaluation_uses_running_statistics_and_leaves_them() -> None:
    graph = lower_part(CELL)
    weights = seeded_weights(graph, 0)
    module = GraphModule(graph, weights).eval()
    x = image(graph, 4)
    together = module(x)
    apart = torch.cat([module(x[index : index + 1]) for index in range(4)])
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-4)
    assert all(np.array_equal(array, weights[name]) for name, array in to_numpy(module).items())


def test_training_normalises_by_the_batch_and_updates_running_statistics_as_torch_does() -> None:
    b = GraphBuilder("norm")
    graph = b.build(batch_norm(b, b.input("x", (8, 5, 4, 4)), name="norm"))
    weights = seeded_weights(graph, 0)
    ours = GraphModule(graph, weights).train()
    theirs = torch.nn.BatchNorm2d(5, momentum=MOMENTUM)
    names = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "variance"}
    state = {name: torch.tensor(weights[f"norm.{own}"]) for name, own in names.items()}
    theirs.load_state_dict(state, strict=False)
    x = image(graph, 8)
    torch.testing.assert_close(ours(x), theirs.train()(x))
    found = to_numpy(ours)
    np.testing.assert_allclose(found["norm.mean"], theirs.running_mean.numpy(), rtol=1e-6)
    np.testing.assert_allclose(found["norm.variance"], theirs.running_var.numpy(), rtol=1e-6)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_every_trainable_parameter_gets_a_gradient() -> None:
    graph = network(training=True, batch=2)
    module = GraphModule(graph, seeded_weights(graph, 0)).train()
    sum((output**2).mean() for output in module(image(graph, 2))).backward()
    without = [name for name, p in module.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert without == []


def test_untrained_network_learns() -> None:
    graph = lower_part(Part("conv_2x", 8, 8, (3,), 4, batch=4))
    module = GraphModule(graph).train()
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    x, target = image(graph, 4), torch.full((4, 4, 8, 8), 0.5)
    losses = []
    for _ in range(100):
        loss = ((module(x) - target) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_training_form_gives_a_tuple_of_outputs() -> None:
    graph = network(training=True)
    outputs = GraphModule(graph).eval()(image(graph))
    assert [tuple(output.shape) for output in outputs] == [graph.values[name].shape for name in graph.outputs]
    assert len(outputs) == 3


def test_batch_may_differ_from_the_graph() -> None:
    graph = network()
    module = GraphModule(graph, seeded_weights(graph, 0)).eval()
    x = image(graph, 3)
    with torch.inference_mode():
        torch.testing.assert_close(module(x)[1:2], module(x[1:2]), rtol=1e-3, atol=1e-3)


def test_folded_graph_runs_too() -> None:
    graph = network()
    weights = seeded_weights(graph, 0)
    x = image(graph)
    with torch.inference_mode():
        whole, folded = GraphModule(graph, weights).eval()(x), GraphModule(*fold(graph, weights)).eval()(x)
    assert (whole - folded).abs().max() <= 1e-4 * whole.abs().max()


def test_node_runs_on_slices_of_larger_tensors() -> None:
    b = GraphBuilder("slice")
    graph = b.build(conv_bn_relu(b, b.input("x", (2, 3, 6, 6)), 4, kernel=3, name="conv"))
    generator = torch.Generator().manual_seed(0)
    largest = torch.randn(8, 5, 3, 3, generator=generator, requires_grad=True)
    gamma, beta = torch.ones(8, requires_grad=True), torch.zeros(8, requires_grad=True)
    x = image(graph, 2)
    convolution, norm, rectifier = graph.nodes
    y = run_node(convolution, [x], [largest[:4, :3]])
    y = run_node(norm, [y], [gamma[:4], beta[:4], None, None], training=True)
    y = run_node(rectifier, [y])
    y.square().sum().backward()
    assert y.shape == (2, 4, 6, 6)
    assert largest.grad is not None
    assert (largest.grad[:4, :3] != 0).any() and (largest.grad[4:] == 0).all() and (largest.grad[:, 3:] == 0).all()


def test_module_compiles_without_graph_breaks() -> None:
    graph = network()
    module = GraphModule(graph, seeded_weights(graph, 0)).eval()
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    x = image(graph)
    with torch.inference_mode():
        torch.testing.assert_close(compiled(x), module(x))


def test_module_runs_channels_last() -> None:
    graph = network()
    module = GraphModule(graph, seeded_weights(graph, 0)).eval()
    x = image(graph)
    with torch.inference_mode():
        expected = module(x)
        found = module.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    assert (found - expected).abs().max() <= 1e-3 * expected.abs().max()


def test_value_that_is_read_later_and_returned_is_kept() -> None:
    b = GraphBuilder("kept")
    x = b.input("x", (1, 3, 4, 4))
    inner = conv(b, x, 3, name="conv")
    doubled = b.append("add", [inner, inner])
    first, second, third = GraphModule(b.build(doubled, inner, x))(torch.ones(1, 3, 4, 4))
    assert torch.equal(first, 2 * second)
    assert torch.equal(third, torch.ones(1, 3, 4, 4))


def test_wrong_number_of_inputs_is_refused() -> None:
    with pytest.raises(GraphError, match="takes 2 inputs, not 1"):
        GraphModule(lower_part(Part("fuse", 3, 5, (32, 32), 32)))(torch.zeros(1, 32, 3, 5))


def test_unknown_primitive_names_the_node_and_what_is_known() -> None:
    graph = lower_part(Part("conv", 4, 4, (3,), 3))
    strange = replace(graph, nodes=(replace(graph.nodes[0], op="lstm"), *graph.nodes[1:]))
    with pytest.raises(UnsupportedNode, match=r"node conv\.conv: primitive 'lstm' has no torch form; known: conv"):
        GraphModule(strange)
