"""Running and timing a module of PyTorch on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from profiler.runtimes.outputs import Output, all_finite

Launch = Callable[[], tuple[Any, ...]]
"""Enqueues one run, and returns the outputs that it writes."""


class TorchCudaEngine:
    """Times runs by events on the device.

    Args:
        launch: What is run.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._start, self._stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def run(self) -> None:
        """Run once, and wait for the result."""
        with torch.inference_mode():
            self._launch()
        torch.cuda.synchronize()

    def time_s(self, repeats: int) -> float:
        """Seconds of one run on the device: the mean of `repeats` back to back."""
        with torch.inference_mode():
            self._start.record()
            for _ in range(repeats):
                self._launch()
            self._stop.record()
        self._stop.synchronize()
        return float(self._start.elapsed_time(self._stop)) * 1e-3 / repeats

    def outputs(self) -> list[Output]:
        """Run once, and copy every output."""
        return _outputs(self._launch)

    def finite(self) -> bool:
        """Run once and check every output."""
        return all_finite(self.outputs())


class TorchHostTimedEngine:
    """Has no clock of its own: the host times a run until its result is there.

    Args:
        launch: What is run.
        inputs: Pairs of an input on the host and on the device, if a run is to copy inputs and outputs; else None.
    """

    def __init__(self, launch: Launch, inputs: Sequence[tuple[Any, Any]] | None) -> None:
        self._launch = launch
        self._copies = None if inputs is None else _Copies(inputs, launch)

    def run(self) -> None:
        """Run once, with or without copies, and wait for the result."""
        with torch.inference_mode():
            if self._copies is None:
                self._launch()
            else:
                self._copies.run()
        torch.cuda.synchronize()

    def outputs(self) -> list[Output]:
        """Run once, and copy every output."""
        return _outputs(self._launch)

    def finite(self) -> bool:
        """Run once and check every output."""
        return all_finite(self.outputs())


class _Copies:
    """Copies around a run, from and to page-locked memory: others would make the host wait for each."""

    def __init__(self, inputs: Sequence[tuple[Any, Any]], launch: Launch) -> None:
        self._launch = launch
        with torch.inference_mode():
            self._inputs = [(page_locked(host).copy_(host), device) for host, device in inputs]
            self._outputs = [page_locked(output) for output in launch()]

    def run(self) -> None:
        for host, device in self._inputs:
            device.copy_(host, non_blocking=True)
        for host, output in zip(self._outputs, self._launch(), strict=True):
            host.copy_(output, non_blocking=True)


def page_locked(tensor: Any) -> Any:
    """Page-locked host memory for a tensor like this one."""
    return torch.empty_like(tensor, device="cpu", pin_memory=True)


def _outputs(launch: Launch) -> list[Output]:
    with torch.inference_mode():
        return [output.cpu().contiguous().numpy() for output in launch()]
