"""TensorRT's timing cache on disk: one file for each device and each version of TensorRT.

A build times tactics and takes the fastest. With the cache a tactic is timed once, so that later builds are quick and
choose alike; a tactic that won by noise stays chosen, too (``variance.py`` measures how much that can matter).

Processes share a file. Under a lock, what a build timed is combined with what is on disk by then, and the file is
replaced at once, so that nobody's entries are lost and nobody reads half a file. A file that is not what was
written is ignored, said so, and replaced.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from profiler.runtimes.tensorrt.library import Library

LOCK_LIMIT_S: Final = 60.0
_MAGIC: Final = b"hyctas timing cache 1\n"
_DIGEST_BYTES: Final = hashlib.sha256().digest_size
_log: Final = logging.getLogger(__name__)


def default_folder() -> Path:
    """Where timing caches are kept: the user's cache folder."""
    return user_cache_path("hyctas", appauthor=False) / "tensorrt"


@dataclass(frozen=True, slots=True)
class TimingCacheFile:
    """The timings of one device under one version.

    Attributes:
        path: The file; it need not exist yet.
    """

    path: Path

    @classmethod
    def of(cls, library: Library, device: str, compute_capability: tuple[int, int], folder: Path) -> TimingCacheFile:
        """The file for a device, by its full name, under this version of TensorRT."""
        slug = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
        capability = ".".join(map(str, compute_capability))
        return cls(folder / f"{slug}-sm{capability}-{library.runtime}-{library.version}.timings")

    def attach(self, config: Any) -> int:
        """Have a build use these timings, and return their size in bytes; an unusable file counts as empty."""
        data = self._read()
        if data and _attached(config, data):
            return len(data)
        if data:
            _log.warning("TensorRT does not accept the timing cache %s; it is begun anew", self.path)
        _attached(config, b"")
        return 0

    def keep(self, config: Any) -> None:
        """Add what a build with these timings timed; where the file cannot be written, say so and go on."""
        own = config.get_timing_cache()
        if own is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock", timeout=LOCK_LIMIT_S):
                self._write(_combined(config, own, self._read()))
        except (OSError, Timeout) as error:
            _log.warning("the timing cache %s is not kept: %s", self.path, error)

    def _read(self) -> bytes:
        """The timings on disk, or nothing."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            _log.warning("the timing cache %s cannot be read: %s", self.path, error)
            return b""
        digest = content[len(_MAGIC) : len(_MAGIC) + _DIGEST_BYTES]
        data = content[len(_MAGIC) + _DIGEST_BYTES :]
        if content.startswith(_MAGIC) and hashlib.sha256(data).digest() == digest:
            return data
        _log.warning("the timing cache %s is damaged; it is begun anew", self.path)
        return b""

    def _write(self, data: bytes) -> None:
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            partial.write_bytes(_MAGIC + hashlib.sha256(data).digest() + data)
            partial.replace(self.path)
        finally:
            partial.unlink(missing_ok=True)


def _attached(config: Any, data: bytes) -> bool:
    """Whether TensorRT took `data` as the timing cache of a build; it checks version and device itself as well."""
    cache = config.create_timing_cache(data)
    return cache is not None and bool(config.set_timing_cache(cache, ignore_mismatch=False))


def _combined(config: Any, own: Any, on_disk: bytes) -> bytes:
    """What a build timed, and what others have written meanwhile; the build's own entries win."""
    if on_disk:
        others = config.create_timing_cache(on_disk)
        if others is not None:
            own.combine(others, ignore_mismatch=False)
    return bytes(own.serialize())
