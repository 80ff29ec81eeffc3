"""Limits, giving up, addresses and locks of a host: what a fleet decides without a database."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hyctas.errors import InvalidInput, MeasuringError, StorageError
from hyctas.job import AttemptOutcome, JobAttempt
from profiler.cli.worker import sign_of_life
from profiler.fleet.address import fleet_url, without_password
from profiler.fleet.device import HeldDevice
from profiler.fleet.giving_up import verdict
from profiler.fleet.host_lock import HostLock, lock_folder
from profiler.fleet.threads import in_thread
from profiler.fleet.timing import FleetTiming

NOW = datetime(2026, 1, 31, tzinfo=UTC)
TIMING = FleetTiming(max_failures=3, max_outages=4)


def attempts(*outcomes: AttemptOutcome | None) -> Sequence[JobAttempt]:
    return [
        JobAttempt(n, "j", n, "d", "w", NOW, NOW, outcome and NOW, outcome, f"reason {n % 2}")
        for n, outcome in enumerate(outcomes, 1)
    ]


@pytest.mark.parametrize("lease_s", [0.1, 3.9, 15.1, 40.0])
def test_lease_that_does_not_end_before_the_job_is_lost_is_refused(lease_s: float) -> None:
    with pytest.raises(InvalidInput, match="lease_s"):
        FleetTiming(lease_s=lease_s)


def test_rare_heartbeats_are_refused() -> None:
    with pytest.raises(InvalidInput, match="heartbeat_s"):
        FleetTiming(heartbeat_s=11.0)


def test_job_is_given_up_for_what_it_does_not_for_what_is_done_to_it() -> None:
    assert verdict(attempts(), TIMING) is None
    assert verdict(attempts("failed", "lost", *["handed_back"] * 50, "outage", None), TIMING) is None
    given_up = verdict(attempts("failed", "lost", "failed"), TIMING)
    assert given_up is not None and given_up.status == "failed"
    assert given_up.reason == "given up after 3 attempts: reason 1; reason 0"
    brought_down = verdict(attempts(*["outage"] * 4), TIMING)
    assert brought_down is not None and "4 outages of the database" in brought_down.reason


def test_address_notices_cuts_and_keeps_what_it_says_itself() -> None:
    url = fleet_url("postgresql+psycopg://me:secret@host:5433/db?connect_timeout=3&sslmode=require")
    assert url.startswith("postgresql://me:secret@host:5433/db?")
    assert "connect_timeout=3" in url and "sslmode=require" in url and "tcp_user_timeout=10000" in url
    assert fleet_url("postgresql://me@/db?host=/run/pg").startswith("postgresql://me@/db?")
    assert "host=/run/pg" in fleet_url("postgresql://me@/db?host=/run/pg")
    assert fleet_url(url) == url


def test_other_databases_are_refused_without_their_password() -> None:
    with pytest.raises(InvalidInput, match="one machine needs none"):
        fleet_url("sqlite:///hyctas.db")
    with pytest.raises(InvalidInput) as refused:
        fleet_url("mysql://me:secret@host/db?password=secret")
    assert "secret" not in str(refused.value)
    assert without_password("postgresql://me:secret@host/db?password=x") == "postgresql://host/db"


def test_lock_excludes_another_and_can_be_taken_again(tmp_path: Path) -> None:
    first, second = HostLock(tmp_path / "locks", "device-a/b"), HostLock(tmp_path / "locks", "device-a/b")
    assert first.take() and not second.take()
    assert second.holder() == str(os.getpid())
    first.release()
    assert second.take()
    second.close()
    assert first.take()
    first.close()


def test_lock_stays_taken_while_a_child_has_it(tmp_path: Path) -> None:
    lock, other = HostLock(tmp_path, "d"), HostLock(tmp_path, "d")
    assert lock.take()
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[lock.descriptor]) as child:
        lock.close()
        assert not other.take()
        child.kill()
    assert other.take()
    other.close()


def test_lock_whose_file_was_removed_is_no_lock(tmp_path: Path) -> None:
    lock = HostLock(tmp_path, "d")
    lock.file.unlink()
    with pytest.raises(MeasuringError, match="was removed"):
        lock.take()
    lock.close()


def test_folder_of_locks_is_the_same_for_all_unless_it_is_set() -> None:
    assert lock_folder({"HYCTAS_LOCKS": "/run/hyctas"}) == Path("/run/hyctas")
    assert lock_folder({}).name == "hyctas-locks"


def test_sign_of_life_needs_a_folder(tmp_path: Path) -> None:
    assert sign_of_life({}) is None and sign_of_life({"HYCTAS_SIGN_OF_LIFE": ""}) is None
    assert sign_of_life({"HYCTAS_SIGN_OF_LIFE": str(tmp_path / "alive")}) == tmp_path / "alive"
    with pytest.raises(InvalidInput, match="HYCTAS_SIGN_OF_LIFE"):
        sign_of_life({"HYCTAS_SIGN_OF_LIFE": str(tmp_path / "nowhere" / "alive")})


class ScriptedHold:
    """Renews as the script says."""

    def __init__(self, *answers: bool | Exception | float) -> None:
        self.answers = list(answers)

    def take(self, *, lost_after_s: float) -> bool:
        return True

    def renew(self, attempt_id: int) -> bool:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, bool):
            return answer
        threading.Event().wait(answer)
        return True

    def close(self) -> None:
        pass


QUICK = FleetTiming(heartbeat_s=0.1, renew_s=0.01, lease_s=0.2, lost_after_s=1.0)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((True, True, False), "another worker has taken the job over"),
        ((True, StorageError("cut")), "cut"),
        ((True, 60.0), "did not answer for 0.2 s"),
    ],
)
async def test_device_is_given_up_when_its_renewal_fails(
    answers: tuple[bool | Exception | float, ...], reason: str
) -> None:
    loop = asyncio.get_running_loop()
    held = HeldDevice(attempts(None)[0], ScriptedHold(*answers), QUICK, asked_s=loop.time(), monotonic_s=loop.time)
    deadlines: list[float] = []
    assert reason in await held.keep(deadlines.append)
    assert len(deadlines) == answers.count(True) and deadlines == sorted(deadlines)
    assert all(deadline - held.deadline_s <= 0 for deadline in deadlines)


async def test_worker_that_was_suspended_gives_the_device_up() -> None:
    now_s = 100.0
    held = HeldDevice(attempts(None)[0], ScriptedHold(), QUICK, asked_s=100.0, monotonic_s=lambda: now_s)
    now_s += QUICK.lease_s
    assert "was not running" in await held.keep(lambda deadline_s: None)


async def test_call_that_hangs_does_not_hold_its_caller() -> None:
    hangs = threading.Event()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(in_thread(lambda: hangs.wait(60)), 0.05)
    hangs.set()


async def test_what_a_call_returns_too_late_is_closed() -> None:
    class Closable:
        closed = threading.Event()

        def close(self) -> None:
            self.closed.set()

    go_on, thing = threading.Event(), Closable()

    def open_late() -> Closable:
        go_on.wait(60)
        return thing

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(in_thread(open_late), 0.05)
    go_on.set()
    assert await in_thread(lambda: thing.closed.wait(10))


async def test_error_of_a_call_reaches_its_caller() -> None:
    def fail() -> None:
        raise StorageError("no")

    with pytest.raises(StorageError, match="no"):
        await in_thread(fail)
