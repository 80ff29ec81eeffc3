"""ONNX of trained networks: the same logits and mIoU as torch, at any batch, size and output."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from hyctas.errors import ArtifactError, GraphError, InvalidInput
from hyctas.lowering import lower
from hyctas.torch_form import GraphModule, to_numpy
from search.batches import EvaluationBatches
from search.deployment.onnx_export import trained_onnx
from search.deployment.onnx_quality import OnnxNetwork, onnx_quality
from search.evaluation.quality import module_quality
from search.supernet.sizes import resized
from tests.search.deployment.conftest import TrainedNetwork
from tests.search.evaluation.tiny import SIZE, networks


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "network.onnx"


@pytest.mark.parametrize("folded", [True, False], ids=["folded", "not folded"])
def test_quality_equals_torch(trained: TrainedNetwork, path: Path, folded: bool) -> None:
    trained_onnx(trained.module, path, architecture=trained.architecture, fold_batch_norm=folded)
    ours = onnx_quality(path, trained.validation, trained.classes)
    theirs = module_quality(trained.module, trained.validation, trained.classes)
    assert theirs.miou > 0.7  # what is compared has learned something
    assert ours.miou == pytest.approx(theirs.miou, abs=1e-3)
    assert ours.class_iou == pytest.approx(theirs.class_iou, abs=1e-3)
    norms = [node for node in onnx.load(path).graph.node if node.op_type == "BatchNormalization"]
    assert len(norms) < 10 if folded else len(norms) > 20


def test_logits_equal_torch(trained: TrainedNetwork, path: Path) -> None:
    trained_onnx(trained.module, path, architecture=trained.architecture)
    images = trained.validation[0].images
    with torch.inference_mode():
        expected = trained.module(images)
    found = OnnxNetwork(path).predict(images)
    assert found.shape == expected.shape
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-4


def test_batch_of_the_file_does_not_matter(trained: TrainedNetwork, path: Path) -> None:
    images = trained.validation[0].images[:5]
    found = []
    for batch in (1, 2, 8):
        trained_onnx(trained.module, path, architecture=resized(trained.architecture, batch=batch))
        network = OnnxNetwork(path)
        assert network.input_shape == (batch, 3, *SIZE)
        found.append(network.predict(images))
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[2], found[0], rtol=1e-4, atol=1e-4)


def test_file_has_the_size_of_the_architecture(trained: TrainedNetwork, path: Path) -> None:
    larger = resized(trained.architecture, height=96, width=128)
    trained_onnx(trained.module, path, architecture=larger)
    module = GraphModule(lower(larger), to_numpy(trained.module)).eval()
    batches = EvaluationBatches(trained.dataset.validation, (96, 128), batch_size=4)
    ours, theirs = onnx_quality(path, batches, trained.classes), module_quality(module, batches, trained.classes)
    assert ours.miou == pytest.approx(theirs.miou, abs=1e-3)
    with pytest.raises(InvalidInput, match=r"\(3, 32, 64\) is not allowed; expected \(3, 96, 128\)"):
        onnx_quality(path, trained.validation, trained.classes)


@pytest.mark.parametrize("output", ["upsampled", "argmax"])
def test_quality_does_not_depend_on_where_the_network_ends(trained: TrainedNetwork, path: Path, output: str) -> None:
    trained_onnx(trained.module, path, architecture=replace(trained.architecture, output=output))
    found = onnx_quality(path, trained.validation, trained.classes)
    assert found.miou == pytest.approx(
        module_quality(trained.module, trained.validation, trained.classes).miou, abs=1e-3
    )


def test_training_form_gives_the_same_file(trained: TrainedNetwork, path: Path) -> None:
    weights = to_numpy(trained.module)
    graph = lower(trained.architecture, training=True)
    missing = {p.name: np.zeros(p.shape, np.float32) for p in graph.parameters if p.name not in weights}
    assert missing
    training_form = GraphModule(graph, weights | missing)
    trained_onnx(trained.module, path, architecture=trained.architecture)
    before = path.read_bytes()
    trained_onnx(training_form, path, architecture=trained.architecture)
    assert path.read_bytes() == before


def test_metadata_say_what_they_are_told(trained: TrainedNetwork, path: Path) -> None:
    trained_onnx(trained.module, path, architecture=trained.architecture, facts={"classes": '["a", "b"]'})
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {entry.key: entry.value for entry in model.metadata_props} == {"classes": '["a", "b"]'}


def test_weights_of_another_network_are_refused(trained: TrainedNetwork, path: Path) -> None:
    other = next(a for a in networks(6) if len(a.branches) == 1)
    with pytest.raises(GraphError, match="weights"):
        trained_onnx(trained.module, path, architecture=other)
    assert not path.exists()


def test_file_that_is_no_model_is_an_error(tmp_path: Path, trained: TrainedNetwork) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no protobuf")
    for path in (broken, tmp_path / "missing.onnx"):
        with pytest.raises(ArtifactError, match=path.name):
            onnx_quality(path, trained.validation, trained.classes)
