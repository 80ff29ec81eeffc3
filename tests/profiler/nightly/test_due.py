"""What a night measures besides canaries, and what it learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from db.records import ArchitectureRecord, MeasurementFilter, WorkloadRecord
from db.repository import Repository
from hyctas.architecture import ArchitectureDefaults
from hyctas.architecture_json import to_json
from hyctas.measurement import Measurement, Protocol, Round
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import Target
from predictor.samples import NetworkSample
from profiler.cli.store import RepositoryStore
from profiler.plan import plan_networks
from profiler.store import Result as Finished
from tests.predictor import synthetic
from tests.profiler.nightly.conftest import night

pytestmark = pytest.mark.slow


def store_networks(repository: Repository, target: Target, networks: Sequence[NetworkSample], *, process: str) -> None:
    """Networks as if they had been measured."""
    run_id = repository.start_run("networks", target, {})
    size: dict[str, Any] = {"height": 64, "width": 128, "c_in": 3, "c_out": 19, "stride": None}
    costs: dict[str, Any] = dict.fromkeys(
        ("macs", "conv_macs", "parameters", "bytes_moved", "peak_activation_bytes"), 1
    )
    for sample in networks:
        key = f"w-{sample.architecture.key}"
        repository.add_workloads([WorkloadRecord(key, "network", "network", {}, **size, **costs)])
        repository.add_architectures([ArchitectureRecord(sample.architecture.key, key, to_json(sample.architecture))])
        rounds = (Round((sample.latency_s,), (0.006,), (0.002,), 0.99),) * 5
        measured = Measurement(key, target, rounds, 1e-5, Protocol(), {}, process_id=process)
        repository.add_measurement(run_id, measured, calibration=None)


def test_predictor_is_registered_only_if_it_is_no_worse(config: Path, url: str, target: Target, tmp_path: Path) -> None:
    networks = synthetic.networks(60, seed=1)
    with Repository.open(url) as repository:
        store_networks(repository, target, networks[:40], process="p1")
    first = night(config, "one")["targets"][0]["trained"]
    assert first["registered"] and "first model" in first["reason"]
    nothing_new = night(config, "two")["targets"][0]["trained"]
    assert nothing_new is None
    rng = np.random.default_rng(0)
    wild = [replace(n, latency_s=n.latency_s * float(rng.uniform(0.2, 5.0))) for n in networks[40:]]
    with Repository.open(url) as repository:
        store_networks(repository, target, wild, process="p2")
    refused = night(config, "three")["targets"][0]["trained"]
    assert not refused["registered"] and f"worse than {first['model_id']}" in refused["reason"]
    assert night(config, "four")["targets"][0]["trained"] is None
    with Repository.open(url) as repository:
        assert [model.model_id for model in repository.models(target)] == [first["model_id"]]
    assert [path.name for path in (tmp_path / "models").iterdir()] == [first["model_id"]]


def test_stale_network_is_measured_again_and_replaced(config: Path, url: str, target: Target) -> None:
    """A network that another version of hyctas measured is stale; what is measured now takes its place."""
    config.write_text(config.read_text() + "networks = 1\nseed = 3\ntrain = false\n")
    settings = ArchitectureDefaults(height=64, width=128, base_channels=4)
    drawn = sample_structured(SearchSpace(depth=16), np.random.default_rng(3), 1, settings)
    (planned,) = plan_networks(drawn)
    with Repository.open(url) as repository:
        (calibration,) = repository.calibrations(target)
        run_id = repository.start_run("networks", target, {})
        store = RepositoryStore(repository, run_id, calibration)
        store.add_networks([planned])
        round_ = Round((1.0,) * 3, (0.002,) * 2, (0.004,) * 2, 1.0)
        old = Measurement(
            planned.key, target, (round_,) * 5, 1e-5, Protocol(), {"hyctas": "0.0.1"}, process_id="years ago"
        )
        store.save(Finished(planned, old, None, repeat=False))
    filled = night(config, "one")["targets"][0]["filled"]
    assert filled["wanted"] == {"missing": 0, "stale": 1, "unstable": 0}
    with Repository.open(url) as repository:
        ((_, row),) = repository.network_latencies(target)
        assert (row.process_id == "years ago") == (filled["measured"] != {"stale": 1})
        again = repository.measurements(MeasurementFilter(target=target, workload_key=planned.key), limit=None)
    assert len(again) >= 2
