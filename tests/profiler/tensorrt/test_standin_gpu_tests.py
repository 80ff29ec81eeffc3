"""The tests that need a GPU, run on the simulated one: nothing in them should be tried first on real hardware.

What they find there means nothing; that they run, and use the device rightly, does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

LENGTHY = ("replay_is_no_slower", "metrics_contain", "closed_engines")
"""Tests that enqueue very often: cheap on a GPU, minutes on a simulated one."""


@pytest.mark.parametrize("simulation", [11], indirect=True)
def test_gpu_tests_of_tensorrt_run_on_the_simulated_gpu(simulation: Any, tmp_path: Path, root: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "HYCTAS_GPU_EVIDENCE": str(tmp_path / "gpu-evidence"),
        "CUDA_VISIBLE_DEVICES": "0",
    }
    chosen = " and ".join(f"not {name}" for name in LENGTHY)
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-k", chosen, "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "tests/gpu/test_tensorrt.py"], env=environment, cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    found = json.loads((tmp_path / "gpu-evidence.json").read_text())
    assert found["verdict"] == "passed"
    assert found["counts"]["passed"] >= 20
    assert sum(len(test["figures"]) for test in found["tests"]) >= 20
