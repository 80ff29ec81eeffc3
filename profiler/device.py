"""What hardware this is: the device part of a target's name."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CPUINFO: Final = Path("/proc/cpuinfo")
DEVICE_VARIABLE: Final = "HYCTAS_DEVICE"
_NOISE: Final = re.compile(r"\((?:r|tm)\)|\b(?:amd|intel|cpu|processor|core|\d+-core)\b|@.*$", re.IGNORECASE)


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


def local_device(environment: Mapping[str, str]) -> str:
    """Slug of this machine: ``HYCTAS_DEVICE`` of the environment, or the hardware's."""
    return environment.get(DEVICE_VARIABLE) or device_slug(device_facts())
