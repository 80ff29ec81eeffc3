"""What hardware this is: the device part of a target's name, and what is kept of it.

A machine is up to two devices: its CPU, and the first GPU that CUDA may use. Which of them a target means follows from
its name alone (:attr:`hyctas.target.Target.on_gpu`).
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Final

from hyctas.errors import RuntimeUnavailable
from hyctas.target import Target, parse_target
from profiler.nvml import GpuMonitor

CPUINFO: Final = Path("/proc/cpuinfo")
DEVICE_VARIABLE: Final = "HYCTAS_DEVICE"
GPU_VARIABLE: Final = "HYCTAS_GPU_DEVICE"
_NOISE: Final = re.compile(r"\((?:r|tm)\)|\b(?:amd|intel|cpu|processor|core|\d+-core)\b|@.*$", re.IGNORECASE)
_GPU_NOISE: Final = re.compile(r"\b(?:nvidia|geforce|tesla|quadro|gpu|graphics|generation|with|design)\b")
_BOARDS: Final[Mapping[str, str]] = MappingProxyType({"h100-80gb-hbm3": "h100-sxm5", "gh200-480gb": "gh200"})
"""Boards whose product name tells their memory instead of their form."""


@dataclass(frozen=True)
class LocalMachine:
    """This machine as devices of targets.

    Attributes:
        environment: Environment variables: ``HYCTAS_DEVICE`` and ``HYCTAS_GPU_DEVICE`` override the slugs of the CPU
            and of the GPU, ``CUDA_VISIBLE_DEVICES`` chooses among several GPUs.
    """

    environment: Mapping[str, str]

    @cached_property
    def cpu(self) -> str:
        """Slug of the CPU."""
        return self.environment.get(DEVICE_VARIABLE) or device_slug(device_facts())

    @property
    def gpu(self) -> str | None:
        """Slug of the GPU, or None where there is none that can be asked and nothing names one."""
        name = self._gpu_facts.get("gpu")
        return self.environment.get(GPU_VARIABLE) or (None if name is None else gpu_slug(name))

    def device(self, *, on_gpu: bool) -> str:
        """Slug of the CPU or of the GPU.

        Raises:
            RuntimeUnavailable: There is no GPU.
        """
        if not on_gpu:
            return self.cpu
        if self.gpu is None:
            raise RuntimeUnavailable(
                f"no NVIDIA GPU is known here ({self._gpu_facts['missing']}); if there is one, name it: "
                f"{GPU_VARIABLE}=rtx-4090, or the target in full: rtx-4090/tensorrt-fp16"
            )
        return self.gpu

    def target(self, name: str) -> Target:
        """The target that `name` means on this machine; a name without a device gets the slug of the one it runs on.

        Raises:
            InvalidTarget: The name does not have the form of a target.
            RuntimeUnavailable: It needs a GPU, and there is none.
        """
        found = parse_target(name, device="local")
        return found if "/" in name else parse_target(name, device=self.device(on_gpu=found.on_gpu))

    def is_here(self, target: Target) -> bool:
        """Whether a target is one of this machine's, by its device."""
        return target.device == (self.gpu if target.on_gpu else self.cpu)

    def facts(self, target: Target) -> Mapping[str, str]:
        """What is kept of the hardware of a target."""
        if not target.on_gpu:
            return device_facts()
        return {name: value for name, value in self._gpu_facts.items() if name != "missing"}

    @cached_property
    def _gpu_facts(self) -> Mapping[str, str]:
        """What NVML says of the GPU, or why it says nothing, as ``missing``."""
        monitor = GpuMonitor(self.environment)
        try:
            return monitor.facts() if monitor.available else {"missing": monitor.missing}
        finally:
            monitor.close()


def device_facts(cpuinfo: Path = CPUINFO) -> Mapping[str, str]:
    """Facts about the CPU that identify the hardware: model name, family, model, cores, architecture."""
    facts = {"architecture": platform.machine(), "system": platform.system()}
    try:
        first = cpuinfo.read_text().split("\n\n", 1)[0]
    except OSError:
        return {**facts, "model name": platform.processor() or platform.machine()}
    fields = dict(re.split(r"\s*:\s*", line, maxsplit=1) for line in first.splitlines() if ":" in line)
    kept = ("vendor_id", "model name", "cpu family", "model", "stepping", "cache size")
    return facts | {name: fields[name] for name in kept if name in fields}


def device_slug(facts: Mapping[str, str]) -> str:
    """A short name of the CPU, such as ``epyc-7b12``.

    Where the model name holds no number (some virtual machines hide it), family and model stand in for it:
    ``epyc-family26-model2``.
    """
    words = re.findall(r"[a-z0-9]+", _NOISE.sub(" ", facts.get("model name", "")).lower())
    slug = "-".join(words) or facts.get("architecture", "cpu").lower().replace("_", "-")
    if any(character.isdigit() for character in slug) or "cpu family" not in facts:
        return slug
    return f"{slug}-family{facts['cpu family']}-model{facts['model']}"


def gpu_slug(name: str) -> str:
    """A short name of a GPU from the name of the product, such as ``rtx-4090`` or ``a100-sxm4-40gb``."""
    slug = "-".join(re.findall(r"[a-z0-9.]+", _GPU_NOISE.sub(" ", name.lower()))).strip(".") or "gpu"
    return _BOARDS.get(slug, slug)
