"""ONNX Runtime on a GPU, through its CUDA or TensorRT execution provider.

Traps, and what is done about each:

- A session falls back silently: to other providers where one cannot be loaded or opened, to the CPU for single nodes.
  So fallback is off in all its forms, and a node that the provider does not take makes a graph unsupported.
- TF32 is on by default in both providers. The one has an option; of the other only NVIDIA's environment variable
  switches it off, for the whole process, and it must be set before the first session.
- Inputs and outputs are bound to device memory of ours, at addresses that stay, as a CUDA graph asks for.
- A session waits for the device at the end of each run. That is off: what waits is the timer.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import onnxruntime as ort

from hyctas.builder import GraphBuilder
from hyctas.errors import RuntimeUnavailable
from hyctas.graph import Graph
from hyctas.layers import relu
from hyctas.measurement import DeviceConditions
from hyctas.target import Target
from profiler.nvml import GpuMonitor
from profiler.runtimes.device_tensors import DeviceTensors
from profiler.runtimes.engine import Unsupported
from profiler.runtimes.options import on_gpu
from profiler.runtimes.outputs import Output, all_finite
from profiler.runtimes.seeded_model import seeded_onnx
from profiler.runtimes.tensorrt.cuda import Cuda, Stream, open_cuda
from profiler.runtimes.tensorrt.timing import EventTimer, HostTimer, Timer

WAYS: Final = ("graph",)
INSTALL: Final = "pip uninstall onnxruntime, then pip install 'onnxruntime-gpu[cuda,cudnn]'"
TF32_SWITCH: Final = "NVIDIA_TF32_OVERRIDE"
"""Where it is 0, no library of NVIDIA uses TF32; other values are reserved."""
WARM_UP_RUNS: Final = 3
"""A session that captures a CUDA graph runs once or twice without before it does."""
_SWITCH: Final = ("0", "1")


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider.

    Attributes:
        name: ONNX Runtime's name of it.
        precisions: What it computes in.
        options: What it is told, from a target's precision and whether to replay a CUDA graph.
        install: How to get it.
    """

    name: str
    precisions: tuple[str, ...]
    options: Callable[[str, bool], Mapping[str, str]]
    install: str


def _cuda_options(precision: str, graph: bool) -> Mapping[str, str]:
    return {
        "use_tf32": _SWITCH[precision == "tf32"],
        "enable_cuda_graph": _SWITCH[graph],
        "cudnn_conv_algo_search": "EXHAUSTIVE",
    }


def _tensorrt_options(precision: str, graph: bool) -> Mapping[str, str]:
    """No auxiliary streams and no caches of engines and tactics, as for targets of TensorRT itself."""
    return {
        "trt_fp16_enable": _SWITCH[precision == "fp16"],
        "trt_int8_enable": _SWITCH[precision == "int8"],
        "trt_cuda_graph_enable": _SWITCH[graph],
        "trt_auxiliary_streams": "0",
        "trt_engine_cache_enable": "0",
        "trt_timing_cache_enable": "0",
    }


PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(
    {
        "cuda": Provider("CUDAExecutionProvider", ("fp32", "tf32", "fp16"), _cuda_options, INSTALL),
        "tensorrt": Provider(
            "TensorrtExecutionProvider",
            ("fp32", "tf32", "fp16", "int8"),
            _tensorrt_options,
            f"{INSTALL} and the TensorRT that it was built with (pip install tensorrt)",
        ),
    }
)
"""By option of a target. The CUDA provider runs int8 models in floating point, between conversions."""


class OnnxRuntimeGpu:
    """Sessions of one GPU target.

    Raises:
        Unsupported: The target asks for a precision or an option that is not offered.
        RuntimeUnavailable: This ONNX Runtime has no such provider, it cannot be loaded, or there is no GPU or binding.
    """

    def __init__(self, target: Target) -> None:
        ways = on_gpu(target, {name: provider.precisions for name, provider in PROVIDERS.items()}, WAYS)
        self.metric = target.metric
        self._precision = target.precision
        self._provider = PROVIDERS[target.options[0]]
        if self._provider.name not in ort.get_available_providers():
            raise RuntimeUnavailable(
                f"onnxruntime {ort.__version__} here has no {self._provider.name}; {self._provider.install}"
            )
        self._cuda = open_cuda()
        self._graph = "graph" in ways
        self._switch_tf32()
        _preload_libraries()
        self._check_that_it_loads()
        self._monitor = GpuMonitor(os.environ)  # the variables that choose CUDA's devices, as CUDA itself reads them

    def prepare(self, graph: Graph, *, seed: int) -> OnnxRuntimeGpuEngine:
        """Write the graph as ONNX, open a session on it and warm it up.

        Raises:
            Unsupported: The provider does not take every node, or its runs cannot be captured.
        """
        resources = ExitStack()
        try:
            stream = self._cuda.create_stream()
            resources.callback(self._cuda.destroy_stream, stream)
            session = self._open(seeded_onnx(graph, seed=seed, precision=self._precision), stream)
            tensors = DeviceTensors(self._cuda, graph, seed, resources)
            lane = Lane(self._cuda, stream, self._timer(stream, resources))
            copies = self.metric == "host_time_with_copies"
            return OnnxRuntimeGpuEngine(session, tensors, lane, resources, copies=copies)
        except BaseException:
            resources.close()
            raise

    def environment(self) -> Mapping[str, str]:
        """Versions and settings that the name of the target does not say, and the state of the GPU."""
        return {
            "onnxruntime": ort.__version__,
            "provider": self._provider.name,
            **{f"provider {name}": value for name, value in self._provider_options().items()},
            "border": "float32 in device memory",
            **self._cuda.versions(),
            "cuda_binding": self._cuda.name,
            **self._monitor.environment(),
        }

    def conditions(self) -> DeviceConditions:
        """Clocks, temperature, power and throttle reasons, the latter since the call before."""
        return self._monitor.conditions()

    def _provider_options(self) -> Mapping[str, str]:
        return {"device_id": "0", **self._provider.options(self._precision, self._graph)}

    def _switch_tf32(self) -> None:
        """Switch TF32 off in the whole process, unless the target is about it; float32 in an int8 model is no TF32."""
        if self._precision == "tf32":
            os.environ.pop(TF32_SWITCH, None)
        else:
            os.environ[TF32_SWITCH] = "0"

    def _check_that_it_loads(self) -> None:
        """See that the provider is there once it is needed; without a library that it links to, it only logs."""
        b = GraphBuilder("provider")
        model = seeded_onnx(b.build(relu(b, b.input("x", (1, 1, 1, 1)))), seed=0)
        providers = [(self._provider.name, {"device_id": "0"})]
        session = ort.InferenceSession(model, _session_options(), providers=providers, enable_fallback=0)
        if self._provider.name not in session.get_providers():
            raise RuntimeUnavailable(
                f"onnxruntime {ort.__version__} has {self._provider.name} but cannot load it (its log on stderr names "
                f"the library that is missing); {self._provider.install}"
            )

    def _open(self, model: bytes, stream: Stream) -> ort.InferenceSession:
        options = _session_options()
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        provider = (self._provider.name, {**self._provider_options(), "user_compute_stream": str(int(stream))})
        try:
            return ort.InferenceSession(model, options, providers=[provider], enable_fallback=0)
        except Exception as error:
            if any(words in str(error) for words in ("explicitly disabled", "have not been partitioned")):
                raise Unsupported(f"{self._provider.name} does not take every node: {error}") from error
            raise

    def _timer(self, stream: Stream, resources: ExitStack) -> Timer:
        if self.metric == "compute_time":
            return EventTimer(self._cuda, stream, resources)
        return HostTimer(self._cuda, stream, None)


@dataclass(frozen=True, slots=True)
class Lane:
    """Where an engine runs.

    Attributes:
        cuda: The device.
        stream: A stream of its own.
        timer: The clock by which its runs are timed.
    """

    cuda: Cuda
    stream: Stream
    timer: Timer

    def wait(self) -> None:
        """Wait until everything in the stream is done."""
        self.cuda.synchronise(self.stream)


class OnnxRuntimeGpuEngine:
    """A session with its tensors in device memory, all freed with the object.

    Args:
        session: What runs.
        tensors: Inputs and outputs.
        lane: Where it runs.
        resources: Frees the stream, the tensors and the events.
        copies: Whether copying belongs to a run.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        tensors: DeviceTensors,
        lane: Lane,
        resources: ExitStack,
        *,
        copies: bool,
    ) -> None:
        self._tensors = tensors
        self._lane = lane
        self._options = ort.RunOptions()
        self._options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        self._held = [session, _bound(session, tensors)]
        resources.callback(self._held.clear)  # first of all: a session may wait for its stream as it ends
        self._call = self._with_copies if copies else self._enqueue
        weakref.finalize(self, resources.close).atexit = False
        self._tensors.upload(lane.stream)
        for _ in range(WARM_UP_RUNS):
            self.run()

    def run(self) -> None:
        """Run once, with or without copies as the metric has it, and wait for the result."""
        self._call()
        self._lane.wait()

    def time_s(self, repeats: int) -> float:
        """Seconds of one run by the target's metric: the mean of `repeats` back to back."""
        return self._lane.timer.time(self._call, repeats).run_s

    def outputs(self) -> list[Output]:
        """Run once, and copy every output."""
        self._with_copies()
        self._lane.wait()
        return self._tensors.downloaded()

    def finite(self) -> bool:
        """Run once and check every output."""
        return all_finite(self.outputs())

    def _enqueue(self) -> None:
        session, binding = self._held
        session.run_with_iobinding(binding, self._options)

    def _with_copies(self) -> None:
        self._tensors.upload(self._lane.stream)
        self._enqueue()
        self._tensors.download(self._lane.stream)


def _bound(session: ort.InferenceSession, tensors: DeviceTensors) -> ort.IOBinding:
    """The session's inputs and outputs at their addresses."""
    binding = session.io_binding()
    for tensors_of, bind in ((tensors.inputs, binding.bind_input), (tensors.outputs, binding.bind_output)):
        for tensor in tensors_of:
            bind(tensor.name, "cuda", 0, tensor.array.dtype.type, tensor.array.shape, int(tensor.address))
    return binding


def _session_options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    return options


def _preload_libraries() -> None:
    """Load CUDA and cuDNN from NVIDIA's own wheels where they are installed; ONNX Runtime has it since 1.21."""
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
