"""NVIDIA's bindings of TensorRT and CUDA from the package index: fetched once, unpacked, never in the repository."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import platformdirs
from empty_library import machine_is_known, write_library

REQUIREMENTS: Final = {
    "tensorrt10": ("tensorrt-cu12-bindings==10.13.*",),
    "tensorrt11": ("tensorrt-cu13-bindings==11.4.*",),
    "cuda12": ("cuda-bindings>=12.9,<13", "cuda-pathfinder>=1,<2"),
    "cuda13": ("cuda-bindings>=13,<14", "cuda-pathfinder>=1,<2"),
}
_FUNCTIONS: Final = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)
"""What the bindings of both versions look for in TensorRT's libraries."""
_LIBRARIES: Final = ("nvinfer", "nvinfer_plugin", "nvonnxparser")
_LIMIT_S: Final = 240.0


class NotFetched(Exception):
    """The bindings are not to be had here; says why."""


def fetch(name: str) -> dict[str, str]:
    """Environment variables under which the bindings `name`, a key of :data:`REQUIREMENTS`, import.

    Raises:
        NotFetched: The package index cannot be reached or has no wheel for this Python, or the processor is unknown.
    """
    if not machine_is_known() or sys.platform != "linux":
        raise NotFetched("the bindings of NVIDIA are checked on Linux, on x86-64 and AArch64")
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    folder = platformdirs.user_cache_path("hyctas", appauthor=False) / "bindings" / f"{name}-{version}"
    if not (folder / "done").exists():
        _download(folder, REQUIREMENTS[name])
    libraries = folder / "libraries"
    if name.startswith("tensorrt"):
        libraries.mkdir(exist_ok=True)
        for library in _LIBRARIES:
            write_library(libraries / f"lib{library}.so.{name.removeprefix('tensorrt')}", _FUNCTIONS)
    return {"PYTHONPATH": str(folder / "unpacked"), "LD_LIBRARY_PATH": str(libraries)}


def _download(folder: Path, requirements: tuple[str, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(folder)]
    try:
        done = subprocess.run(
            [*command, *requirements], capture_output=True, text=True, timeout=_LIMIT_S, env={**os.environ}
        )
    except subprocess.TimeoutExpired as error:
        raise NotFetched(f"the package index did not answer within {_LIMIT_S:g} s") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise NotFetched(f"{', '.join(requirements)}: {last}")
    for wheel in _wheels(folder):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "unpacked")
    (folder / "done").touch()


def _wheels(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*.whl"))
