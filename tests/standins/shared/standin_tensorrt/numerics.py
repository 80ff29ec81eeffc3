"""What an engine computes: its model, under ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper

from standin_tensorrt.model import Model

Arrays = Mapping[str, npt.NDArray[np.generic]]
NUMPY_TYPES = {
    "FLOAT": np.float32,
    "HALF": np.float16,
    "INT8": np.int8,
    "INT32": np.int32,
    "INT64": np.int64,
    "BOOL": np.bool_,
    "UINT8": np.uint8,
}


class Numerics:
    """Runs a model; the session is made when it is first needed."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        proto = onnx.load_model_from_string(self._model.data)
        _widen_bfloat16(proto)
        return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name."""
        names = self._model.outputs
        with np.errstate(all="ignore"):
            return dict(zip(names, self._session.run(list(names), dict(inputs)), strict=True))


def _widen_bfloat16(proto: onnx.ModelProto) -> None:
    """Compute in float32 what is bfloat16, whose kernels ONNX Runtime lacks on a CPU; weights stay rounded."""
    graph = proto.graph
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.BFLOAT16:
            widened = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(widened, tensor.name))
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.BFLOAT16:
                attribute.i = TensorProto.FLOAT
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.BFLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
