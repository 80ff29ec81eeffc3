"""Timing caches: tactics by layer, for one version and one device."""

from __future__ import annotations

import json

from simulated_gpu import gpu
from tensorrt._members import VERSION

from standin_tensorrt.strict import NotConstructible, strict
from standin_tensorrt.values import IHostMemory

_MAGIC = b"standin-timing-cache\n"


class NotACache(Exception):
    """These bytes are no timing cache."""


@strict
class ITimingCache(NotConstructible):
    """Made by :meth:`IBuilderConfig.create_timing_cache`."""

    __slots__ = ("_device", "_factors", "_version")

    def _set_up(self, data: bytes) -> None:
        self._factors: dict[str, float] = {}
        self._version, self._device = VERSION, gpu().scenario.device.name
        if not data:
            return
        if not data.startswith(_MAGIC):
            raise NotACache
        try:
            document = json.loads(data[len(_MAGIC) :])
            self._version, self._device, self._factors = document["version"], document["device"], document["factors"]
        except (ValueError, KeyError) as error:
            raise NotACache from error

    def _matches(self, ignore_mismatch: bool) -> bool:
        same_device = self._device == gpu().scenario.device.name
        return self._version == VERSION and (same_device or ignore_mismatch)

    def serialize(self) -> IHostMemory:
        document = {"version": self._version, "device": self._device, "factors": self._factors}
        return IHostMemory(_MAGIC + json.dumps(document).encode())

    def combine(self, input_cache: ITimingCache, ignore_mismatch: bool) -> bool:
        if input_cache._version != self._version or not input_cache._matches(ignore_mismatch):
            return False
        self._factors = {**input_cache._factors, **self._factors}
        return True

    def reset(self) -> bool:
        self._factors.clear()
        return True
