"""Runs of plans: phases, resuming, interruptions, failures, and the summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hyctas.errors import RuntimeUnavailable
from hyctas.measurement import Calibration, Failure, Measurement, Protocol, Round
from hyctas.target import parse_target
from profiler.blocks import BlockSettings
from profiler.plan import PlannedWorkload
from profiler.profile import ProfileSettings, marginal_cost_s, run_plan
from profiler.store import Result
from profiler.summary import ProfileSummary

MakeWorkload = Callable[..., PlannedWorkload]
Run = Callable[..., ProfileSummary]
NEVER_SETTLED = Protocol(min_rounds=3, max_rounds=3, samples_per_round=1, relative_half_width=-1.0)


@pytest.fixture
def run(calibration: Calibration, quick: Protocol, blocks: BlockSettings, store: Any, progress: Any) -> Run:
    """Runs a plan on the staged runtime, into the store; two repeats unless told otherwise."""
    settings = ProfileSettings(calibration, protocol=quick, repeats=2, blocks=blocks)

    def run(plan: Sequence[PlannedWorkload], **changes: Any) -> ProfileSummary:
        return run_plan(plan, store, replace(settings, **changes), progress)

    return run


@pytest.fixture
def one_by_one(blocks: BlockSettings) -> BlockSettings:
    """Blocks of one workload."""
    return replace(blocks, size=1, per_process=99)


@pytest.fixture
def plan(workload: MakeWorkload) -> list[PlannedWorkload]:
    return [workload(f"run {size}", size, chain="run" if size % 2 else None) for size in range(1, 7)]


def names(results: Sequence[Result], *, repeat: bool = False) -> list[str]:
    return sorted(result.planned.workload.graph.name for result in results if result.repeat == repeat)


def test_everything_is_measured_once_and_a_sample_twice(
    run: Run, plan: list[PlannedWorkload], store: Any, progress: Any
) -> None:
    summary = run(plan)
    assert names(store.results) == [f"run {size}" for size in range(1, 7)]
    assert len(names(store.results, repeat=True)) == summary.repeats == 2
    assert (summary.planned, summary.measured, summary.unstable, summary.remaining) == (6, 6, 0, 0)
    assert progress.phases == [("measure", 6), ("noise floor", 2)]
    assert progress.advanced == 8


def test_repeats_come_from_another_process(run: Run, plan: list[PlannedWorkload], store: Any) -> None:
    summary = run(plan)
    assert len(store.pairs()) == 2
    assert summary.noise_between is not None and summary.noise_between >= 0.0
    assert summary.noise_within is not None


def test_marginal_cost_is_there_where_a_chain_was_measured(run: Run, plan: list[PlannedWorkload], store: Any) -> None:
    run(plan)
    for result in store.results:
        assert (result.marginal_s is not None) == (result.planned.chain is not None and not result.repeat)


def test_order_is_random_but_seeded(
    run: Run, plan: list[PlannedWorkload], store: Any, one_by_one: BlockSettings
) -> None:
    orders = []
    for seed in (1, 1, 2):
        store.results.clear()
        run(
            plan,
            seed=seed,
            repeats=0,
            blocks=BlockSettings(size=1, runtimes={"onnxruntime": "staged_runtime:StagedRuntime"}),
        )
        orders.append([result.planned.key for result in store.results])
    assert orders[0] == orders[1] != orders[2]


def test_second_run_measures_nothing_but_knows_the_noise(run: Run, plan: list[PlannedWorkload], store: Any) -> None:
    run(plan)
    kept = list(store.results)
    summary = run(plan)
    assert store.results == kept
    assert (summary.already_measured, summary.measured, summary.remaining) == (6, 0, 0)
    assert summary.repeats == 2 and summary.noise_between is not None


def test_repeats_that_an_earlier_run_did_not_reach_are_made_up_for(
    run: Run, plan: list[PlannedWorkload], store: Any
) -> None:
    assert run(plan, repeats=0).noise_between is None
    assert run(plan, repeats=3).repeats == 3


def test_larger_plan_measures_the_rest(run: Run, plan: list[PlannedWorkload], store: Any) -> None:
    run(plan[:2], repeats=0)
    summary = run(plan, repeats=0)
    assert (summary.already_measured, summary.measured) == (2, 4)


def test_interruption_keeps_what_is_measured_and_the_next_run_goes_on(
    run: Run, plan: list[PlannedWorkload], store: Any, progress: Any
) -> None:
    def interrupt(advanced: int) -> None:
        if advanced == 3:
            raise KeyboardInterrupt

    progress.on_advance = interrupt
    summary = run(plan)
    assert (summary.interrupted, summary.measured, summary.remaining) == (True, 3, 3)
    progress.on_advance = lambda advanced: None
    summary = run(plan)
    assert (summary.interrupted, summary.already_measured, summary.measured) == (False, 3, 3)


def test_spent_budget_begins_nothing_new(run: Run, plan: list[PlannedWorkload], store: Any) -> None:
    summary = run(plan, budget_s=1e-9)
    assert (summary.measured, summary.remaining, store.results) == (0, 6, [])


def test_failures_are_results_with_their_reasons(run: Run, workload: MakeWorkload, store: Any) -> None:
    plan = [workload("run", 1), workload("abort after 2", 2), workload("unsupported", 3), workload("not finite", 4)]
    summary = run(plan)
    assert (summary.measured, summary.remaining, sum(summary.failed.values())) == (1, 0, 3)
    assert sorted(reason.partition(":")[0] for reason in summary.failed) == ["crash", "not_finite", "unsupported"]
    assert sorted(store.statuses().values()) == ["failed"] * 3 + ["ok"]


def test_failure_is_tried_again_only_on_request(run: Run, workload: MakeWorkload, store: Any) -> None:
    plan = [workload("unsupported", 1)]
    run(plan)
    assert run(plan).already_measured == 1
    assert len(store.results) == 1
    assert run(plan, retry_failed=True).failed == {"unsupported: no such primitive here": 1}
    assert len(store.results) == 2


def test_operators_without_marginal_cost_are_counted(run: Run, workload: MakeWorkload) -> None:
    summary = run([workload("run", 1, chain="cannot build")])
    assert summary.without_marginal == {"build: ValueError: the model is broken": 1}
    assert summary.measured == 1


def test_unstable_workloads_are_measured_once_more_and_by_the_next_run(
    run: Run, plan: list[PlannedWorkload], store: Any, progress: Any
) -> None:
    summary = run(plan[:2], protocol=NEVER_SETTLED)
    assert (summary.unstable, summary.measured, summary.repeats) == (2, 0, 0)
    assert progress.phases == [("measure", 2), ("measure again", 2)]
    assert len(names(store.results)) == 4
    assert run(plan[:2]).measured == 2


def test_what_another_run_measures_meanwhile_is_left_out(
    run: Run, plan: list[PlannedWorkload], store: Any, progress: Any, one_by_one: BlockSettings
) -> None:
    others: list[Result] = []

    def measured_elsewhere(advanced: int) -> None:
        if not others:
            own = store.results[0]
            left = [item for item in plan if item.key != own.planned.key]
            others.extend(
                replace(own, planned=item, measurement=replace(own.measurement, workload_key=item.key)) for item in left
            )
            store.results.extend(others)

    progress.on_advance = measured_elsewhere
    summary = run(
        plan, repeats=0, blocks=BlockSettings(size=1, runtimes={"onnxruntime": "staged_runtime:StagedRuntime"})
    )
    assert (summary.measured, summary.already_measured, summary.remaining) == (1, 5, 0)
    assert progress.advanced == 6


def test_runtime_that_does_not_open_is_an_error(
    run: Run, plan: list[PlannedWorkload], calibration: Calibration
) -> None:
    broken = replace(calibration, target=parse_target("bench/torch-fp32-t1"))
    with pytest.raises(RuntimeUnavailable, match="SIGABRT"):
        run(plan, calibration=broken)


def test_time_and_rate_are_reported(run: Run, plan: list[PlannedWorkload]) -> None:
    summary = run(plan)
    assert 0.0 < summary.timed_share < 1.0
    assert 0.0 < summary.prepare_share < 1.0
    assert summary.per_hour == pytest.approx(8 / summary.wall_s * 3600)


@pytest.mark.parametrize("calibrated_s", [1e-6, 1e3])
def test_machine_that_runs_at_another_speed_raises_the_alarm(
    run: Run, plan: list[PlannedWorkload], calibration: Calibration, calibrated_s: float
) -> None:
    assert run(plan[:1], repeats=0, calibration=replace(calibration, compute_reference_s=calibrated_s)).machine_changed


def test_marginal_cost_is_half_of_what_two_more_copies_add(
    calibration: Calibration, round_of: Callable[..., Round]
) -> None:
    single = Measurement("w", calibration.target, (round_of(0.003, 0.002),) * 5, 1e-5, Protocol(), {})
    chain = (round_of(0.0075, 0.0025),) * 5
    assert marginal_cost_s(single, chain, calibration) == pytest.approx((3.0 - 1.5) / 2 * 0.002)
    assert marginal_cost_s(single, (), calibration) is None
    failed = replace(single, rounds=(), failure=Failure("crash", "x"))
    assert marginal_cost_s(failed, chain, calibration) is None
