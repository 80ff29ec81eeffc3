"""The data of a report as JSON, in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from db.records import CandidateLatency
from hyctas.architecture_json import to_json
from search.drift import Drift
from search.report.comparison import ComparedNetwork, TargetComparison
from search.report.run_facts import RunFacts
from search.report.values import Dot, FrontNetwork, ReportData


def report_json(data: ReportData) -> dict[str, Any]:
    """The report as one JSON object; its networks stand in the order of their numbers on the page."""
    return {
        "search_run": _run(data.run),
        "counts": asdict(data.counts),
        "failures": dict(data.failures),
        "highlights": [asdict(highlight) for highlight in data.highlights],
        "networks": [_network(network) for network in data.networks],
        "left_fronts": list(data.left),
        "fronts": {
            front.target: {"overall": list(front.overall), "by_branches": _keyed(front.by_branches)}
            for front in data.target_fronts
        },
        "convergence": [{**asdict(volume), "by_branches": _keyed(volume.by_branches)} for volume in data.convergence],
        "comparisons": {compared.target: _comparison(compared) for compared in data.comparisons},
        "candidates": [_candidate(dot) for dot in data.dots],
    }


def _run(run: RunFacts) -> dict[str, Any]:
    return {
        "id": run.id,
        "status": run.status,
        "started_at": run.started_at.isoformat(),
        "finished_at": None if run.finished_at is None else run.finished_at.isoformat(),
        "targets": list(run.targets),
        "limits_ms": [None if limit_s is None else limit_s * 1e3 for limit_s in run.limits_s],
        "seed": run.seed,
        "algorithm": run.algorithm,
        "evaluations": run.evaluations,
        "dataset": run.dataset,
        "supernet": run.supernet,
        "supernet_sha256": run.supernet_sha256,
        "model_ids": {target: list(ids) for target, ids in run.model_ids.items()},
        "reference_point": None if run.reference_point is None else list(run.reference_point),
        "space": dict(run.space),
        "settings": dict(run.settings),
        "summary": dict(run.summary),
    }


def _network(network: FrontNetwork) -> dict[str, Any]:
    return {
        "key": network.key,
        "branches": network.branches,
        "overall": network.overall,
        "generation": network.generation,
        "miou": network.miou,
        "search_miou": network.search_miou,
        "final_miou": network.final_miou,
        "latencies": [_latency(latency) for latency in network.latencies],
        **asdict(network.costs),
        "architecture": to_json(network.architecture),
    }


def _latency(latency: CandidateLatency) -> dict[str, Any]:
    measured_s = latency.measured_s
    return {
        "target": latency.target,
        "latency_ms": latency.predicted_s * 1e3,
        "low_ms": latency.low_s * 1e3,
        "high_ms": latency.high_s * 1e3,
        "coverage": latency.coverage,
        "tier": latency.tier,
        "model_id": latency.model_id,
        "measured_ms": None if measured_s is None else measured_s * 1e3,
    }


def _candidate(dot: Dot) -> dict[str, Any]:
    found = asdict(dot)
    found["latency_ms"] = [latency_s * 1e3 for latency_s in found.pop("latency_s")]
    return found


def _comparison(compared: TargetComparison) -> dict[str, Any]:
    return {
        "front_networks": compared.front_size,
        "unforecast": compared.unforecast,
        "front": _drift(compared.front),
        "everything": _drift(compared.everything),
        "inversions": [list(pair) for pair in compared.inversions],
        "networks": [_compared(network) for network in compared.networks],
    }


def _drift(drift: Drift | None) -> dict[str, Any] | None:
    return None if drift is None else asdict(drift)


def _compared(network: ComparedNetwork) -> dict[str, Any]:
    return {
        "key": network.key,
        "branches": network.branches,
        "on_front": network.on_front,
        "miou": network.miou,
        **_latency(network.predicted),
        "measured_ms": network.measured_s * 1e3,
        "error": network.error,
        "inside": network.inside,
    }


def _keyed(by_branches: Mapping[int, Any]) -> dict[str, Any]:
    return {str(count): value for count, value in by_branches.items()}
