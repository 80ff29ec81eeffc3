"""From the records of a search to everything that a report says of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from db.records import CandidateRecord, SearchRunRecord
from hyctas.costs import costs
from hyctas.lowering import lower
from search.evolution.front import hypervolume
from search.report.comparison import comparison
from search.report.convergence import convergence
from search.report.evaluated import Evaluated, evaluated
from search.report.fronts import Fronts, front_on, fronts_of
from search.report.run_facts import RunFacts, run_facts
from search.report.values import Counts, Dot, FrontNetwork, Highlight, ReportData, TargetFronts


def report_data(
    run: SearchRunRecord, records: Sequence[CandidateRecord], *, found_sha256: str | None = None
) -> ReportData:
    """Turn what the database holds of a search into what a report says.

    Args:
        run: The search.
        records: Everything that it scored.
        found_sha256: Of the parameters of the supernet that is in the folder now, for a search that stored none.

    Raises:
        InvalidArchitecture: A stored document is not one of an architecture.
    """
    facts = run_facts(run, records, found_sha256=found_sha256)
    candidates = [evaluated(record, run.targets) for record in records]
    by_key = {found.record.architecture_key: found for found in candidates}
    fronts = fronts_of(candidates, facts.limits_s)
    networks = tuple(_network(by_key[key], facts.targets, overall=key in fronts.overall) for key in fronts.members)
    reference = facts.reference_point
    return ReportData(
        run=facts,
        counts=_counts(records),
        failures={record.architecture_key: record.failure for record in records if record.failure is not None},
        dots=tuple(_dots(candidates, facts.limits_s)),
        networks=networks,
        left=fronts.left,
        target_fronts=tuple(_target_fronts(fronts, by_key, facts)),
        highlights=tuple(_highlights(networks, facts)),
        convergence=() if reference is None else convergence(candidates, facts.limits_s, reference),
        comparisons=tuple(
            comparison(
                candidates,
                target,
                front=fronts.members,
                reference=None if reference is None else (reference[0], reference[1 + position]),
            )
            for position, target in enumerate(facts.targets)
        ),
    )


def _counts(records: Sequence[CandidateRecord]) -> Counts:
    failed = sum(record.failure is not None for record in records)
    measured = sum(record.miou is not None for record in records)
    return Counts(len(records), evaluated=measured, failed=failed, over_limit=len(records) - measured - failed)


def _dots(candidates: Sequence[Evaluated], limits_s: Sequence[float | None]) -> Iterator[Dot]:
    for found in candidates:
        if found.record.miou is not None and found.record.failure is None:
            yield Dot(
                key=found.record.architecture_key,
                generation=found.record.generation,
                branches=found.branches,
                miou=found.search_miou,
                latency_s=found.candidate.latency_s,
                eligible=found.eligible(limits_s),
            )


def _network(found: Evaluated, targets: Sequence[str], *, overall: bool) -> FrontNetwork:
    architecture = found.candidate.architecture
    return FrontNetwork(
        key=found.record.architecture_key,
        architecture=architecture,
        generation=found.record.generation,
        search_miou=found.search_miou,
        final_miou=found.record.final_miou,
        latencies=tuple(found.latency(target) for target in targets),
        costs=costs(lower(architecture)),
        overall=overall,
    )


def _target_fronts(fronts: Fronts, by_key: Mapping[str, Evaluated], facts: RunFacts) -> Iterator[TargetFronts]:
    count = len(facts.targets)
    for position, (target, limit_s) in enumerate(zip(facts.targets, facts.limits_s, strict=True)):
        yield TargetFronts(
            target=target,
            limit_s=limit_s,
            overall=front_on([by_key[key] for key in fronts.overall], position, count),
            by_branches={
                branches: front_on([by_key[key] for key in front], position, count)
                for branches, front in fronts.by_branches.items()
            },
        )


def _highlights(networks: Sequence[FrontNetwork], facts: RunFacts) -> Iterator[Highlight]:
    """Of the front of all: the best on each objective, and the one that alone covers most of the hypervolume."""
    members = [network for network in networks if network.overall]
    if not members:
        return
    yield Highlight("highest mIoU", max(members, key=lambda network: network.miou).key)
    for position, target in enumerate(facts.targets):
        label = "fastest" if len(facts.targets) == 1 else f"fastest on {target}"
        yield Highlight(label, _fastest(members, position).key)
    if facts.reference_point is not None:
        volumes = [_volume(network, facts.reference_point) for network in members]
        yield Highlight("best balance", members[volumes.index(max(volumes))].key)


def _fastest(members: Sequence[FrontNetwork], target: int) -> FrontNetwork:
    return min(members, key=lambda network: network.latencies[target].predicted_s)


def _volume(network: FrontNetwork, reference: Sequence[float]) -> float:
    logs = [math.log(latency.predicted_s) for latency in network.latencies]
    return hypervolume([[1.0 - network.miou, *logs]], reference)
