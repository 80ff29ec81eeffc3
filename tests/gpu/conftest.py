"""GPU tests: skipped where there is no GPU, and recorded where ``make test-gpu`` asks for evidence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.gpu.presence import missing_gpu
from tests.gpu.recording import EVIDENCE_VARIABLE, EvidencePlugin, FigureRecorder


def pytest_configure(config: pytest.Config) -> None:
    """Record, if a file for it is named."""
    stem = os.environ.get(EVIDENCE_VARIABLE)
    if stem:
        config.pluginmanager.register(EvidencePlugin(Path(stem), config.rootpath), "gpu-evidence")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none."""
    if item.get_closest_marker("gpu") is not None and (reason := missing_gpu()) is not None:
        pytest.skip(f"no GPU here: {reason}")


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> FigureRecorder:
    """Records figures: ``evidence.record("latency of the stem", 0.41, "ms")``."""
    return FigureRecorder(request.node)
