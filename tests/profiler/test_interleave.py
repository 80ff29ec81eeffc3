"""Interleaved rounds, with engines and a clock that only pretend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from hyctas.measurement import DeviceConditions, Protocol, Round
from hyctas.target import Target, parse_target
from profiler.interleave import DEVICE_WARM_UP_S, Interleaver, References
from profiler.stopping import StoppingRule

MS = 1_000_000
PROTOCOL = Protocol(min_rounds=4, max_rounds=6, samples_per_round=3)
TARGET, GPU = parse_target("bench/onnxruntime-fp32-t1"), parse_target("bench/tensorrt-fp16")


@dataclass
class FakeClock:
    """A clock that only engines move; the CPU has a share of each step."""

    wall: int = 0
    cpu: int = 0

    def wall_ns(self) -> int:
        return self.wall

    def cpu_ns(self) -> int:
        return self.cpu

    def frequency_hz(self) -> float | None:
        return 3e9


@dataclass
class FakeEngine:
    """Takes the given durations (nanoseconds), the last one for ever; notes its runs in a common log."""

    name: str
    clock: FakeClock
    log: list[str]
    durations: Sequence[int]
    share: float = 1.0
    runs: int = 0

    def run(self) -> None:
        duration = self.durations[min(self.runs, len(self.durations) - 1)]
        self.clock.wall += duration
        self.clock.cpu += round(duration * self.share)
        self.runs += 1
        self.log.append(self.name)


@dataclass
class FakeDevice(FakeEngine):
    """Times itself by a clock on which runs take `own_s`, while the host waits for their durations."""

    own_s: float = 0.002
    asked: list[int] = field(default_factory=list)

    def time_s(self, repeats: int) -> float:
        self.asked.append(repeats)
        for _ in range(repeats):
            self.run()
        return self.own_s


@dataclass
class Bench:
    """An interleaver with a clock, a log of all runs, and what it reported."""

    protocol: Protocol = PROTOCOL
    clock: FakeClock = field(default_factory=FakeClock)
    log: list[str] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    rounds: dict[int, tuple[Round, ...]] = field(default_factory=dict)
    target: Target = TARGET
    conditions: Callable[[], DeviceConditions] | None = None

    def engine(self, name: str, *durations: int, share: float = 1.0) -> FakeEngine:
        return FakeEngine(name, self.clock, self.log, durations, share)

    def measure(self, *engines: FakeEngine, seed: int = 0, reference_share: float = 1.0) -> Interleaver:
        compute, memory = self.engine("compute", 2 * MS), self.engine("memory", 4 * MS, share=reference_share)
        references = References(compute, memory)
        rule = StoppingRule(self.protocol, "compute", self.target)
        interleaver = Interleaver(rule, references, np.random.default_rng(seed), self.clock, self.conditions)
        interleaver.measure(engines, on_turn=self.turns.append, on_finished=self._finish)
        return interleaver

    def _finish(self, position: int, rounds: tuple[Round, ...]) -> None:
        assert position not in self.rounds
        self.rounds[position] = rounds


@pytest.fixture
def bench() -> Bench:
    return Bench()


def rounds_of_turns(turns: Sequence[int], engines: int) -> list[list[int]]:
    """The turns after the warm-up, cut into rounds of all engines."""
    later = list(turns[engines:])
    return [later[start : start + engines] for start in range(0, len(later), engines)]


def test_samples_and_references_are_what_was_timed(bench: Bench) -> None:
    bench.measure(bench.engine("a", 5 * MS))
    assert set(bench.rounds) == {0}
    assert bench.rounds[0] == (Round((0.005,) * 3, (0.002,) * 2, (0.004,) * 2, 1.0, 3e9),) * 4


def test_every_round_takes_every_engine_once_in_changing_order(bench: Bench) -> None:
    bench.measure(*(bench.engine(name, 5 * MS) for name in "abcde"))
    orders = rounds_of_turns(bench.turns, 5)
    assert [sorted(order) for order in orders] == [[0, 1, 2, 3, 4]] * 4
    assert len(set(map(tuple, orders))) > 1


def test_equal_seeds_give_equal_orders() -> None:
    benches = [Bench(), Bench(), Bench()]
    for bench, seed in zip(benches, (7, 7, 8), strict=True):
        bench.measure(*(bench.engine(name, 5 * MS) for name in "abcdef"), seed=seed)
    assert benches[0].turns == benches[1].turns != benches[2].turns


def test_each_turn_stands_between_references_and_begins_with_a_run_that_is_thrown_away(bench: Bench) -> None:
    bench.measure(bench.engine("a", 5 * MS), bench.engine("b", 5 * MS))
    measured = "".join({"compute": "c", "memory": "m"}.get(name, name) for name in bench.log)
    measured = measured[measured.index("m") :]
    turns = measured.removeprefix("mc").removesuffix("mc").split("mc")
    assert sorted(turns) == ["aaaa"] * 4 + ["bbbb"] * 4


def test_run_after_a_switch_is_no_sample(bench: Bench) -> None:
    cold_then_warm = [5 * MS] * 2 + [9 * MS, 5 * MS, 5 * MS, 5 * MS] * 4
    bench.measure(bench.engine("a", *cold_then_warm))
    assert all(round_.samples_s == (0.005,) * 3 for round_ in bench.rounds[0])


def test_sample_of_a_short_workload_is_the_mean_of_runs_that_last_a_millisecond(bench: Bench) -> None:
    engine = bench.engine("a", MS // 10)
    bench.measure(engine)
    assert bench.rounds[0][0].samples_s == pytest.approx((0.0001,) * 3)
    assert engine.runs == 2 + 4 * (1 + 3 * 10)


def test_long_workload_takes_fewer_samples_but_at_least_one(bench: Bench) -> None:
    bench.measure(bench.engine("a", 900 * MS), bench.engine("b", 9000 * MS))
    assert {len(round_.samples_s) for round_ in bench.rounds[0]} == {2}
    assert {len(round_.samples_s) for round_ in bench.rounds[1]} == {1}


def test_warm_up_lasts_until_two_runs_agree(bench: Bench) -> None:
    bench.measure(bench.engine("a", 90 * MS, 40 * MS, 10 * MS, 5 * MS, 5 * MS))
    assert bench.log[:6] == ["a"] * 5 + ["memory"]


def test_warm_up_of_what_never_settles_ends(bench: Bench) -> None:
    bench.measure(bench.engine("a", *[MS * (5 + 5 * (run % 2)) for run in range(200)]))
    assert bench.log.index("memory") == 11


def test_settled_engine_leaves_and_is_reported_while_others_go_on(bench: Bench) -> None:
    restless = [MS * (5 + run) for run in range(200)]
    bench.measure(bench.engine("calm", 5 * MS), bench.engine("restless", *restless))
    assert list(bench.rounds) == [0, 1]
    assert (len(bench.rounds[0]), len(bench.rounds[1])) == (PROTOCOL.min_rounds, PROTOCOL.max_rounds)
    assert bench.turns.count(0) == 1 + PROTOCOL.min_rounds


def test_budget_of_a_workload_ends_it_before_its_last_round() -> None:
    bench = Bench(Protocol(min_rounds=4, max_rounds=50, samples_per_round=1, budget_s=30.0))
    bench.measure(bench.engine("a", 5000 * MS))
    assert len(bench.rounds[0]) == 3


def test_cpu_share_is_that_of_the_samples(bench: Bench) -> None:
    bench.measure(bench.engine("a", 5 * MS, share=0.5))
    assert {round_.cpu_share for round_ in bench.rounds[0]} == {0.5}
    assert len(bench.rounds[0]) == PROTOCOL.max_rounds


def test_references_without_the_cpu_reject_a_round_too(bench: Bench) -> None:
    bench.measure(bench.engine("a", 5 * MS), reference_share=0.25)
    assert {round_.cpu_share for round_ in bench.rounds[0]} == {0.5}


def test_timed_seconds_are_those_of_all_runs(bench: Bench) -> None:
    interleaver = bench.measure(bench.engine("a", 5 * MS), bench.engine("b", 7 * MS))
    assert interleaver.timed_s == pytest.approx(bench.clock.wall * 1e-9)


def test_empty_block_times_nothing_of_note(bench: Bench) -> None:
    bench.measure()
    assert bench.rounds == {}


@pytest.fixture
def gpu() -> Bench:
    return Bench(target=GPU)


def test_engine_with_a_clock_of_its_own_is_timed_by_it(gpu: Bench) -> None:
    gpu.measure(FakeDevice("a", gpu.clock, gpu.log, [5 * MS], share=0.1, own_s=0.0002))
    assert {round_.samples_s for round_ in gpu.rounds[0]} == {(0.0002,) * 3}
    assert len(gpu.rounds[0]) == PROTOCOL.min_rounds
    assert {round_.cpu_share for round_ in gpu.rounds[0]} == {0.1}


def test_sample_of_a_device_lasts_a_millisecond_of_its_own_clock(gpu: Bench) -> None:
    engine = FakeDevice("a", gpu.clock, gpu.log, [MS], own_s=0.00004)
    gpu.measure(engine)
    assert engine.asked[0] == 1
    assert set(engine.asked[1:]) == {25}


def test_turn_on_a_device_throws_a_whole_sample_away(gpu: Bench) -> None:
    gpu.measure(FakeDevice("a", gpu.clock, gpu.log, [400 * MS], own_s=0.0005))
    measured = gpu.log[gpu.log.index("compute") + 1 :]
    assert measured[: measured.index("memory")] == ["a"] * 2 * (1 + PROTOCOL.samples_per_round)


def test_device_works_until_its_clock_is_up_once_a_block(gpu: Bench) -> None:
    first, second = (FakeDevice(name, gpu.clock, gpu.log, [5 * MS], own_s=0.005) for name in "ab")
    gpu.measure(first, second)
    before = gpu.log[: gpu.log.index("memory")]
    assert before.count("a") == DEVICE_WARM_UP_S / 0.005
    assert before.count("b") == 2


def test_device_timed_by_the_host_warms_up_alike(gpu: Bench) -> None:
    gpu.measure(gpu.engine("a", 5 * MS))
    assert gpu.log.index("memory") == DEVICE_WARM_UP_S / 0.005
    assert {round_.samples_s for round_ in gpu.rounds[0]} == {(0.005,) * 3}


def test_clock_that_shows_nothing_does_not_ask_for_endless_repeats(gpu: Bench) -> None:
    engine = FakeDevice("a", gpu.clock, gpu.log, [MS], own_s=0.0)
    gpu.measure(engine)
    assert max(engine.asked) == 10_000
    assert len(gpu.rounds[0]) == PROTOCOL.max_rounds


def test_conditions_are_read_beside_every_group(gpu: Bench) -> None:
    temperatures = iter(range(40, 100))
    gpu.conditions = lambda: DeviceConditions(temperature_c=next(temperatures))
    gpu.measure(FakeDevice("a", gpu.clock, gpu.log, [5 * MS]))
    read = [round_.conditions and round_.conditions.temperature_c for round_ in gpu.rounds[0]]
    assert read == [40, 41, 42, 43]


def test_throttled_rounds_are_measured_again_and_kept(gpu: Bench) -> None:
    hot = DeviceConditions(throttle_reasons=("sw_thermal_slowdown",))
    states = iter([hot, hot, *[DeviceConditions()] * 9])
    gpu.conditions = lambda: next(states)
    gpu.measure(FakeDevice("a", gpu.clock, gpu.log, [5 * MS]))
    assert [round_.conditions == hot for round_ in gpu.rounds[0]] == [True, True, False, False, False, False]


def test_device_that_is_always_throttled_ends_after_the_last_round(gpu: Bench) -> None:
    gpu.conditions = lambda: DeviceConditions(throttle_reasons=("hw_power_brake",))
    gpu.measure(FakeDevice("a", gpu.clock, gpu.log, [5 * MS]))
    assert len(gpu.rounds[0]) == PROTOCOL.max_rounds
