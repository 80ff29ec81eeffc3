"""The whole way of a measurement on a GPU: command, measuring process, TensorRT, CUDA, NVML, database.

The hardware is simulated, so times are known: each layer takes 100 us, however much it computes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from db.repository import Repository
from hyctas.__main__ import app
from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_json import to_json
from hyctas.folding import fold
from hyctas.lowering import lower
from hyctas.measurement import Calibration
from hyctas.onnx_form import to_onnx_bytes
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import Target, parse_target
from hyctas.weights import seeded_weights
from profiler.probe import probe_targets
from profiler.reference import reference_id
from profiler.runtimes import CATALOGUE

pytestmark = pytest.mark.slow

VERSIONS = (10, 11)
LAYER_S = 1e-4
TIMES = {"layer_overhead_s": LAYER_S, "multiply_accumulates_per_s": 1e30, "bytes_per_s": 1e30}
SETTINGS = ArchitectureDefaults(height=64, width=128, base_channels=4)
SIZE = ("--height", "64", "--width", "128", "--base-channels", "4")
Simulation = Any


@pytest.fixture(scope="module")
def networks() -> list[Architecture]:
    """Two small networks; the first attends."""
    drawn = sample_structured(SearchSpace(depth=6), np.random.default_rng(3), 12, SETTINGS)
    attends = next(network for network in drawn if "sa" in json.dumps(to_json(network)))
    return [attends, next(network for network in drawn if network.key != attends.key)]


class Machine:
    """A machine with a simulated GPU, and a database."""

    def __init__(self, folder: Path, networks: Sequence[Architecture]) -> None:
        self.url = f"sqlite:///{folder / 'measured.db'}"
        self.networks = networks
        self.file = folder / "networks.json"
        self.keep(len(networks))

    def keep(self, count: int) -> None:
        """Measure only the first networks."""
        self.networks = self.networks[:count]
        self.file.write_text(json.dumps([to_json(network) for network in self.networks]))

    def calibrated(self, name: str) -> Target:
        """The target, with a calibration that leaves times as they are."""
        target = parse_target(name, device="rtx-4090")
        errors = {"none": 0.0, "compute": 0.1, "memory": 0.1, "mean": 0.1}
        with Repository.open(self.url) as repository:
            if repository.latest_calibration(target) is None:
                repository.ensure_target(target, {"gpu": "simulated"})
                repository.add_calibration(
                    Calibration(target, 1, 0.002, 0.004, "none", errors, reference_id(), 5)  # type: ignore[arg-type]
                )
        return target

    def run(self, *arguments: str) -> Result:
        """A command."""
        return CliRunner().invoke(app, [*arguments, "--db", self.url, "--json"])

    def profiled(self, name: str, *options: str) -> dict[str, Any]:
        """Measure the networks on a target."""
        self.calibrated(name)
        given = ("profile", "networks", "--from", str(self.file), "--target", name, "--repeats", "0", *options)
        result = self.run(*given)
        assert result.exit_code == 0, result.stderr
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def measurements(self, name: str) -> dict[str, Any]:
        """The measurement of each network, by its key."""
        with Repository.open(self.url) as repository:
            rows = repository.architecture_latencies(
                parse_target(name, device="rtx-4090"), [n.key for n in self.networks], status=None
            )
            return {key: repository.measurement(row.id) for key, row in rows.items()}


@pytest.fixture
def machine(simulation: Simulation, tmp_path: Path, networks: list[Architecture]) -> Machine:
    """See :class:`Machine`."""
    simulation.scenario(times=TIMES)
    return Machine(tmp_path, networks)


def expected_s(
    simulation: Simulation, layer_count: Callable[[bytes], int], network: Architecture, precision: str
) -> float:
    """What a network takes: 10 is given a float model and a flag, 11 a typed model."""
    graph = lower(network)
    model = to_onnx_bytes(
        graph, seeded_weights(graph, 0), precision="fp32" if simulation.version == 10 else precision, ranges={}
    )
    return layer_count(model) * LAYER_S


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_networks_get_the_times_of_the_device(
    simulation: Simulation, machine: Machine, layer_count: Callable[[bytes], int], precision: str
) -> None:
    found = machine.profiled(f"tensorrt-{precision}")
    assert set(found["networks"].values()) == {"ok"}
    assert found["target"] == f"rtx-4090/tensorrt-{precision}"
    for network in machine.networks:
        measurement = machine.measurements(f"tensorrt-{precision}")[network.key]
        samples = [sample for r in measurement.rounds for sample in r.samples_s]
        expected = expected_s(simulation, layer_count, network, precision)
        assert samples == pytest.approx([expected] * len(samples), rel=0.01)
        assert measurement.metric == "compute_time"


def test_measurement_says_under_what_it_was_taken(simulation: Simulation, machine: Machine) -> None:
    machine.profiled("tensorrt-fp16")
    measurement = next(iter(machine.measurements("tensorrt-fp16").values()))
    environment = measurement.environment
    assert environment["tensorrt"].startswith(f"{simulation.version}.")
    assert environment["launch"] == "CUDA graph"
    assert environment["gpu"] == "NVIDIA GeForce RTX 4090"
    assert {"cuda_driver", "cuda_runtime", "cuda_binding", "gpu driver", "gpu power limit"} <= set(environment)
    assert all(r.conditions is not None and r.conditions.sm_clock_hz for r in measurement.rounds)
    assert int(measurement.engine["plan_bytes"]) > 0
    assert {"device_bytes", "enqueue_s", "launch_bound"} <= set(measurement.engine)


def test_operators_are_measured_alone_and_in_chains(simulation: Simulation, machine: Machine) -> None:
    target = machine.calibrated("tensorrt-fp16")
    options = ("--target", "tensorrt-fp16", "--budget-s", "4", "--repeats", "2", "--depth", "6", *SIZE)
    result = machine.run("profile", "operators", *options)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["unstable"], found["failed"]) == (0, {})
    assert found["measured"] > 5
    with Repository.open(machine.url) as repository:
        rows = repository.operator_latencies(target)
        marginal = [row.marginal_s for row in repository.measurements(limit=None) if row.marginal_s is not None]
    latencies = [row.latency_s for _, row in rows]
    assert [latency / LAYER_S for latency in latencies] == pytest.approx(
        [round(latency / LAYER_S) for latency in latencies], rel=0.01
    )
    assert marginal and min(marginal) >= 0.0


def test_options_of_a_target_are_obeyed(simulation: Simulation, machine: Machine) -> None:
    """A cold cache costs a quarter more; plain enqueue of layers this long costs nothing."""
    machine.keep(1)
    names = ("tensorrt-fp16", "tensorrt-fp16-l2flush", "tensorrt-fp16-enqueue", "tensorrt-fp16-copies")
    means = {}
    for name in names:
        machine.profiled(name)
        rounds = [r for m in machine.measurements(name).values() for r in m.rounds]
        means[name] = np.mean([sample for r in rounds for sample in r.samples_s])
    assert means["tensorrt-fp16-l2flush"] == pytest.approx(1.25 * means["tensorrt-fp16"], rel=0.01)
    assert means["tensorrt-fp16-enqueue"] == pytest.approx(means["tensorrt-fp16"], rel=0.01)
    metrics = {m.metric for m in machine.measurements("tensorrt-fp16-copies").values()}
    assert metrics == {"host_time_with_copies"}


def test_host_time_contains_the_time_of_the_device(
    simulation: Simulation, machine: Machine, layer_count: Callable[[bytes], int]
) -> None:
    simulation.scenario(times=TIMES, waits=True)
    machine.keep(1)
    machine.profiled("tensorrt-fp16-host")
    (measurement,) = machine.measurements("tensorrt-fp16-host").values()
    assert measurement.metric == "host_time"
    device_s = expected_s(simulation, layer_count, machine.networks[0], "fp16")
    assert min(sample for r in measurement.rounds for sample in r.samples_s) >= 0.99 * device_s


def test_layers_are_split_and_mapped_to_nodes(
    simulation: Simulation, machine: Machine, layer_count: Callable[[bytes], int]
) -> None:
    """Each layer takes 5 us more under the profiler; every node that computes is in one."""
    machine.file.write_text(json.dumps(to_json(machine.networks[0])))
    arguments = ("profile", "layers", str(machine.file), "--target", "tensorrt-fp16", "--json")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    expected = expected_s(simulation, layer_count, machine.networks[0], "fp16") * 1e3
    assert found["latency_ms"] == pytest.approx(expected, rel=0.01)
    assert found["sum_ms"] == pytest.approx(expected * 1.05, rel=0.01)
    graph, _ = fold(lower(machine.networks[0]), seeded_weights(lower(machine.networks[0]), 0))
    computing = {node.name for node in graph.nodes if node.op not in ("reshape", "identity")}
    assert computing <= {node for layer in found["layers"] for node in layer["nodes"]}
    fused = [layer for layer in found["layers"] if len(layer["nodes"]) > 1]
    assert any("softmax" in node for layer in fused for node in layer["nodes"])


def test_targets_are_offered(simulation: Simulation) -> None:
    probed = probe_targets("epyc", "rtx-4090", {"tensorrt": CATALOGUE["tensorrt"]})
    reasons = {p.target.name: p.reason for p in probed}
    assert set(reasons) >= {f"rtx-4090/tensorrt-{p}" for p in ("fp32", "tf32", "fp16", "bf16", "int8")}
    assert set(reasons.values()) == {None}


FAULTS = {
    "out of device memory": (
        {"call": "deserialize_cuda_engine", "message": "Error Code 2: OutOfMemory (Requested size was 9 bytes.)"},
        "out_of_memory",
        "OutOfMemory",
    ),
    "out of memory in the build": (
        {"call": "build_serialized_network", "message": "Error Code 2: OutOfMemory (Requested size was 9 bytes.)"},
        "out_of_memory",
        "OutOfMemory",
    ),
    "build failure": (
        {"call": "build_serialized_network", "message": "Error Code 10: Internal Error (injected)"},
        "build",
        "injected",
    ),
    "no tactic": (
        {
            "call": "build_serialized_network",
            "message": "Error Code 10: Internal Error (Could not find any implementation for node a.conv.)",
        },
        "unsupported",
        "a.conv",
    ),
    "unsupported operator": ({"call": "parse", "operator": "Resize"}, "unsupported", "Resize"),
    "execution failure": ({"call": "execute_async_v3", "message": "Error Code 1: no such thing"}, "build", "no such"),
    "crash in the build": ({"call": "build_serialized_network", "act": "segfault"}, "crash", "SIGSEGV"),
    "crash in a run": ({"call": "execute_async_v3", "act": "abort"}, "crash", "SIGABRT"),
    "killed": ({"call": "build_serialized_network", "act": "killed"}, "out_of_memory", "killed"),
    "not captured": ({"call": "capture"}, "unsupported", "option enqueue"),
    "hang in the build": ({"call": "build_serialized_network", "act": "hang"}, "timeout", "3 s"),
}


@pytest.mark.parametrize(
    ("name", "simulation"),
    [(name, VERSIONS[position % 2]) for position, name in enumerate(FAULTS)],
    indirect=["simulation"],
)
def test_fault_is_a_result_and_others_are_measured(simulation: Simulation, machine: Machine, name: str) -> None:
    fault, kind, words = FAULTS[name]
    culprit = machine.networks[0].key
    simulation.scenario(times=TIMES, faults=[{**fault, "graph": culprit[:12]}])
    found = machine.profiled("tensorrt-fp16", "--build-limit", "3")
    assert found["networks"].pop(culprit) == "failed"
    assert set(found["networks"].values()) == {"ok"}
    failure = machine.measurements("tensorrt-fp16")[culprit].failure
    assert failure is not None
    assert failure.kind == kind, failure.message
    assert words in failure.message


def test_memory_that_runs_out_on_the_way_is_given_back(simulation: Simulation, machine: Machine) -> None:
    fault = {"call": "cudaMalloc", "at": 3, "error": "cudaErrorMemoryAllocation"}
    simulation.scenario(times=TIMES, faults=[fault])
    found = machine.profiled("tensorrt-fp16")
    statuses = sorted(found["networks"].values())
    assert statuses == ["failed", "ok"]
    kinds = [m.failure.kind for m in machine.measurements("tensorrt-fp16").values() if m.failure is not None]
    assert kinds == ["out_of_memory"]


def test_what_cannot_be_captured_points_to_plain_enqueue(simulation: Simulation, machine: Machine) -> None:
    simulation.scenario(times=TIMES, capturable=False)
    machine.calibrated("tensorrt-fp16")
    result = machine.run("profile", "networks", "--from", str(machine.file), "--target", "tensorrt-fp16")
    assert result.exit_code == 1
    assert "measure it with the option enqueue of the target" in result.stderr
    found = machine.profiled("tensorrt-fp16-enqueue")
    assert set(found["networks"].values()) == {"ok"}


def test_machine_without_a_gpu_says_what_it_needs(simulation: Simulation, machine: Machine) -> None:
    simulation.scenario(device={"count": 0})
    machine.calibrated("tensorrt-fp16")
    result = machine.run("profile", "networks", "--from", str(machine.file), "--target", "tensorrt-fp16")
    assert result.exit_code == 1
    assert "no CUDA device (cudaGetDeviceCount says cudaErrorNoDevice)" in result.stderr
