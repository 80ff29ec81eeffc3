"""From records to the numbers of a report."""

from __future__ import annotations

import dataclasses
import math

import pytest

from db.records import CandidateLatency, CandidateRecord
from hyctas.architecture_json import read_architecture
from hyctas.costs import costs
from hyctas.lowering import lower
from search.report.data import report_data
from search.report.values import ReportData
from tests.search.report.world import FAST, SLOW, candidates, finished_report, search_run, with_measured


def point(record: CandidateRecord) -> tuple[float, ...]:
    """Objectives as the definition says, written apart from the code that is tested."""
    assert record.miou is not None
    return (1 - record.miou, *(math.log(latency.predicted_s) for latency in record.latencies))


def dominates(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in zip(first, second, strict=True)) and first != second


def undominated(records: list[CandidateRecord]) -> set[str]:
    return {
        record.architecture_key
        for record in records
        if not any(dominates(point(other), point(record)) for other in records)
    }


def branches(record: CandidateRecord) -> int:
    return len(record.document["branches"])


def keys(data: ReportData, *, overall: bool | None = None) -> set[str]:
    return {network.key for network in data.networks if overall is None or network.overall == overall}


@pytest.mark.parametrize("targets", [(FAST,), (FAST, SLOW)])
def test_fronts_are_what_nothing_dominates(targets: tuple[str, ...]) -> None:
    run = search_run(targets)
    records = candidates(run, 36)
    data = report_data(run, records)
    assert keys(data, overall=True) == undominated(records)
    by_count = [undominated([r for r in records if branches(r) == count]) for count in (1, 2, 3)]
    assert keys(data) == set.union(*by_count)
    assert data.branch_counts == (1, 2, 3)


def test_front_on_one_of_two_targets_has_falling_error_at_rising_latency() -> None:
    data = report_data(search_run((FAST, SLOW)), candidates(search_run((FAST, SLOW)), 36))
    for position, front in enumerate(data.target_fronts):
        for chosen in (front.overall, *front.by_branches.values()):
            networks = [data.by_key[key] for key in chosen]
            latencies = [network.latencies[position].predicted_s for network in networks]
            assert latencies == sorted(latencies)
            assert [n.miou for n in networks] == sorted(n.miou for n in networks)


def test_networks_come_with_their_costs_and_document() -> None:
    run = search_run()
    records = candidates(run, 12)
    documents = {record.architecture_key: record.document for record in records}
    for network in report_data(run, records).networks:
        assert network.architecture == read_architecture(documents[network.key])
        assert network.costs == costs(lower(network.architecture))


def test_failed_and_refused_candidates_are_counted_and_on_no_front() -> None:
    run = search_run(limits_s=[0.0015])
    records = candidates(run, 12)
    best = max(range(12), key=lambda index: records[index].miou or 0.0)
    cheap = min(range(12), key=lambda index: records[index].latencies[0].predicted_s)
    records[cheap] = dataclasses.replace(records[cheap], miou=None, failure="network: the logits are not all finite")
    records[best] = dataclasses.replace(records[best], miou=None)
    data = report_data(run, records)
    assert (data.counts.scored, data.counts.evaluated, data.counts.failed, data.counts.over_limit) == (12, 10, 1, 1)
    assert data.failures == {records[cheap].architecture_key: "network: the logits are not all finite"}
    assert not keys(data) & {records[cheap].architecture_key, records[best].architecture_key}
    assert len(data.dots) == 10


def test_candidate_over_a_limit_is_a_dot_but_on_no_front() -> None:
    run = search_run()
    records = candidates(run, 24)
    latencies = sorted(record.latencies[0].predicted_s for record in records)
    limit_s = latencies[8]
    data = report_data(search_run(limits_s=[limit_s]), records)
    allowed = [record for record in records if record.latencies[0].predicted_s <= limit_s]
    assert keys(data, overall=True) == undominated(allowed)
    assert sum(not dot.eligible for dot in data.dots) == 15
    assert data.target_fronts[0].limit_s == limit_s


def test_highlights_are_the_best_on_each_objective_of_the_front_of_all() -> None:
    data = finished_report((FAST, SLOW))
    found = {highlight.label: data.by_key[highlight.key] for highlight in data.highlights}
    members = [network for network in data.networks if network.overall]
    assert found["highest mIoU"].miou == max(network.miou for network in members)
    for position, target in enumerate((FAST, SLOW)):
        fastest = min(network.latencies[position].predicted_s for network in members)
        assert found[f"fastest on {target}"].latencies[position].predicted_s == fastest
    assert "best balance" in found


def test_final_miou_decides_among_members_and_says_who_left() -> None:
    run = search_run()
    first, second = [record for record in candidates(run, 12) if branches(record) == 1][:2]
    fast = dataclasses.replace(_refitted(first, 0.1), miou=0.5)
    slow = dataclasses.replace(_refitted(second, 10.0), miou=0.6)
    assert keys(report_data(run, [fast, slow]), overall=True) == {fast.architecture_key, slow.architecture_key}
    fast, slow = dataclasses.replace(fast, final_miou=0.55), dataclasses.replace(slow, final_miou=0.54)
    data = report_data(run, [fast, slow])
    (network,) = data.networks
    assert (network.key, network.search_miou, network.miou) == (fast.architecture_key, 0.5, 0.55)
    assert data.left == (slow.architecture_key,)


def test_final_miou_lets_nobody_in_who_was_on_no_front() -> None:
    run = search_run()
    records = candidates(run, 36)
    members = keys(report_data(run, records))
    dropped = [dataclasses.replace(r, final_miou=0.01 if r.architecture_key in members else None) for r in records]
    assert keys(report_data(run, dropped)) <= members


def test_newest_revision_counts_in_fronts_and_refits_are_listed_in_order() -> None:
    run = search_run()
    records = [_refitted(record, 0.5) for record in candidates(run, 12)]
    data = report_data(run, records)
    assert data.run.model_ids[FAST] == ("onnxruntime-fp32-t1-r0", "refitted")
    for network in data.networks:
        assert network.latencies[0].model_id == "refitted"


def test_empty_search_has_nothing_but_its_settings() -> None:
    data = report_data(dataclasses.replace(search_run(status="running"), reference_point=None), [])
    assert data.networks == data.dots == data.convergence == data.highlights == ()
    assert data.run.evaluations == 48
    assert data.comparisons[0].networks == ()


def test_supernet_digest_prefers_what_the_search_stored() -> None:
    stored = search_run(summary={"supernet": "aa"})
    assert report_data(stored, [], found_sha256="bb").run.supernet_sha256 == "aa"
    found = report_data(search_run(), [], found_sha256="bb").run
    assert (found.supernet_sha256, found.supernet_found) == ("bb", True)


def test_settings_that_are_not_stored_are_unknown() -> None:
    facts = report_data(dataclasses.replace(search_run(), settings={}), []).run
    assert (facts.algorithm, facts.evaluations, facts.dataset, facts.limits_s) == (None, None, None, (None,))


def test_order_of_records_does_not_matter() -> None:
    run = search_run()
    records = with_measured(candidates(run, 24), [candidates(run, 24)[3].architecture_key])
    first, second = report_data(run, records), report_data(run, records[::-1])
    assert first.networks == second.networks
    assert first.convergence == second.convergence
    assert first.comparisons == second.comparisons


def _refitted(record: CandidateRecord, factor: float) -> CandidateRecord:
    old = record.latencies[0]
    new = dataclasses.replace(old, predicted_s=old.predicted_s * factor, revision=1, model_id="refitted")
    latencies: tuple[CandidateLatency, ...] = (old, new)
    return dataclasses.replace(record, latencies=latencies)
