"""Versions of what measures: this program, and the firmware of the machine as far as it may be read."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

CPUINFO: Final = Path("/proc/cpuinfo")
BIOS: Final = Path("/sys/class/dmi/id/bios_version")


def own_version() -> dict[str, str]:
    """The version of hyctas, where it is installed."""
    try:
        return {"hyctas": version("hyctas")}
    except PackageNotFoundError:
        return {}


def firmware(cpuinfo: Path = CPUINFO, bios: Path = BIOS) -> dict[str, str]:
    """Microcode of the CPU and version of the BIOS; what the system does not tell is left out."""
    found = {"microcode": _microcode(cpuinfo), "bios": _text(bios).strip()}
    return {name: value for name, value in found.items() if value}


def _microcode(cpuinfo: Path) -> str:
    for line in _text(cpuinfo).splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "microcode":
            return value.strip()
    return ""


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
