"""Training a chosen network, and everything that is made of it."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
import torch

from hyctas.architecture_json import decode_architecture
from hyctas.errors import CheckpointMismatch, SearchError
from hyctas.torch_form import GraphModule, to_numpy
from search.batches import EvaluationBatches, fixed_batches
from search.deployment.onnx_quality import OnnxNetwork, onnx_quality
from search.evaluation.recalibration import recalibrate
from search.retraining.plan import ARCHITECTURE, DRAWING, ONNX, SUMMARY, RetrainingPlan
from search.retraining.retrain import UNCHECKED_ONNX, check_agreement, retrain
from search.retraining.summary import summary_json
from search.supernet.deriving import derive
from search.training.network_training import train_network
from search.training.ranks import alone
from search.training.supernet_training import TrainedSupernet
from tests.search.evaluation.tiny import CLASSES, SIZE, awake_supernet
from tests.search.retraining.remembered import Remembered

CPU = alone("cpu")


def trained(plan: RetrainingPlan) -> GraphModule:
    """The network in the plan's folder."""
    progress = Remembered()
    network = train_network(plan.job, rank=CPU, progress=progress)
    assert progress.losses == []
    return network


def test_everything_is_written(plan: RetrainingPlan) -> None:
    progress = Remembered()
    found = retrain(dataclasses.replace(plan, precisions=("int8", "fp16")), rank=CPU, progress=progress)
    names = {path.name for path in plan.out.iterdir()}
    assert {ARCHITECTURE, DRAWING, ONNX, SUMMARY, "checkpoint.pt"} <= names
    assert UNCHECKED_ONNX not in names
    assert decode_architecture((plan.out / ARCHITECTURE).read_bytes()) == plan.architecture
    assert ElementTree.parse(plan.out / DRAWING).getroot().tag.endswith("svg")
    assert json.loads((plan.out / SUMMARY).read_text()) == json.loads(json.dumps(summary_json(found)))
    for name in ("training", "scoring fp32", "scoring ONNX", "scoring fp16", "scoring int8"):
        total, done = progress.phases[name]
        assert total == done > 0, name
    assert not {"scoring bf16", "scoring tf32"} & set(progress.phases)


def test_summary_pairs_every_miou_with_its_precision(plan: RetrainingPlan) -> None:
    found = retrain(dataclasses.replace(plan, precisions=("int8",)), rank=CPU, progress=Remembered())
    summary = summary_json(found)
    by_precision = {entry["precision"]: entry for entry in summary["precisions"]}
    assert list(by_precision) == ["fp32", "tf32", "fp16", "bf16", "int8"]
    assert summary["miou"] == by_precision["fp32"]["miou"] == found.quality.miou
    assert summary["scored"] == {"precision": "fp32", "height": 32, "width": 64, "images": 5}
    assert (by_precision["int8"]["emulated"], by_precision["int8"]["note"]) == (True, "emulated")
    assert 0.0 <= by_precision["int8"]["miou"] <= 1.0
    assert by_precision["fp16"] == {
        "precision": "fp16",
        "miou": None,
        "emulated": False,
        "note": "not evaluated; --precision fp16 does",
        "class_iou": None,
    }
    assert list(summary["class_iou"]) == ["class 0", "class 1", "class 2"]
    assert summary["miou"] == pytest.approx(np.nanmean(found.quality.class_iou))
    assert (summary["steps"], summary["seed"], summary["start"]) == (12, 0, "scratch")
    assert summary["latency"] is None


def test_onnx_model_is_the_trained_network(plan: RetrainingPlan) -> None:
    found = retrain(plan, rank=CPU, progress=Remembered())
    images = fixed_batches(plan.dataset.validation, SIZE, 2, 1)[0].images
    with torch.inference_mode():
        expected = trained(plan)(images)
    assert float(expected.std()) > 0.01
    torch.testing.assert_close(OnnxNetwork(plan.out / ONNX).predict(images), expected, rtol=1e-3, atol=1e-3)
    batches = EvaluationBatches(plan.dataset.validation, SIZE, batch_size=2)
    assert onnx_quality(plan.out / ONNX, batches, CLASSES).miou == found.onnx.miou
    assert found.onnx.miou == pytest.approx(found.quality.miou, abs=1e-3)
    facts = {entry.key: entry.value for entry in onnx.load(plan.out / ONNX).metadata_props}
    assert json.loads(facts["classes"]) == ["class 0", "class 1", "class 2"]
    assert json.loads(facts["mean"]) == [0.485, 0.456, 0.406]
    assert facts["architecture"] == plan.architecture.key


def test_network_trained_at_another_size_is_scored_at_both(larger: RetrainingPlan) -> None:
    found = retrain(larger, rank=CPU, progress=Remembered())
    summary = summary_json(found)
    assert (summary["scored"]["height"], summary["scored"]["width"]) == (64, 96)
    assert (summary["onnx"]["height"], summary["onnx"]["width"]) == (32, 64)
    assert summary["onnx"]["miou"] == pytest.approx(summary["onnx"]["torch_miou"], abs=1e-3)
    assert summary["onnx"]["torch_miou"] != summary["miou"]
    shape = onnx.load(larger.out / ONNX).graph.input[0].type.tensor_type.shape
    assert [dimension.dim_value for dimension in shape.dim] == [1, 3, 32, 64]


def test_slices_of_a_supernet_are_where_training_starts(plan: RetrainingPlan) -> None:
    supernet = awake_supernet()
    standing = dataclasses.replace(plan.training, steps=1, learning_rate=1e-12, weight_decay=0.0)
    start = TrainedSupernet(supernet, plan.training, "digest", "sha256")
    derived = dataclasses.replace(plan, supernet=start, training=standing)
    found = retrain(derived, rank=CPU, progress=Remembered())
    batches = fixed_batches(plan.dataset.training, SIZE, 4, 2)
    network, slices = trained(derived), derive(supernet, plan.architecture)
    for module in (network, slices):
        recalibrate(module, batches)
    with torch.inference_mode():
        torch.testing.assert_close(network(batches[0].images), slices(batches[0].images), rtol=1e-4, atol=1e-4)
    summary = summary_json(found)
    assert (summary["start"], summary["supernet_sha256"]) == ("supernet", "sha256")


class Interrupting(Remembered):
    """Progress that ends the training after some steps, as Ctrl-C does."""

    def trained(self, loss: float) -> None:
        super().trained(loss)
        if len(self.losses) == 7:
            raise KeyboardInterrupt


def test_interrupted_training_goes_on_to_the_same_result(plan: RetrainingPlan, tmp_path: Path) -> None:
    undisturbed = dataclasses.replace(plan, out=tmp_path / "undisturbed")
    expected = retrain(undisturbed, rank=CPU, progress=Remembered())
    with pytest.raises(KeyboardInterrupt):
        retrain(plan, rank=CPU, progress=Interrupting())
    progress = Remembered()
    found = retrain(plan, rank=CPU, progress=progress)
    assert 0 < len(progress.losses) < plan.training.steps
    assert found.quality == expected.quality
    weights, expected_weights = to_numpy(trained(plan)), to_numpy(trained(undisturbed))
    assert all(np.array_equal(weights[name], expected_weights[name]) for name in expected_weights)
    assert (plan.out / ONNX).read_bytes() == (undisturbed.out / ONNX).read_bytes()


def test_finished_training_is_only_scored_again(plan: RetrainingPlan) -> None:
    before = retrain(plan, rank=CPU, progress=Remembered())
    progress = Remembered()
    after = retrain(dataclasses.replace(plan, precisions=("bf16",)), rank=CPU, progress=progress)
    assert progress.losses == []
    assert after.quality == before.quality
    assert after.at("bf16").quality is not None


def test_folder_of_another_network_is_left_as_it_is(plan: RetrainingPlan) -> None:
    retrain(plan, rank=CPU, progress=Remembered())
    before = {path.name: path.read_bytes() for path in plan.out.iterdir()}
    other = dataclasses.replace(plan, training=dataclasses.replace(plan.training, seed=5))
    with pytest.raises(CheckpointMismatch, match=r"training\.seed is 0 there and 5 here"):
        retrain(other, rank=CPU, progress=Remembered())
    assert {path.name: path.read_bytes() for path in plan.out.iterdir()} == before


@pytest.mark.parametrize(("torch_miou", "onnx_miou"), [(0.5, 0.502), (0.502, 0.5), (0.5, math.nan)])
def test_disagreement_is_an_error(torch_miou: float, onnx_miou: float) -> None:
    with pytest.raises(SearchError, match=r"differ by more than 0\.001"):
        check_agreement(torch_miou, onnx_miou, Path("x.onnx"))


def test_agreement_is_none() -> None:
    check_agreement(0.5, 0.5009, Path("x.onnx"))
