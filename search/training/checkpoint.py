"""Checkpoints: one file that holds everything the next step depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from hyctas.errors import CheckpointMismatch
from search.atomic import remove_unfinished, replacing

VERSION: Final = 1
NAME: Final = "checkpoint.pt"
ABSENT: Final = "absent"


def save_checkpoint(folder: Path, identity: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Replace the checkpoint of `folder`; a kill leaves the old or the new one.

    Args:
        folder: Where it lies.
        identity: What it is a checkpoint of, as JSON values.
        state: Tensors and plain values.

    Raises:
        OSError: The disk is full, or the folder cannot be written; the old checkpoint is still there.
    """
    with replacing(folder / NAME) as file:
        torch.save({"version": VERSION, "identity": dict(identity), "state": dict(state)}, file)


def remove_unfinished_checkpoints(folder: Path) -> None:
    """Remove what killed processes left in `folder`; nobody else may be training into it."""
    remove_unfinished(folder / NAME)


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
        version, kept, state = found["version"], dict(found["identity"]), dict(found["state"])
    except Exception as error:  # torch.load raises whatever it meets
        raise CheckpointMismatch(
            f"{path} is not a checkpoint that can be read: {error}; remove it, or give another folder"
        ) from error
    if version != VERSION:
        raise CheckpointMismatch(f"{path} has format version {version}; this is version {VERSION}")
    if identity is not None:
        _check(path, kept, identity)
    return kept, state


def load_parameters(module: nn.Module, folder: Path, state: Mapping[str, Any]) -> None:
    """Copy the parameters in the state of the checkpoint of `folder` into `module`.

    Raises:
        CheckpointMismatch: They are not those of the module, though it is the same supernet or network.
    """
    try:
        module.load_state_dict(state["parameters"])
    except RuntimeError as error:
        raise CheckpointMismatch(
            f"{folder / NAME} was written by another version of hyctas: {error}; give another folder"
        ) from error


def _check(path: Path, kept: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    there, here = dict(_flat(kept)), dict(_flat(expected))
    differing = [name for name in {**here, **there} if there.get(name, ABSENT) != here.get(name, ABSENT)]
    if differing:
        facts = (f"{name} is {there.get(name, ABSENT)} there and {here.get(name, ABSENT)} here" for name in differing)
        raise CheckpointMismatch(
            f"{path} belongs to another training: {'; '.join(facts)}. Give another folder, or the former options"
        )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values as pairs of a dotted name and a value."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, list(value) if isinstance(value, tuple) else value
