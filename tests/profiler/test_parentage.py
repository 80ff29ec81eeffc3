from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which process is the parent for certain")
def test_child_of_another_parent_ends_before_it_imports_anything(root: Path) -> None:
    command = [sys.executable, "-m", "profiler.parentage", "no_such_module", str(os.getppid())]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "the parent is gone\n")


def test_child_of_this_parent_runs_the_module(root: Path) -> None:
    command = [sys.executable, "-m", "profiler.parentage", "no_such_module", str(os.getpid())]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert "No module named 'no_such_module'" in done.stderr
