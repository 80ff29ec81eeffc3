"""The NVML of the simulated GPU: `pynvml_standin` with one device, under the name of the real module."""

from pynvml_standin import *  # noqa: F403
from pynvml_standin import Gpu, reset
from simulated_gpu import gpu

_device = gpu().scenario.device
reset(
    *(
        Gpu(name=_device.name, capability=_device.compute_capability, memory_bytes=_device.memory_bytes)
        for _ in range(_device.count)
    )
)
