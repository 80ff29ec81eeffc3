"""What builder, parser and inspector of the stand-ins say, and where versions 10 and 11 differ."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from hyctas.graph import Graph
from tests.profiler.tensorrt.driver import Driver, kept_log, model_of


def test_versions_differ_as_the_real_ones_do(driver: Driver) -> None:
    flags = driver.trt.BuilderFlag.__members__
    if driver.on.simulation.version == 10:
        assert {"FP16", "BF16", "INT8"} <= set(flags)
        assert hasattr(driver.trt.ICudaEngine, "device_memory_size")
    else:
        assert not {"FP16", "BF16", "INT8"} & set(flags)
        assert not hasattr(driver.trt.ICudaEngine, "device_memory_size")
        assert not hasattr(driver.trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH")


def test_typed_model_needs_flags_or_strong_typing(driver: Driver, small: Graph) -> None:
    model = model_of(small, "fp16")
    if driver.on.simulation.version == 11:
        assert driver.plan(model, strong=False) is not None
        return
    assert driver.plan(model, strong=False) is None
    assert driver.plan(model, "FP16", strong=False) is not None
    assert driver.plan(model, "FP16", strong=True) is None
    assert driver.plan(model, strong=True) is not None


def mixed_model() -> bytes:
    """Adds half to float."""
    nodes = [
        helper.make_node("Cast", ["x"], ["half"], name="cast", to=TensorProto.FLOAT16),
        helper.make_node("Mul", ["half", "half"], ["square"], name="square"),
        helper.make_node("Add", ["square", "x"], ["y"], name="sum"),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4)) for name in ("x", "y"))
    graph = helper.make_graph(nodes, "mixed", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return bytes(model.SerializeToString())


def test_mixed_types_are_refused(driver: Driver) -> None:
    _, network, parser = driver.parsed(mixed_model())
    assert network.num_layers == 0
    assert parser.num_errors
    assert any(word in str(parser.get_error(0)) for word in ("type", "Type"))


def test_unsupported_operator_names_its_node(driver: Driver) -> None:
    node = helper.make_node("Det", ["x"], ["y"], name="odd one")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 3, 3))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (2,))
    model = helper.make_model(
        helper.make_graph([node], "odd", [x], [y]), opset_imports=[helper.make_opsetid("", 17)], ir_version=10
    )
    _, _, parser = driver.parsed(model.SerializeToString())
    assert parser.num_errors == 1
    error = parser.get_error(0)
    assert (error.node_name(), error.node_operator(), error.code()) == (
        "odd one",
        "Det",
        driver.trt.ErrorCode.UNSUPPORTED_NODE,
    )


def test_asymmetric_quantisation_is_refused(driver: Driver, small: Graph) -> None:
    model = onnx.load_model_from_string(model_of(small, "int8"))
    zero = next(n.input[2] for n in model.graph.node if n.op_type == "QuantizeLinear" and len(n.input) > 2)
    for tensor in model.graph.initializer:
        if tensor.name == zero:
            tensor.CopyFrom(helper.make_tensor(zero, TensorProto.INT8, tensor.dims, np.full(tensor.dims, 3, np.int8)))
    _, _, parser = driver.parsed(model.SerializeToString())
    assert "symmetric" in parser.get_error(0).desc()


def test_bytes_that_are_no_model_or_engine(driver: Driver) -> None:
    _, _, parser = driver.parsed(b"\xff not ONNX")
    assert parser.get_error(0).code() == driver.trt.ErrorCode.MODEL_DESERIALIZE_FAILED
    runtime = driver.trt.Runtime(kept_log(driver.trt))
    assert runtime.deserialize_cuda_engine(b"no engine") is None


def test_engine_of_another_version_is_refused(driver: Driver, small: Graph) -> None:
    plan = bytes(driver.plan(model_of(small)))
    changed = plan.replace(driver.trt.__version__.encode(), b"9.3.0.1", 1)
    assert driver.trt.Runtime(kept_log(driver.trt)).deserialize_cuda_engine(changed) is None


def test_timing_cache_that_is_damaged_or_of_another_device(driver: Driver) -> None:
    config = driver.trt.Builder(kept_log(driver.trt)).create_builder_config()
    assert config.create_timing_cache(b"garbage") is None
    data = bytes(config.create_timing_cache(b"").serialize())
    moved = config.create_timing_cache(data.replace(b"4090", b"3090"))
    assert not config.set_timing_cache(moved, ignore_mismatch=False)
    assert config.set_timing_cache(moved, ignore_mismatch=True)


def test_monitor_ends_a_build(driver: Driver, small: Graph) -> None:
    class Ends(driver.trt.IProgressMonitor):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()

        def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:
            pass

        def step_complete(self, phase_name: str, step: int) -> bool:
            return step < 1

        def phase_finish(self, phase_name: str) -> None:
            pass

    def monitored(config: Any) -> None:
        config.progress_monitor = Ends()

    assert driver.plan(model_of(small), change=monitored) is None


def test_inspector_tells_all_only_of_a_detailed_engine(driver: Driver, small: Graph) -> None:
    def brief(config: Any) -> None:
        config.profiling_verbosity = driver.trt.ProfilingVerbosity.LAYER_NAMES_ONLY

    def layers(plan: Any) -> list[Any]:
        inspector = driver.context(plan).engine.create_engine_inspector()
        found = json.loads(inspector.get_engine_information(driver.trt.LayerInformationFormat.JSON))
        assert found["Bindings"] == ["image", small.outputs[0]]
        return list(found["Layers"])

    detailed = layers(driver.plan(model_of(small)))
    assert [layer["Name"] for layer in detailed] == layers(driver.plan(model_of(small), change=brief))
    assert detailed[0]["Name"] == "a.conv + a.relu"
    assert detailed[0]["Metadata"] == "[ONNX Layer: a.conv]\x1e[ONNX Layer: a.relu]"
    region = next(layer["Name"] for layer in detailed if "att" in layer["Metadata"] and "softmax" in layer["Metadata"])
    assert region.startswith("{ForeignNode[" if driver.on.simulation.version == 10 else "__myl_")
