"""What a measurement reads from the machine: wall time, CPU time, and the core's clock where it can be read."""

from __future__ import annotations

import time
from typing import Final, Protocol

FREQUENCY_FILE: Final = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"


class Clock(Protocol):
    """Wall time, CPU time and, where it can be read, the core's clock."""

    def wall_ns(self) -> int:
        """Monotonic wall time."""

    def cpu_ns(self) -> int:
        """CPU time of this process, all threads."""

    def frequency_hz(self) -> float | None:
        """Clock of the core, or None."""


class SystemClock:
    """The clocks of the machine."""

    def wall_ns(self) -> int:
        """Monotonic wall time."""
        return time.perf_counter_ns()

    def cpu_ns(self) -> int:
        """CPU time of this process, all threads."""
        return time.process_time_ns()

    def frequency_hz(self) -> float | None:
        """Clock of the first core from cpufreq; None in most virtual machines."""
        try:
            with open(FREQUENCY_FILE) as file:
                return float(file.read()) * 1e3
        except (OSError, ValueError):
            return None
