"""Every module imports where the heavy and optional packages are missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "torch",
    "tensorrt",
    "cuda",
    "pycuda",
    "openvino",
    "xgboost",
    "onnxruntime",
    "matplotlib",
    "pymoo",
    "PIL",
    "dask",
    "distributed",
    "sklearn",
    "psycopg",
    "psycopg_pool",
    "procrastinate",
)
PACKAGES = ("hyctas", "profiler", "db", "predictor", "api", "search")
NEEDS_HEAVY = {
    "hyctas.torch_form",
    "profiler.fleet.queue",
    "profiler.fleet.queue_faults",
    "profiler.fleet.queue_schema",
    "profiler.fleet.recovery",
    "profiler.fleet.task",
    "profiler.fleet.worker",
    "profiler.runtimes.onnxruntime",
    "profiler.runtimes.onnxruntime_gpu",
    "profiler.runtimes.openvino",
    "profiler.runtimes.openvino_quantisation",
    "profiler.runtimes.tensorrt.cuda_pycuda",
    "profiler.runtimes.tensorrt.cuda_python",
    "profiler.runtimes.torch",
    "profiler.runtimes.torch_cuda",
    "profiler.runtimes.torch_cuda_engine",
    "search.batches",
    "search.cli.session",
    "search.deployment.emulation",
    "search.deployment.floating",
    "search.deployment.int8",
    "search.deployment.onnx_export",
    "search.deployment.onnx_quality",
    "search.deployment.precision",
    "search.evaluation.dask_workers",
    "search.evaluation.job",
    "search.evaluation.layout",
    "search.evaluation.local_processes",
    "search.evaluation.quality",
    "search.evaluation.recalibration",
    "search.evaluation.running",
    "search.evaluation.workers",
    "search.evolution.niches",
    "search.evolution.nsga2",
    "search.finish",
    "search.launch",
    "search.loading",
    "search.refitting",
    "search.report.sample_predictions",
    "search.retraining.description",
    "search.retraining.plan",
    "search.retraining.retrain",
    "search.retraining.scoring",
    "search.retraining.summary",
    "search.run",
    "search.scoring",
    "search.supernet.deriving",
    "search.supernet.slicing",
    "search.supernet.supernet",
    "search.supernet.wiring",
    "search.supernet_evaluation",
    "search.training.checkpoint",
    "search.training.distributed",
    "search.training.losses",
    "search.training.network_training",
    "search.training.objective",
    "search.training.optimiser",
    "search.training.precision",
    "search.training.ranks",
    "search.training.supernet_passes",
    "search.training.supernet_training",
    "search.training.trainer",
}
"""Modules that exist to talk to one heavy package, and are imported only where it is used."""

SCRIPT = """
import importlib, json, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {heavy}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Blocker())
failures = {{}}
for name in {modules}:
    try:
        importlib.import_module(name)
    except Exception as error:
        failures[name] = f"{{type(error).__name__}}: {{error}}"
print(json.dumps({{"failures": failures, "loaded": sorted(sys.modules)}}))
"""


def modules_of(root: Path) -> list[str]:
    """Dotted names of all modules of the packages, composition roots and entry points included."""
    files = [file for package in PACKAGES for file in (root / package).rglob("*.py")]
    names = {".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__") for file in files}
    return sorted(name for name in names if ".migrations." not in name)


def imported_without_heavy_packages(root: Path, modules: list[str]) -> dict[str, dict[str, str]]:
    script = SCRIPT.format(heavy=set(HEAVY), modules=modules)
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    answer: dict[str, dict[str, str]] = json.loads(done.stdout)
    return answer


def test_every_module_imports_without_heavy_packages(root: Path) -> None:
    modules = [name for name in modules_of(root) if name not in NEEDS_HEAVY]
    assert imported_without_heavy_packages(root, modules)["failures"] == {}


def test_modules_said_to_need_a_heavy_package_do_need_one(root: Path) -> None:
    needing = sorted(NEEDS_HEAVY.intersection(modules_of(root)))
    assert sorted(imported_without_heavy_packages(root, needing)["failures"]) == needing


def test_command_list_loads_no_command(root: Path) -> None:
    loaded = imported_without_heavy_packages(root, ["hyctas.__main__"])["loaded"]
    assert not {"sqlalchemy", "numpy", "onnx", "fastapi", "profiler", "db", "predictor", "api"}.intersection(loaded)


@pytest.mark.parametrize("package", PACKAGES)
def test_package_carries_its_types(root: Path, package: str) -> None:
    assert (root / package / "py.typed").is_file()
