"""Wrong input is refused before anything is trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hyctas.errors import InvalidArchitecture, InvalidInput
from search.retraining.plan import ONNX, RetrainingPlan, check_writable, warmup_steps
from search.supernet.supernet import Supernet
from search.training.supernet_training import TrainedSupernet
from tests.search.evaluation.tiny import NETWORKS, SPACE


def test_classes_of_another_data_set_are_refused(plan: RetrainingPlan) -> None:
    other = dataclasses.replace(plan.architecture, classes=19)
    with pytest.raises(InvalidArchitecture, match=r"\$\.classes: 19 .* 3, the classes of the data set squares"):
        dataclasses.replace(plan, architecture=other)


def test_unknown_precision_is_refused(plan: RetrainingPlan) -> None:
    with pytest.raises(InvalidInput, match=r"precision: 'int4' .* fp32, tf32, fp16, bf16, int8"):
        dataclasses.replace(plan, precisions=("fp16", "int4"))


def test_no_validation_image_is_refused(plan: RetrainingPlan) -> None:
    with pytest.raises(InvalidInput, match="images: 0"):
        dataclasses.replace(plan, images=0)


def test_supernet_of_other_settings_is_refused(plan: RetrainingPlan) -> None:
    wider = Supernet(SPACE, dataclasses.replace(NETWORKS, base_channels=3), 0)
    with pytest.raises(InvalidArchitecture, match="base_channels"):
        dataclasses.replace(plan, supernet=TrainedSupernet(wider, plan.training, "digest", "sha256"))


def test_start_is_part_of_what_a_checkpoint_belongs_to(plan: RetrainingPlan) -> None:
    supernet = TrainedSupernet(Supernet(SPACE, NETWORKS, 0), plan.training, "digest", "sha256")
    derived = dataclasses.replace(plan, supernet=supernet)
    assert plan.job.start == ""
    assert derived.job.start == "sha256"


def test_sizes_are_those_of_training_and_of_deployment(larger: RetrainingPlan) -> None:
    assert larger.trained_size == (64, 96)
    assert larger.deployed_size == (32, 64)
    argmax = dataclasses.replace(larger, architecture=dataclasses.replace(larger.architecture, output="argmax"))
    sized = argmax.sized(argmax.trained_size)
    assert (sized.input.height, sized.input.width, sized.output) == (64, 96, "logits")


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (50, 5), (3000, 300), (80_000, 1000)])
def test_warmup_is_a_tenth_of_short_trainings(steps: int, warmup: int) -> None:
    assert warmup_steps(steps) == warmup


def test_folder_is_made(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InvalidInput, match="a folder that can be written to"):
        check_writable(tmp_path / "out")


def test_folder_in_place_of_the_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / ONNX).mkdir()
    with pytest.raises(InvalidInput, match=r"network\.onnx can be written"):
        check_writable(tmp_path)
