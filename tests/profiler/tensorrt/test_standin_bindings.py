"""The stand-ins, and the uses in our code, against NVIDIA's own bindings of both versions.

The bindings are fetched from the package index. Without it these tests are skipped, unless
``HYCTAS_REQUIRE_BINDINGS=1`` is set.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

STANDINS = Path(__file__).parents[2] / "standins"
PRODUCT = Path(__file__).parents[3] / "profiler" / "runtimes" / "tensorrt"
GONE_IN_11 = (
    "Builder.platform_has_fast_fp16",
    "BuilderFlag.BF16",
    "BuilderFlag.FP16",
    "BuilderFlag.INT8",
    "BuilderFlag.OBEY_PRECISION_CONSTRAINTS",
    "IBuilderConfig.int8_calibrator",
    "IBuilderConfig.set_quantization_flag",
    "ICudaEngine.device_memory_size",
    "IInt8EntropyCalibrator2",
    "ILayer.precision",
    "ITensor.set_dynamic_range",
    "NetworkDefinitionCreationFlag.EXPLICIT_BATCH",
    "TacticSource.CUBLAS",
)
CLASSES_OF_VARIABLES = {
    "builder": "Builder",
    "config": "IBuilderConfig",
    "context": "IExecutionContext",
    "_context": "IExecutionContext",
    "engine": "ICudaEngine",
    "_engine": "ICudaEngine",
    "inspector": "EngineInspector",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
}
"""What a variable of our code holds, by its name, where it is an object of TensorRT's."""
RTX_ONLY = {
    "ComputeCapability",
    "IBuilderConfig.num_compute_capabilities",
    "IBuilderConfig.set_compute_capability",
}
"""What TensorRT-RTX alone has; our code asks for it only there."""


def surface_of(kind: str, variables: dict[str, str]) -> dict[str, Any]:
    """What ``surface.py`` prints about a module, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-P", str(STANDINS / "bindings" / "surface.py"), kind],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def wheels() -> Iterator[Any]:
    """The module that fetches bindings."""
    sys.path.insert(0, str(STANDINS / "bindings"))
    yield import_module("nvidia_wheels")
    sys.path.remove(str(STANDINS / "bindings"))


def real_surface(wheels: Any, name: str) -> dict[str, Any]:
    """The surface of NVIDIA's bindings."""
    try:
        variables = wheels.fetch(name)
    except wheels.NotFetched as error:
        if os.environ.get("HYCTAS_REQUIRE_BINDINGS") == "1":
            raise
        pytest.skip(f"NVIDIA's bindings cannot be fetched: {error}")
    return surface_of("real-cuda" if name.startswith("cuda") else "real-tensorrt", variables)


@pytest.fixture(scope="module")
def real10(wheels: Any) -> dict[str, Any]:
    """The bindings of TensorRT 10."""
    return real_surface(wheels, "tensorrt10")


@pytest.fixture(scope="module")
def real11(wheels: Any) -> dict[str, Any]:
    """The bindings of TensorRT 11."""
    return real_surface(wheels, "tensorrt11")


@pytest.fixture(scope="module", params=["cuda12", "cuda13"])
def real_cuda(wheels: Any, request: pytest.FixtureRequest) -> dict[str, Any]:
    """``cuda.bindings.runtime`` of both major versions."""
    return real_surface(wheels, request.param)


def standin_surface(kind: str, version: int) -> dict[str, Any]:
    """The surface of a stand-in."""
    folders = (f"tensorrt{version}", "cuda_bindings", "shared")
    return surface_of(kind, {"PYTHONPATH": os.pathsep.join(str(STANDINS / folder) for folder in folders)})


def has(surface: dict[str, Any], dotted: str) -> bool:
    """Whether a surface has a name such as ``BuilderFlag.FP16`` or ``ILogger.Severity.WARNING``."""
    name, _, rest = dotted.partition(".")
    found = surface.get(name)
    if found is None or not rest:
        return found is not None
    member, _, inner = rest.partition(".")
    if inner:
        return inner in found.get("nested", {}).get(member, {})
    return any(member in found.get(kind, {}) for kind in ("members", "methods", "properties", "nested"))


def differences(standin: dict[str, Any], real: dict[str, Any], *, whole_enumerations: bool) -> list[str]:
    """Where a stand-in offers what the real module does not."""
    found: list[str] = []
    for name, ours in standin.items():
        theirs = real.get(name)
        if theirs is None:
            found.append(f"{name} does not exist")
        elif ours["kind"] == "enumeration":
            found.extend(_enumeration(name, ours, theirs, whole=whole_enumerations))
        elif ours["kind"] == "class":
            found.extend(_class(name, ours, theirs))
        elif ours["kind"] == "function":
            found.extend(_function(name, ours["signatures"], theirs.get("signatures")))
        elif ours["value"] != theirs.get("value"):
            found.append(f"{name} is {ours['value']}, really {theirs.get('value')}")
    return found


def _enumeration(name: str, ours: dict[str, Any], theirs: dict[str, Any], *, whole: bool) -> Iterator[str]:
    wanted = theirs["members"] if whole else {m: v for m, v in theirs["members"].items() if m in ours["members"]}
    if ours["members"] != wanted:
        yield f"{name}: {sorted(set(ours['members'].items()) ^ set(wanted.items()))}"
    if ours["ordered"] != theirs["ordered"]:
        yield f"{name}: members {'do not ' if ours['ordered'] else ''}compare"


def _class(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
    for member, signatures in ours["methods"].items():
        if member not in theirs.get("methods", {}):
            if member != "__init__":
                yield f"{name}.{member} is no method"
        elif signatures is not None:
            yield from _function(f"{name}.{member}", signatures, theirs["methods"][member])
    for member, writable in ours["properties"].items():
        if member not in theirs.get("properties", {}):
            yield f"{name}.{member} is no property"
        elif writable and not theirs["properties"][member]:
            yield f"{name}.{member} cannot be set"
    for member, values in ours["nested"].items():
        if values != theirs["nested"].get(member):
            yield f"{name}.{member} differs"


def _function(name: str, ours: Any, theirs: Any) -> Iterator[str]:
    if theirs is None:
        if not name.endswith("__init__"):
            yield f"{name}: has no signature to compare with {ours}"
    elif not all(any(_fits(form, overload) for overload in theirs) for form in _forms(ours[0], theirs)):
        yield f"{name}: {ours}, really {theirs}"


def _forms(ours: dict[str, Any], theirs: Any) -> list[dict[str, Any]]:
    """A signature of ours; one with defaults may stand for overloads without them."""
    if any(_fits(ours, overload) for overload in theirs):
        return [ours]
    required = sum(not default for _, default, _ in ours["parameters"])
    plain = [[name, False, kind] for name, _, kind in ours["parameters"]]
    return [{**ours, "parameters": plain[:count]} for count in range(required, len(plain) + 1)]


def _fits(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether parameters have the same names and defaults, and types where both tell one."""
    if len(ours["parameters"]) != len(theirs["parameters"]):
        return False
    for (name, default, kind), (real_name, real_default, real_kind) in zip(
        ours["parameters"], theirs["parameters"], strict=True
    ):
        if (name, default) != (real_name, real_default) or not _same(kind, real_kind):
            return False
    return _same(ours["returned"], theirs["returned"])


def _same(kind: str, real_kind: str) -> bool:
    return "any" in (kind, real_kind) or kind == real_kind


def test_standin_for_tensorrt_10_has_what_the_real_one_has(real10: dict[str, Any]) -> None:
    assert differences(standin_surface("standin-tensorrt", 10), real10, whole_enumerations=True) == []


def test_standin_for_tensorrt_11_has_what_the_real_one_has(real11: dict[str, Any]) -> None:
    assert differences(standin_surface("standin-tensorrt", 11), real11, whole_enumerations=True) == []


def test_standin_for_cuda_has_what_the_real_one_has(real_cuda: dict[str, Any]) -> None:
    assert differences(standin_surface("standin-cuda", 11), real_cuda, whole_enumerations=False) == []


def test_differences_are_found(real10: dict[str, Any], real11: dict[str, Any]) -> None:
    found = "\n".join(differences(standin_surface("standin-tensorrt", 10), real11, whole_enumerations=True))
    for gone in ("BuilderFlag:", "('FP16', 0)", "EXPLICIT_BATCH", "ICudaEngine.device_memory_size is no property"):
        assert gone in found


@pytest.mark.parametrize("name", GONE_IN_11)
def test_what_is_said_to_be_gone_in_11_is(name: str, real10: dict[str, Any], real11: dict[str, Any]) -> None:
    assert has(real10, name)
    assert not has(real11, name)


def uses_of_tensorrt(source: str) -> Iterator[str]:
    """Dotted names of TensorRT: those after ``trt.`` or ``.module.``, and attributes of variables with its objects."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute):
            continue
        names = [node.attr]
        value = node.value
        while isinstance(value, ast.Attribute) and value.attr != "module":
            names.insert(0, value.attr)
            value = value.value
        root = value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else ""
        if root in ("trt", "module"):
            yield ".".join(names)
        held = names[-2] if len(names) > 1 else root
        if held in CLASSES_OF_VARIABLES:
            yield f"{CLASSES_OF_VARIABLES[held]}.{names[-1]}"


def test_uses_are_found() -> None:
    source = "def f(self, config):\n    trt = self.library.module\n    config.set_flag(trt.BuilderFlag.TF32)\n"
    assert {"BuilderFlag.TF32", "IBuilderConfig.set_flag"} <= set(uses_of_tensorrt(source))


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(PRODUCT.glob("*.py")) if not path.stem.startswith("cuda")],
    ids=lambda path: path.stem,
)
def test_what_our_code_uses_exists_in_both_versions(path: Path, real10: dict[str, Any], real11: dict[str, Any]) -> None:
    names = {name.removesuffix(".__members__") for name in uses_of_tensorrt(path.read_text())}
    names.discard("__version__")
    missing = {
        f"{name} ({version})"
        for name in names
        if not any(name == allowed or name.startswith(f"{allowed}.") for allowed in RTX_ONLY)
        for version, real in ((10, real10), (11, real11))
        if not has(real, name)
    }
    assert missing == set()


def test_flags_that_our_code_sets_by_name_exist_where_it_sets_them(real10: dict[str, Any]) -> None:
    building = import_module("profiler.runtimes.tensorrt.building")
    for flag in building._FLAGS_OF_10.values():
        assert has(real10, f"BuilderFlag.{flag}")


def test_calls_of_cuda_in_our_code_exist(real_cuda: dict[str, Any]) -> None:
    tree = ast.parse((PRODUCT / "cuda_python.py").read_text())
    names = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "runtime"
    }
    assert {"cudaMalloc", "cudaGraphLaunch"} <= names
    assert [name for name in sorted(names) if name not in real_cuda] == []
