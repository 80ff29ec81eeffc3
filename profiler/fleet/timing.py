"""How long a fleet waits for what."""

from __future__ import annotations

from dataclasses import dataclass

from hyctas.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class FleetTiming:
    """Limits and intervals of a worker, in seconds, and how often a job is tried.

    No two workers measure on one device at once because a worker stops measuring `lease_s` after the last renewal that
    it *sent* and heard answered, by its own monotonic clock, and nobody begins before `lost_after_s` have passed since
    that renewal *arrived*, by the clock of the database's server. The clocks of the hosts are never compared.

    Attributes:
        heartbeat_s: Between two signs of life to the queue, and between two checks of the connection.
        renew_s: Between two renewals of an attempt.
        lease_s: A worker whose renewals were not answered for so long ends its measuring process.
        lost_after_s: A worker that was silent for so long has lost its job to the next one.
        grace_s: How long a worker that is told to stop goes on with its job before it hands it back.
        poll_s: Between two tries at a device that another one holds.
        sweep_s: Between two looks for jobs whose workers are gone.
        reconnect_s: Longest wait before another try to reach the database.
        retry_s: Wait before a job is tried again that failed.
        newer_retry_s: Wait before a job is offered again that this version does not understand.
        max_failures: After so many attempts that failed or were lost, a job has failed.
        max_outages: After so many attempts that the database cut short, too.
    """

    heartbeat_s: float = 5.0
    renew_s: float = 2.0
    lease_s: float = 10.0
    lost_after_s: float = 30.0
    grace_s: float = 20.0
    poll_s: float = 1.0
    sweep_s: float = 5.0
    reconnect_s: float = 30.0
    retry_s: float = 5.0
    newer_retry_s: float = 60.0
    max_failures: int = 3
    max_outages: int = 20

    def __post_init__(self) -> None:
        """Refuse limits under which two workers could measure at once.

        Raises:
            InvalidInput: The lease is not shorter than the silence, or too short to be renewed.
        """
        if not self.renew_s * 2 <= self.lease_s <= self.lost_after_s / 2:
            allowed = (
                f"at least {2 * self.renew_s:g} (two renewals) and at most {self.lost_after_s / 2:g} (half the silence)"
            )
            raise InvalidInput("lease_s", self.lease_s, allowed)
        if self.heartbeat_s * 3 > self.lost_after_s:
            raise InvalidInput(
                "heartbeat_s", self.heartbeat_s, f"at most {self.lost_after_s / 3:g}, a third of the silence"
            )
