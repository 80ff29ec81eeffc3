"""Contract: targets and calibrations, on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from db.repository import Repository
from hyctas.errors import StorageError, UnknownTarget
from hyctas.measurement import Calibration
from hyctas.target import Target, parse_target


def test_targets_are_listed_by_name(repository: Repository, target: Target) -> None:
    compiled = parse_target("epyc-7b12/torch-fp32-compiled-t1")
    gpu = parse_target("a100/tensorrt-fp16")
    for added in (compiled, gpu, compiled):
        repository.ensure_target(added, {})
    assert repository.targets() == (gpu, target, compiled)


def test_target_named_accepts_full_and_local_names(repository: Repository, target: Target) -> None:
    assert repository.target_named(target.name) == target
    assert repository.target_named("onnxruntime-fp32-t1") == target


def test_target_named_unknown_lists_known(repository: Repository, target: Target) -> None:
    with pytest.raises(UnknownTarget, match="epyc-7b12/onnxruntime-fp32-t1"):
        repository.target_named("tensorrt-fp16")


def test_target_named_local_on_two_devices_lists_both(repository: Repository, target: Target) -> None:
    other = replace(target, device="xeon-8481c")
    repository.ensure_target(other, {})
    with pytest.raises(UnknownTarget) as caught:
        repository.target_named(target.local_name)
    assert caught.value.known == (target.name, other.name)


def test_calibrations_come_back_equal_and_in_order(repository: Repository, calibration: Calibration) -> None:
    second = replace(calibration, version=2, normaliser="mean", compute_reference_s=0.1 + 0.2)
    repository.add_calibration(second)
    repository.add_calibration(calibration)
    assert repository.calibrations(calibration.target) == (calibration, second)
    assert repository.latest_calibration(calibration.target) == second


def test_calibration_of_a_new_target_is_none(repository: Repository, target: Target) -> None:
    assert repository.latest_calibration(target) is None


def test_calibration_is_never_overwritten(repository: Repository, calibration: Calibration) -> None:
    repository.add_calibration(calibration)
    with pytest.raises(StorageError, match="next version"):
        repository.add_calibration(replace(calibration, compute_reference_s=1.0))
    assert repository.calibrations(calibration.target) == (calibration,)


def test_calibration_of_unknown_target_is_refused(repository: Repository, calibration: Calibration) -> None:
    with pytest.raises(UnknownTarget):
        repository.add_calibration(replace(calibration, target=parse_target("a100/tensorrt-fp16")))
