"""When two architectures are one network."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Final

from hyctas.architecture import Architecture
from hyctas.decomposition import decompose
from hyctas.parts import Part

DIGEST_BYTES: Final = 16


@lru_cache(maxsize=4096)
def graph_identity(architecture: Architecture) -> bytes:
    """A digest that is equal for architectures that lower to equal graphs, at a hundredth of the time of lowering.

    It covers the parts that are built, shared cells once, and what each of them reads. A part's graph follows from its
    fields, and the order of parts from the canonical order of branches.
    """
    decomposed = decompose(architecture)
    wired = [f"{_text(placed.part)} reads {placed.inputs}" for placed in decomposed.parts]
    return blake2b(f"{';'.join(wired)};{decomposed.outputs}".encode(), digest_size=DIGEST_BYTES).digest()


@lru_cache(maxsize=16384)
def _text(part: Part) -> str:
    return repr(part)
