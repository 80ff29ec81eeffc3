"""Contract: workloads and architectures, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from db.records import ArchitectureRecord, WorkloadRecord
from db.repository import Repository
from hyctas.errors import StorageError

MakeWorkload = Callable[..., WorkloadRecord]
MakeNetwork = Callable[[str], tuple[WorkloadRecord, ArchitectureRecord]]


def test_workload_comes_back_equal(repository: Repository, workload: MakeWorkload) -> None:
    record = workload("w", macs=3 * 2**33, description={"kind": "fuse", "in_channels": [12, 24], "β": "ü"})
    repository.add_workloads([record])
    assert repository.workload("w") == record


def test_unknown_keys_give_none(repository: Repository) -> None:
    assert repository.workload("w") is None
    assert repository.architecture("a") is None


def test_workload_stored_twice_stays_as_it_was(repository: Repository, workload: MakeWorkload) -> None:
    first = workload("w")
    repository.add_workloads([first, first])
    repository.add_workloads([replace(first, macs=1), workload("other")])
    assert repository.workload("w") == first
    assert repository.workload("other") is not None


def test_many_workloads_at_once(repository: Repository, workload: MakeWorkload) -> None:
    repository.add_workloads(workload(f"w{number}") for number in range(1201))
    repository.add_workloads(workload(f"w{number}") for number in range(1300))
    assert repository.workload("w0") is not None
    assert repository.workload("w1299") is not None


def test_no_workloads_at_all(repository: Repository) -> None:
    repository.add_workloads([])
    repository.add_architectures([])


def test_architecture_comes_back_equal(repository: Repository, network: MakeNetwork) -> None:
    workload, architecture = network("x")
    repository.add_workloads([workload])
    repository.add_architectures([architecture, architecture])
    assert repository.architecture("a-x") == architecture


def test_architecture_without_workload_is_refused(repository: Repository, network: MakeNetwork) -> None:
    _, architecture = network("x")
    with pytest.raises(StorageError, match="'n-x'; add_workloads"):
        repository.add_architectures([architecture])
    assert repository.architecture("a-x") is None


def test_architecture_gets_its_workload_later_and_keeps_it(repository: Repository, network: MakeNetwork) -> None:
    (workload, architecture), (other, _) = network("x"), network("y")
    unlowered = replace(architecture, workload_key=None)
    repository.add_architectures([unlowered])
    assert repository.architecture("a-x") == unlowered
    repository.add_workloads([workload, other])
    repository.add_architectures([architecture])
    assert repository.architecture("a-x") == architecture
    repository.add_architectures([unlowered])
    repository.add_architectures([replace(architecture, workload_key=other.key)])
    assert repository.architecture("a-x") == architecture


def test_architectures_of_one_workload_are_all_kept(repository: Repository, network: MakeNetwork) -> None:
    workload, architecture = network("x")
    repository.add_workloads([workload])
    alike = [replace(architecture, key=f"a-{number}") for number in range(1201)]
    repository.add_architectures(replace(record, workload_key=None) for record in alike[:700])
    repository.add_architectures(alike)
    assert [repository.architecture(alike[number].key) for number in (0, 699, 1200)] == [
        alike[number] for number in (0, 699, 1200)
    ]
