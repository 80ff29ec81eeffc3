"""Stands in for TensorRT 10 on a machine without a GPU: the parts of its Python interface that running engines needs.

What is not here raises ``AttributeError``, though the real package has more; what is here has the names and signatures
of NVIDIA's bindings, which the tests check. :mod:`simulated_gpu` says how strict it is.
"""

from standin_tensorrt.builder import Builder
from standin_tensorrt.config import IBuilderConfig
from standin_tensorrt.context import IExecutionContext
from standin_tensorrt.derived import IProfiler, IProgressMonitor
from standin_tensorrt.engine import ICudaEngine, Runtime, init_libnvinfer_plugins
from standin_tensorrt.inspector import EngineInspector
from standin_tensorrt.logger import ILogger, Logger
from standin_tensorrt.network import ILayer, INetworkDefinition, ITensor
from standin_tensorrt.parser import OnnxParser, ParserError
from standin_tensorrt.timing_cache import ITimingCache
from standin_tensorrt.values import Dims, IHostMemory, nptype, volume

from tensorrt._members import VERSION as __version__
from tensorrt._members import (
    BuilderFlag,
    DataType,
    ErrorCode,
    ExecutionContextAllocationStrategy,
    LayerInformationFormat,
    LayerType,
    MemoryPoolType,
    NetworkDefinitionCreationFlag,
    OnnxParserFlag,
    ProfilingVerbosity,
    TacticSource,
    TensorFormat,
    TensorIOMode,
    TensorLocation,
)

__all__ = [
    "Builder",
    "BuilderFlag",
    "DataType",
    "Dims",
    "EngineInspector",
    "ErrorCode",
    "ExecutionContextAllocationStrategy",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "ILayer",
    "ILogger",
    "INetworkDefinition",
    "IProfiler",
    "IProgressMonitor",
    "ITensor",
    "ITimingCache",
    "LayerInformationFormat",
    "LayerType",
    "Logger",
    "MemoryPoolType",
    "NetworkDefinitionCreationFlag",
    "OnnxParser",
    "OnnxParserFlag",
    "ParserError",
    "ProfilingVerbosity",
    "Runtime",
    "TacticSource",
    "TensorFormat",
    "TensorIOMode",
    "TensorLocation",
    "__version__",
    "bfloat16",
    "float16",
    "float32",
    "init_libnvinfer_plugins",
    "int8",
    "int32",
    "int64",
    "nptype",
    "volume",
]

float32, float16, bfloat16 = DataType.FLOAT, DataType.HALF, DataType.BF16
int8, int32, int64 = DataType.INT8, DataType.INT32, DataType.INT64
