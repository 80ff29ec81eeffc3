"""What is due, and the canaries that are chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hyctas.architecture import ArchitectureDefaults
from hyctas.parts import Part
from profiler.nightly.canaries import canary_name, choose_canaries
from profiler.nightly.work import Known, changed, work_of
from profiler.plan import PlannedWorkload
from profiler.versions import firmware, own_version

NOW = {"hyctas": "2", "onnxruntime": "1.27", "microcode": "0x1", "load": "0.3"}
EVERYTHING = ("runtime", "driver", "firmware", "hyctas")


def test_plan_is_sorted_by_what_is_known(workload: Callable[..., PlannedWorkload]) -> None:
    plan = [workload("a", size) for size in range(1, 7)]
    missing, good, old, shaky, failed, unknown = plan
    known = {
        good.key: Known("ok", NOW),
        old.key: Known("ok", {**NOW, "onnxruntime": "1.26"}),
        shaky.key: Known("unstable", {}),
        failed.key: Known("failed", {}),
        unknown.key: Known("ok", {"load": "9"}),
    }
    work = work_of(plan, known, NOW, EVERYTHING)
    assert (work.missing, work.stale, work.unstable) == ((missing,), (old,), (shaky,))
    assert work_of(plan, known, NOW, ("hyctas",)).stale == ()
    assert list(work.by_reason()) == ["missing", "stale", "unstable"]


def test_changes_are_told_by_name() -> None:
    before = {**NOW, "hyctas": "1", "microcode": "0x0", "gpu driver": "535"}
    assert changed(before, NOW, EVERYTHING) == {"microcode": ("0x0", "0x1"), "hyctas": ("1", "2")}
    assert changed(before, NOW, ("driver",)) == {}
    assert changed({}, NOW, EVERYTHING) == {}


def test_canaries_are_of_many_kinds_and_always_the_same() -> None:
    settings = ArchitectureDefaults(height=64, width=128, base_channels=4)
    chosen = choose_canaries(settings, operators=8, networks=2)
    assert len(chosen) == 10
    assert len({planned.key for planned in chosen}) == 10
    kinds = [planned.source.kind for planned in chosen if isinstance(planned.source, Part)]
    assert len(set(kinds)) == 8
    again = choose_canaries(settings, operators=8, networks=2)
    assert [canary_name(planned) for planned in again] == [canary_name(planned) for planned in chosen]
    assert [canary_name(planned)[:8] for planned in chosen[8:]] == ["network "] * 2
    many = choose_canaries(settings, operators=10_000, networks=0)
    assert len({planned.key for planned in many}) == len(many) > 20


def test_firmware_is_read_where_it_may_be(tmp_path: Path) -> None:
    cpuinfo, bios = tmp_path / "cpuinfo", tmp_path / "bios"
    cpuinfo.write_text("processor\t: 0\nmicrocode\t: 0x830107a\n\nprocessor\t: 1\n")
    bios.write_text("F12\n")
    assert firmware(cpuinfo, bios) == {"microcode": "0x830107a", "bios": "F12"}
    assert firmware(tmp_path / "none", tmp_path / "none") == {}
    assert set(own_version()) == {"hyctas"}
