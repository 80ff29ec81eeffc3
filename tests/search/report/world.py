"""Searches whose candidates were scored by a formula, as the database would return them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from db.records import CandidateLatency, CandidateRecord, RunStatus, SearchRunRecord
from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_json import read_architecture, to_json
from hyctas.network_macs import network_macs
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from search.report.data import report_data
from search.report.values import ReportData

FAST = "epyc-7b12/onnxruntime-fp32-t1"
SLOW = "epyc-7b12/torch-fp32-t1"
SPACE = SearchSpace(depth=6, min_cells=4)
NETWORKS = ArchitectureDefaults(height=32, width=64, base_channels=4, classes=8)
STARTED = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)
POPULATION = 12


def search_run(
    targets: Sequence[str] = (FAST,),
    *,
    status: RunStatus = "finished",
    limits_s: Sequence[float | None] | None = None,
    summary: dict[str, Any] | None = None,
    evaluations: int = 48,
) -> SearchRunRecord:
    """A search over `targets` that all candidates of this module belong to."""
    limits = list(limits_s or [None] * len(targets))
    search = {"targets": list(targets), "limits_s": limits, "algorithm": "nsga2", "evaluations": evaluations}
    return SearchRunRecord(
        id=7,
        space=dataclasses.asdict(SPACE),
        targets=tuple(targets),
        settings={
            "search": {**search, "evaluations": evaluations},
            "dataset": "synthetic:3",
            "supernet": "supernets/small",
        },
        seed=5,
        status=status,
        reference_point=(0.75, *(math.log(0.012) for _ in targets)),
        started_at=STARTED,
        finished_at=STARTED + timedelta(minutes=9) if status == "finished" else None,
        summary=summary or {},
    )


def true_latency_s(architecture: Architecture, target: str) -> float:
    """A floor, and time for every multiply-accumulate and every cell."""
    floor_s, per_mac_s, per_cell_s = (4e-4, 1.5e-10, 3e-5) if target == FAST else (9e-4, 1e-10, 9e-5)
    cells = sum(len(branch.cells) for branch in architecture.branches)
    return floor_s + per_mac_s * network_macs(architecture) + per_cell_s * cells


def true_miou(architecture: Architecture, rng: np.random.Generator) -> float:
    """Rises and saturates with cost; attention and branches help a little."""
    cells = [cell for branch in architecture.branches for cell in branch.cells]
    attention = sum(cell.op == "sa" for cell in cells) / len(cells)
    effort = network_macs(architecture) / 4e6
    helped = 0.03 * len(architecture.branches) + 0.06 * min(attention, 0.4)
    return float(0.25 + 0.4 * effort / (1.0 + effort) + helped + rng.normal(0.0, 0.015))


def prediction(
    architecture: Architecture, target: str, rng: np.random.Generator, *, revision: int = 0
) -> CandidateLatency:
    """A prediction that is off by a few per cent, with an interval that nearly always holds the truth."""
    predicted_s = true_latency_s(architecture, target) * float(np.exp(rng.normal(-0.02, 0.04)))
    return CandidateLatency(
        target=target,
        predicted_s=predicted_s,
        low_s=predicted_s * 0.92,
        high_s=predicted_s * 1.09,
        coverage=0.9,
        tier="learned" if rng.random() < 0.8 else "extrapolated",
        model_id=f"{target.split('/')[1]}-r{revision}",
        revision=revision,
        measured_s=None,
    )


def candidates(
    run: SearchRunRecord,
    count: int = 48,
    *,
    seed: int = 0,
    space: SearchSpace = SPACE,
    networks: ArchitectureDefaults = NETWORKS,
) -> list[CandidateRecord]:
    """Candidates in generations that get better, as a search would store them."""
    rng = np.random.default_rng(seed)
    drawn = sample_structured(space, rng, count, networks)
    scored = [
        CandidateRecord(
            search_run_id=run.id,
            generation=0,
            architecture_key=architecture.key,
            document=to_json(architecture),
            miou=true_miou(architecture, rng),
            final_miou=None,
            failure=None,
            latencies=tuple(prediction(architecture, target, rng) for target in run.targets),
        )
        for architecture in drawn
    ]
    worth = [(record.miou or 0.0) - 0.05 * np.log(record.latencies[0].predicted_s) for record in scored]
    order = np.argsort(np.array(worth) + rng.normal(0.0, np.std(worth), count))
    return [dataclasses.replace(scored[index], generation=1 + place // POPULATION) for place, index in enumerate(order)]


def with_measured(
    records: Sequence[CandidateRecord], keys: Sequence[str], *, seed: int = 1, noise: float = 0.02
) -> list[CandidateRecord]:
    """The same with measured latencies and careful mIoU of the networks of these keys."""
    rng = np.random.default_rng(seed)
    return [_measured(record, rng, noise) if record.architecture_key in keys else record for record in records]


def _measured(record: CandidateRecord, rng: np.random.Generator, noise: float) -> CandidateRecord:
    architecture = read_architecture(record.document)
    latencies = tuple(
        dataclasses.replace(
            latency,
            measured_s=true_latency_s(architecture, latency.target) * float(np.exp(rng.normal(0.0, noise))),
        )
        for latency in record.latencies
    )
    final_miou = (record.miou or 0.0) + float(rng.normal(0.005, 0.004))
    return dataclasses.replace(record, latencies=latencies, final_miou=final_miou)


def finished_report(targets: Sequence[str] = (FAST,), count: int = 48) -> ReportData:
    """A search that measured all but one network of its front."""
    run = search_run(targets, evaluations=count)
    records = candidates(run, count)
    members = [network.key for network in report_data(run, records).networks]
    return report_data(run, with_measured(records, members[1:]))
