"""Blocks of workloads: how they are formed, and what a death costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from hyctas.measurement import Protocol
from hyctas.target import Target
from profiler.blocks import BlockRunner, BlockSettings, Finished
from profiler.plan import PlannedWorkload

MakeWorkload = Callable[..., PlannedWorkload]


@contextmanager
def running(target: Target, protocol: Protocol, settings: BlockSettings) -> Iterator[BlockRunner]:
    runner = BlockRunner(target, protocol, "none", np.random.default_rng(0), settings)
    try:
        yield runner
    finally:
        runner.end_process()


@pytest.fixture
def runner(target: Target, quick: Protocol, blocks: BlockSettings) -> Iterator[BlockRunner]:
    with running(target, quick, blocks) as opened:
        yield opened


def measure_all(
    runner: BlockRunner, items: Sequence[PlannedWorkload], *, chains: bool = True
) -> tuple[dict[str, Finished], list[int]]:
    """Everything measured, by the name of its graph, and the sizes of the blocks that it took."""
    done: dict[str, Finished] = {}
    sizes: list[int] = []
    waiting = items
    while waiting:
        block, waiting = runner.take(waiting)
        sizes.append(len(block))
        finished = list(runner.measure(block, chains=chains))
        for result in finished:
            assert result.item.workload.graph.name not in done
            done[result.item.workload.graph.name] = result
        left = [item for item in block if item.key not in {result.item.key for result in finished}]
        waiting = [*left, *waiting]
    return done, sizes


def kinds(done: dict[str, Finished]) -> dict[str, str | None]:
    return {name: f.measurement.failure and f.measurement.failure.kind for name, f in done.items()}


def test_blocks_are_as_large_as_they_may_be(runner: BlockRunner, workload: MakeWorkload) -> None:
    items = [workload(f"run {size}", size) for size in range(1, 7)]
    block, rest = runner.take(items)
    assert (list(block), list(rest)) == (items[:4], items[4:])
    assert runner.take([]) == ([], [])


def test_memory_limits_a_block_but_one_workload_always_fits(
    target: Target, quick: Protocol, blocks: BlockSettings, workload: MakeWorkload
) -> None:
    items = [workload(f"run {size}", size) for size in (100, 100_000, 100, 100)]
    limits = replace(blocks, resident_bytes=items[0].resident_bytes * 2)
    with running(target, quick, limits) as runner:
        assert [len(runner.take(items[start:])[0]) for start in range(4)] == [1, 1, 2, 1]


def test_results_carry_their_process_and_their_chain(runner: BlockRunner, workload: MakeWorkload) -> None:
    done, _ = measure_all(runner, [workload("alone"), workload("chained", 5, chain="run")])
    assert done["alone"].chain_rounds == ()
    assert len(done["chained"].chain_rounds) == 3
    assert done["alone"].measurement.process_id == done["chained"].measurement.process_id != ""
    assert done["alone"].measurement.workload_key == done["alone"].item.key
    assert done["alone"].measurement.environment["reference"].startswith("sgemm")


def test_chains_can_be_left_out(runner: BlockRunner, workload: MakeWorkload) -> None:
    done, _ = measure_all(runner, [workload("chained", chain="run")], chains=False)
    assert done["chained"].chain_rounds == ()
    assert not runner.without_marginal


def test_new_process_takes_over_after_some_blocks(runner: BlockRunner, workload: MakeWorkload) -> None:
    done, sizes = measure_all(runner, [workload(f"run {size}", size) for size in range(1, 13)])
    assert sizes == [4, 4, 4]
    processes = {f.item.key: f.measurement.process_id for f in done.values()}
    assert len(set(processes.values())) == 2


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        ("abort after 2", "crash"),
        ("killed after 2", "out_of_memory"),
        ("cuda memory", "out_of_memory"),
        ("cuda memory at run after 2", "out_of_memory"),
        ("hang after 2", "timeout"),
        ("hang while building", "timeout"),
    ],
)
def test_only_the_culprit_fails(runner: BlockRunner, workload: MakeWorkload, act: str, kind: str) -> None:
    done, _ = measure_all(runner, [workload("a", 1), workload(act, 2), workload("b", 3), workload("c", 4)])
    assert kinds(done) == {"a": None, act: kind, "b": None, "c": None}


def test_several_culprits_in_one_block_are_all_found(runner: BlockRunner, workload: MakeWorkload) -> None:
    names = ["abort after 1", "a", "abort while building", "killed after 9"]
    done, _ = measure_all(runner, [workload(name, size) for size, name in enumerate(names, start=1)])
    assert kinds(done) == dict(zip(names, ["crash", None, "crash", "out_of_memory"], strict=True))


@pytest.mark.parametrize("chain", ["abort after 2", "unsupported"])
def test_chain_that_fails_costs_the_marginal_cost_only(runner: BlockRunner, workload: MakeWorkload, chain: str) -> None:
    done, _ = measure_all(runner, [workload("a", 1), workload("b", 2, chain=chain)])
    assert kinds(done) == {"a": None, "b": None}
    assert done["b"].chain_rounds == ()
    assert sum(runner.without_marginal.values()) == 1


def test_operator_that_fails_does_not_wait_for_its_chain(runner: BlockRunner, workload: MakeWorkload) -> None:
    done, _ = measure_all(runner, [workload("unsupported", 1, chain="run"), workload("a", 2)])
    assert kinds(done) == {"unsupported": "unsupported", "a": None}


def test_death_without_a_culprit_makes_suspects_of_all(runner: BlockRunner, workload: MakeWorkload) -> None:
    items = [workload(name, size) for size, name in enumerate("abcd", start=1)]
    assert len(list(runner.measure(items[:2], chains=True))) == 2
    assert runner.session is not None
    runner.session.kill()
    assert list(runner.measure(items, chains=True)) == []
    done, sizes = measure_all(runner, items)
    assert (set(done), sizes) == (set("abcd"), [1, 1, 1, 1])


@pytest.mark.parametrize("reasons", ["", "hw_thermal_slowdown gpu_idle"])
def test_measurement_of_a_device_carries_its_metric_and_says_if_it_was_throttled(
    gpu_target: Target,
    quick: Protocol,
    blocks: BlockSettings,
    workload: MakeWorkload,
    monkeypatch: pytest.MonkeyPatch,
    reasons: str,
) -> None:
    monkeypatch.setenv("STAGED_THROTTLE", reasons)
    with running(gpu_target, quick, blocks) as runner:
        done, _ = measure_all(runner, [workload("run")])
    measurement = done["run"].measurement
    assert measurement.metric == gpu_target.metric == "compute_time"
    assert measurement.wall_s == 0.002
    assert measurement.status("none") == ("unstable" if reasons else "ok")
    expected = "all rounds were disturbed: hw_thermal_slowdown" if reasons else None
    assert measurement.instability("none") == expected
