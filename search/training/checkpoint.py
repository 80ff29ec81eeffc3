"""Checkpoints: one file that holds everything the next step depends on."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from hyctas.errors import CheckpointMismatch
from search.atomic import write_atomically

VERSION: Final = 1
NAME: Final = "checkpoint.pt"


def save_checkpoint(folder: Path, identity: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Replace the checkpoint of `folder`; a kill leaves the old or the new one.

    Args:
        folder: Where it lies.
        identity: What it is a checkpoint of, as JSON values.
        state: Tensors and plain values.
    """
    content = io.BytesIO()
    torch.save({"version": VERSION, "identity": dict(identity), "state": dict(state)}, content)
    write_atomically(folder / NAME, content.getvalue())


def load_checkpoint(
    folder: Path, identity: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Identity and state of the checkpoint in `folder`, or None where there is none. No code of it is run.

    Args:
        folder: Where to look.
        identity: What it must be a checkpoint of.

    Raises:
        CheckpointMismatch: The file cannot be read, or is a checkpoint of something else; says what differs.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        version, kept, state = found["version"], found["identity"], found["state"]
    except Exception as error:  # torch.load raises whatever it meets
        raise CheckpointMismatch(f"{path} is not a checkpoint that can be read: {error}") from error
    if version != VERSION:
        raise CheckpointMismatch(f"{path} has format version {version}; this is version {VERSION}")
    if identity is not None:
        _check(path, kept, identity)
    return kept, state


def _check(path: Path, kept: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for name in sorted({*kept, *expected}):
        if kept.get(name) != expected.get(name):
            raise CheckpointMismatch(
                f"{path} belongs to another training: {name} is {kept.get(name)!r} there and {expected.get(name)!r} "
                "here; give another folder, or the former options"
            )
