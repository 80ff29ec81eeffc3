"""Progress of long work: lines with the time left where no terminal shows a bar."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from search import progress
from search.progress import LINE_EVERY_S, StepBars, progress_display


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    monkeypatch.setattr(progress, "time", moved)
    return moved


def bars(*, terminal: bool = False) -> tuple[StepBars, io.StringIO]:
    shown = io.StringIO()
    console = Console(file=shown, width=200)
    return StepBars(Progress(console=console, disable=True), console, terminal), shown


def test_line_says_how_far_it_is_and_how_long_it_takes_still(clock: Clock) -> None:
    steps, shown = bars()
    steps.phase("scoring", 10)
    for _ in range(4):
        clock.now_s += LINE_EVERY_S / 2
        steps.step()
    assert shown.getvalue().splitlines() == [
        "  scoring: 2 of 10, about 60 s left",
        "  scoring: 4 of 10, about 45 s left",
    ]


def test_steps_that_were_done_before_do_not_count_as_fast(clock: Clock) -> None:
    steps, shown = bars()
    steps.training(100, 90)
    clock.now_s += LINE_EVERY_S
    steps.trained(2.0)
    assert shown.getvalue() == "  training: 91 of 100, about 135 s left loss 2.000\n"


def test_loss_is_smoothed(clock: Clock) -> None:
    steps, shown = bars()
    steps.training(10, 0)
    steps.trained(2.0)
    clock.now_s += LINE_EVERY_S
    steps.trained(1.0)
    assert "loss 1.950" in shown.getvalue()


def test_nothing_is_said_soon_or_after_the_last_step_or_on_a_terminal(clock: Clock) -> None:
    for terminal, wait_s, total in ((False, LINE_EVERY_S / 2, 10), (False, LINE_EVERY_S, 1), (True, LINE_EVERY_S, 10)):
        steps, shown = bars(terminal=terminal)
        steps.phase("scoring", total)
        clock.now_s += wait_s
        steps.step()
        assert shown.getvalue() == ""


def test_finished_training_has_no_phase() -> None:
    steps, _ = bars()
    steps.training(10, 10)
    assert steps.bars.tasks == []


def test_display_writes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_display() as display:
        StepBars(*display).say("[a line]")
    assert capsys.readouterr() == ("", "[a line]\n")
