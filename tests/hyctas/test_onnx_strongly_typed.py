"""TensorRT-RTX parses the models of every precision into strongly typed networks, which accept no mixed types.

Parsing needs no GPU. That engines can be built of them is for the profiler's own tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import onnx
import pytest

from hyctas.architecture import ArchitectureDefaults, Attention
from hyctas.architecture_json import decode_architecture
from hyctas.graph import Graph
from hyctas.lowering import lower, lower_part
from hyctas.onnx_form import to_onnx
from hyctas.quantisation import quantised_values
from hyctas.weights import seeded_weights
from tests.hyctas.test_onnx_form import PRIMITIVE_GRAPHS
from tests.hyctas.test_onnx_precision import NARROW, PARTS

trt = pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx-cu13, which is installed on its own")

RELEASED: Final = ("HRTNET_S.json", "HRTNET_M.json", "HRTNet_L.json")


def model_of(graph: Graph, precision: str) -> onnx.ModelProto:
    """Types do not depend on ranges, so nothing is calibrated."""
    return to_onnx(
        graph, seeded_weights(graph, 0), precision=precision, ranges=dict.fromkeys(quantised_values(graph), 1.0)
    )


def parsed(model: onnx.ModelProto) -> tuple[Any, list[str]]:
    """The strongly typed network of a model, and the parser's complaints."""
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    parser.parse(model.SerializeToString())
    return network, [parser.get_error(index).desc() for index in range(parser.num_errors)]


def check(graph: Graph, precision: str) -> None:
    network, complaints = parsed(model_of(graph, precision))
    assert complaints == []
    assert network.get_flag(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    border = [network.get_input(index) for index in range(network.num_inputs)]
    border += [network.get_output(index) for index in range(network.num_outputs)]
    expected = {"float32": trt.DataType.FLOAT, "int64": trt.DataType.INT64}
    assert {tensor.name: tensor.dtype for tensor in border} == {
        name: expected[graph.values[name].dtype] for name in (*(value.name for value in graph.inputs), *graph.outputs)
    }


@pytest.mark.parametrize("precision", ("fp32", *NARROW))
@pytest.mark.parametrize("graph", PRIMITIVE_GRAPHS, ids=lambda graph: graph.name)
def test_primitive_is_strongly_typed(graph: Graph, precision: str) -> None:
    check(graph, precision)


@pytest.mark.parametrize("precision", ("fp32", *NARROW))
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.label)
def test_operator_is_strongly_typed(part: Any, precision: str) -> None:
    check(lower_part(part), precision)


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize("precision", NARROW)
@pytest.mark.parametrize("attention", ["efficient", "released"])
@pytest.mark.parametrize("name", RELEASED)
def test_released_network_is_strongly_typed(shared_data: Path, name: str, attention: Attention, precision: str) -> None:
    options = ArchitectureDefaults(height=512, width=1024, attention=attention)
    check(lower(decode_architecture((shared_data / "hyctas" / name).read_bytes(), options)), precision)


def test_parser_refuses_a_node_of_two_types() -> None:
    """What the other tests rest on."""
    model = model_of(lower_part(PARTS[1]), "fp16")
    (weight,) = (tensor for tensor in model.graph.initializer if tensor.name.endswith(".weight"))
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight).astype("float32"), weight.name))
    _, complaints = parsed(model)
    assert complaints
