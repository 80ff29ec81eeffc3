"""Trained networks under ONNX Runtime."""

from __future__ import annotations

import dataclasses
from typing import get_args

import numpy as np
import onnx
import pytest

from hyctas.architecture import Architecture, Output
from hyctas.errors import SearchError
from hyctas.torch_form import GraphModule, to_numpy
from search.batches import EvaluationBatches, fixed_batches
from search.evaluation.quality import module_quality
from search.evaluation.recalibration import recalibrate
from search.retraining.onnx_export import TOLERANCE, check_agreement, onnx_quality, trained_onnx
from search.supernet.deriving import derive
from tests.search.evaluation.tiny import CLASSES, SIZE, awake_supernet, networks, squares

DATASET = squares(validation=5)


@pytest.fixture(scope="module")
def network() -> tuple[Architecture, GraphModule]:
    """A network whose predictions are not all of one class."""
    architecture = networks(40, seed=3)[5]
    module = derive(awake_supernet(), architecture)
    recalibrate(module, fixed_batches(DATASET.training, SIZE, 8, 2))
    return architecture, module


@pytest.mark.parametrize("output", get_args(Output))
def test_every_output_has_the_miou_of_torch(network: tuple[Architecture, GraphModule], output: Output) -> None:
    architecture, module = network
    expected = module_quality(module, EvaluationBatches(DATASET.validation, SIZE, batch_size=2), CLASSES)
    deployed = dataclasses.replace(architecture, output=output)
    model = trained_onnx(deployed, to_numpy(module), DATASET.classes)
    found = onnx_quality(model, EvaluationBatches(DATASET.validation, SIZE, batch_size=1), CLASSES, output=output)
    assert 0.0 < expected.miou < 1.0
    assert found.miou == pytest.approx(expected.miou, abs=TOLERANCE)
    np.testing.assert_allclose(found.class_iou, expected.class_iou, atol=5e-3)


def test_model_says_what_a_user_of_the_file_needs(network: tuple[Architecture, GraphModule]) -> None:
    architecture, module = network
    model = onnx.load_from_string(trained_onnx(architecture, to_numpy(module), DATASET.classes))
    onnx.checker.check_model(model, full_check=True)
    facts = {prop.key: prop.value for prop in model.metadata_props}
    assert facts["classes"] == '["class 0", "class 1", "class 2"]'
    assert facts["mean"] == "[0.485, 0.456, 0.406]"
    assert facts["architecture"] == architecture.key
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape == [1, 3, *SIZE]


def test_outputs_that_are_not_finite_are_an_error(network: tuple[Architecture, GraphModule]) -> None:
    architecture, module = network
    weights = to_numpy(module)
    weights["head.classifier.conv.bias"][0] = np.nan
    model = trained_onnx(architecture, weights, DATASET.classes)
    with pytest.raises(SearchError, match="not all finite"):
        onnx_quality(model, EvaluationBatches(DATASET.validation, SIZE, batch_size=1), CLASSES, output="logits")


@pytest.mark.parametrize(("torch_miou", "onnx_miou"), [(0.5, 0.502), (0.502, 0.5), (0.5, float("nan"))])
def test_disagreement_is_an_error(torch_miou: float, onnx_miou: float) -> None:
    with pytest.raises(SearchError, match=r"differ by more than 0\.001"):
        check_agreement(torch_miou, onnx_miou)


def test_agreement_is_none() -> None:
    check_agreement(0.5, 0.5009)
