"""The stand-in for PyCUDA against PyCUDA's own source, which is fetched from the package index.

Its package is built from source with a CUDA toolkit, so what can be looked at everywhere is the wrapper in C++. Without
the index this is skipped, unless ``HYCTAS_REQUIRE_BINDINGS=1`` is set.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import platformdirs
import pytest

pytestmark = pytest.mark.slow

STAND_IN = Path(__file__).parents[2] / "standins" / "pycuda_package" / "pycuda" / "driver.py"
OWNERS_OF_FREE = {"HostAllocation": "PagelockedHostAllocation"}
"""Classes that the wrapper has under another name, and renames."""


def fetched() -> Path:
    """The archive of PyCUDA's source, kept once it was fetched."""
    folder = platformdirs.user_cache_path("hyctas", appauthor=False) / "bindings" / "pycuda"
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob("pycuda-*.tar.gz")):
        options = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--quiet", "--dest", str(folder)]
        command = [sys.executable, "-m", "pip", "download", *options, "pycuda>=2024.1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        if done.returncode:
            if os.environ.get("HYCTAS_REQUIRE_BINDINGS") == "1":
                raise AssertionError(done.stderr)
            pytest.skip(f"PyCUDA's source cannot be fetched: {done.stderr.strip().splitlines()[-1:]}")
    return next(folder.glob("pycuda-*.tar.gz"))


@pytest.fixture(scope="module")
def wrapper() -> str:
    """The source of PyCUDA's module ``_driver``."""
    with tarfile.open(fetched()) as archive:
        (member,) = (name for name in archive.getnames() if name.endswith("src/wrapper/wrap_cudadrv.cpp"))
        file = archive.extractfile(member)
        assert file is not None
        return file.read().decode()


def is_defined(wrapper: str, name: str) -> bool:
    """Whether the wrapper exports a class, an exception, a function, a method or a constant of that name."""
    forms = (
        rf'"{name}"',
        rf"DEF_SIMPLE_(?:METHOD|FUNCTION)\({name}\)",
        rf"DEF_SIMPLE_FUNCTION_WITH_ARGS\({name},",
        rf"DECLARE_EXC\({name},",
    )
    return any(re.search(form, wrapper) for form in forms)


def public_definitions() -> list[tuple[str, list[str]]]:
    """Names in the stand-in, with the names of their arguments."""
    found = []
    for node in ast.walk(ast.parse(STAND_IN.read_text())):
        if isinstance(node, ast.ClassDef):
            found.append((OWNERS_OF_FREE.get(node.name, node.name), []))
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            found.append((node.name, [a.arg for a in node.args.args if a.arg != "self"]))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            name = node.targets[0].id
            found += [] if name.startswith("_") else [(name, [])]
    return found


def test_everything_in_the_stand_in_is_in_pycuda(wrapper: str) -> None:
    missing = [name for name, _ in public_definitions() if not is_defined(wrapper, name)]
    assert missing == []


@pytest.mark.parametrize("function", ["memcpy_htod_async", "memcpy_dtoh_async", "memset_d8_async", "pagelocked_empty"])
def test_arguments_have_the_names_that_pycuda_gives_them(function: str, wrapper: str) -> None:
    arguments = dict(public_definitions())[function]
    definition = wrapper[wrapper.index(f'"{function}"') :].split(");", 1)[0]
    assert re.findall(r'"([a-z_0-9]+)"', definition)[1:] == arguments


def test_errors_carry_words_and_no_number(wrapper: str) -> None:
    """So the driver has to be asked for the number that belongs to the words."""
    assert "PyErr_SetString(CudaMemoryError.get(), err.what())" in wrapper
    assert "cuStreamBeginCapture" not in wrapper
