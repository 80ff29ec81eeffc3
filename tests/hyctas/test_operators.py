"""Parameter counts of the candidate operators as the release has them, and their shapes."""

import pytest

from hyctas.attention import HEAD_SIZE, MAX_TOKENS, head_count, pooling_factor
from hyctas.costs import costs
from hyctas.errors import GraphError
from hyctas.lowering import lower_part
from hyctas.operators import CELL_OPERATORS
from hyctas.parts import Part

RELEASED_PARAMETERS = {  # 96 to 96 at stride 1, 96 to 192 at stride 2
    "skip": (9408, 18816),
    "conv": (83136, 166272),
    "conv_downup": (92544, 166272),
    "conv_2x_downup": (175680, 498432),
    "sa": (30649, 269041),
    "conv_2x": (166272, 498432),
}


def part(kind: str, *, stride: int = 1, c_in: int = 96, c_out: int = 96, attention: str = "released") -> Part:
    form = attention if kind == "sa" else ""
    return Part(kind, 16, 32, (c_in,), c_out, stride=stride, attention=form)


def test_every_candidate_operator_has_a_published_count() -> None:
    assert RELEASED_PARAMETERS.keys() == CELL_OPERATORS.keys()


@pytest.mark.parametrize("kind", RELEASED_PARAMETERS)
def test_operator_has_the_parameters_of_the_release(kind: str) -> None:
    stride_1, stride_2 = RELEASED_PARAMETERS[kind]
    assert costs(lower_part(part(kind))).parameters == stride_1
    assert costs(lower_part(part(kind, stride=2, c_out=192))).parameters == stride_2


@pytest.mark.parametrize("attention", ["efficient", "released"])
@pytest.mark.parametrize("c_out", [64, 85, 107])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kind", CELL_OPERATORS)
def test_operator_gives_its_shape(kind: str, stride: int, c_out: int, attention: str) -> None:
    graph = lower_part(part(kind, stride=stride, c_in=43, c_out=c_out, attention=attention))
    assert graph.values[graph.outputs[0]].shape == (1, c_out, 16 // stride, 32 // stride)


def test_odd_channels_of_a_strided_skip_give_the_smaller_half_first() -> None:
    graph = lower_part(part("skip", stride=2, c_out=85))
    concat = next(node for node in graph.nodes if node.op == "concat")
    assert concat.output.layout == (42, 43)


@pytest.mark.parametrize(
    ("height", "width", "factor"), [(6, 12, 1), (8, 16, 1), (12, 24, 2), (24, 48, 4), (128, 256, 16), (9, 15, 2)]
)
def test_pooling_factor_bounds_the_tokens(height: int, width: int, factor: int) -> None:
    assert pooling_factor(height, width) == factor
    assert -(-height // factor) * -(-width // factor) <= MAX_TOKENS


@pytest.mark.parametrize(
    ("channels", "heads"), [(8, 1), (32, 1), (71, 1), (72, 2), (96, 2), (107, 2), (128, 3), (384, 8)]
)
def test_heads_of_fixed_size_fit_the_channels_best(channels: int, heads: int) -> None:
    assert head_count(channels) == heads


def test_efficient_attention_never_stores_an_n_by_n_map() -> None:
    graph = lower_part(Part("sa", 128, 256, (96,), 96, attention="efficient"))
    tokens = 128 * 256
    assert max(value.elements for value in graph.values.values()) <= head_count(96) * tokens * MAX_TOKENS
    scale = next(node for node in graph.nodes if node.op == "scale")
    assert scale.number("factor") == pytest.approx(HEAD_SIZE**-0.5)


@pytest.mark.parametrize("kind", CELL_OPERATORS)
def test_operator_runs_on_a_map_of_one_row(kind: str) -> None:
    graph = lower_part(Part(kind, 1, 3, (16,), 16, attention="efficient" if kind == "sa" else ""))
    assert graph.values[graph.outputs[0]].shape == (1, 16, 1, 3)


def test_unknown_attention_is_refused_with_the_choices() -> None:
    with pytest.raises(GraphError, match="'linear'; known: efficient, released"):
        lower_part(part("sa", attention="linear"))


def test_unknown_kind_is_refused_with_the_choices() -> None:
    with pytest.raises(GraphError, match="unknown part kind 'mlp'; known: skip, conv"):
        lower_part(Part("mlp", 8, 8, (4,), 4))


def test_chain_of_an_operator_that_changes_its_shape_is_refused() -> None:
    with pytest.raises(GraphError, match="cannot be chained"):
        lower_part(part("conv", stride=2, c_out=192), copies=3)


def test_chain_of_three_costs_three_times_one() -> None:
    one, three = (costs(lower_part(part("conv_2x"), copies=copies)) for copies in (1, 3))
    assert three.macs == 3 * one.macs
    assert three.parameters == 3 * one.parameters
