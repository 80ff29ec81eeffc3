"""The files of ``docker/``, read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.images.context import BuildContext
from benchmarks.images.dockerfile import Stage, read_dockerfile


@pytest.fixture(scope="session")
def docker(root: Path) -> Path:
    """The folder."""
    return root / "docker"


@pytest.fixture(scope="session")
def stages(docker: Path) -> Mapping[str, Stage]:
    """The stages of the Dockerfile."""
    return read_dockerfile(docker / "Dockerfile")


@pytest.fixture(scope="session")
def context(root: Path, docker: Path) -> BuildContext:
    """What the Dockerfile copies from."""
    return BuildContext.of(root, docker / "Dockerfile.dockerignore")


@pytest.fixture(scope="session")
def compose(docker: Path) -> Mapping[str, Any]:
    """The compose file."""
    found: Mapping[str, Any] = yaml.safe_load((docker / "compose.yaml").read_text())
    return found
