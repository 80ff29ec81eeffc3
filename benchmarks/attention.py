"""Efficient against released attention under ONNX Runtime: time and extra memory of one ``sa`` cell.

    python -m benchmarks.attention --height 1024 --width 2048

Each form runs in a process of its own (peak memory is a property of a process), one thread. The two processes
take turns, so that both see the same machine; the released form needs about 9 GB at the default size.
Extra memory is the process's peak resident size over what it was before the session was created.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from statistics import median
from typing import Final

FORMS: Final = ("efficient", "released")
STEM_STRIDE: Final = 8


def main() -> None:
    """Run both forms in turn and print a table with their ratio."""
    options = _options()
    if options.form:
        _serve(options.form, options.height, options.width, options.channels)
        return
    arguments = [f"--{name}={getattr(options, name)}" for name in ("height", "width", "channels")]
    workers = {form: _Worker(form, arguments) for form in FORMS}
    for _ in range(options.rounds):
        for worker in workers.values():
            worker.run()
    print(f"sa cell, {options.channels} channels, stride {STEM_STRIDE} of {options.height}x{options.width}, one thread")
    print(f"{'form':<10} {'median':>12} {'extra memory':>14}")
    for form, worker in workers.items():
        print(f"{form:<10} {median(worker.samples_s) * 1e3:>9.1f} ms {worker.close() / 2**20:>10.0f} MiB")
    ratios = [slow / fast for fast, slow in zip(*(workers[form].samples_s for form in FORMS), strict=True)]
    print(f"released / efficient: {median(ratios):.1f} (from {min(ratios):.1f} to {max(ratios):.1f})")


class _Worker:
    """A process that holds one form and runs it on request."""

    def __init__(self, form: str, arguments: list[str]) -> None:
        command = [sys.executable, "-m", "benchmarks.attention", f"--form={form}", *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.samples_s: list[float] = []

    def run(self) -> None:
        self.samples_s.append(float(self._ask("run")))

    def close(self) -> int:
        """End the process and return its extra memory in bytes."""
        extra = int(self._ask("memory"))
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        return extra

    def _ask(self, request: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(request + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"the process of this form ended with status {self._process.wait()}; is memory short?")
        return answer


def _serve(form: str, height: int, width: int, channels: int) -> None:
    import numpy as np
    import onnxruntime as ort

    from hyctas.lowering import lower_part
    from hyctas.onnx_form import to_onnx_bytes
    from hyctas.parts import Part
    from hyctas.weights import seeded_weights

    part = Part("sa", height // STEM_STRIDE, width // STEM_STRIDE, (channels,), channels, attention=form)
    graph = lower_part(part)
    model = to_onnx_bytes(graph, seeded_weights(graph, seed=0))
    feed = np.random.default_rng(0).standard_normal(graph.inputs[0].shape, dtype=np.float32)
    before = _resident_bytes()
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = 1
    session = ort.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    for request in sys.stdin:
        if request.strip() == "memory":
            answer = str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)
        else:
            start = time.perf_counter_ns()
            session.run(None, {graph.inputs[0].name: feed})
            answer = repr((time.perf_counter_ns() - start) * 1e-9)
        print(answer, flush=True)


def _resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=1024)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--channels", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
