"""Checkpoints: whole or not at all, and refused where they are those of something else."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hyctas.errors import CheckpointMismatch
from search.training.checkpoint import (
    NAME,
    VERSION,
    load_checkpoint,
    load_parameters,
    remove_unfinished_checkpoints,
    save_checkpoint,
)

IDENTITY = {"kind": "supernet", "training": {"steps": 10, "seed": 0}, "dataset": "abc"}
STATE = {"step": 3, "parameters": {"weight": torch.arange(6.0).reshape(2, 3)}}

DIES_BEFORE_REPLACING = """
import os, sys
from pathlib import Path
from search.training.checkpoint import save_checkpoint

os.replace = lambda *_: os._exit(7)
save_checkpoint(Path(sys.argv[1]), {}, {"step": 4})
"""


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, int]]:
        return os.open, (str(self.path), os.O_CREAT)


def written(folder: Path) -> bytes:
    save_checkpoint(folder, IDENTITY, STATE)
    return (folder / NAME).read_bytes()


def test_checkpoint_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "new" / "folder", IDENTITY, STATE)
    found = load_checkpoint(tmp_path / "new" / "folder", IDENTITY)
    assert found is not None
    identity, state = found
    assert identity == IDENTITY
    assert state["step"] == 3
    assert torch.equal(state["parameters"]["weight"], STATE["parameters"]["weight"])  # type: ignore[index]


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, IDENTITY) is None
    assert load_checkpoint(tmp_path / "absent") is None


def test_tuples_and_lists_of_an_identity_are_the_same(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"widths": (4, 6)}, STATE)
    assert load_checkpoint(tmp_path, {"widths": [4, 6]}) is not None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"dataset": "def"}, "dataset is abc there and def here"),
        ({"training": {"steps": 20, "seed": 0}}, "training.steps is 10 there and 20 here"),
        ({"training": {"steps": 10}}, "training.seed is 0 there and absent here"),
        ({"start": "x"}, "start is absent there and x here"),
        ({"kind": "network"}, "kind is supernet there and network here"),
    ],
)
def test_checkpoint_of_something_else_is_refused_by_what_differs(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    save_checkpoint(tmp_path, IDENTITY, STATE)
    with pytest.raises(CheckpointMismatch, match="belongs to another training") as error:
        load_checkpoint(tmp_path, IDENTITY | change)
    assert named in str(error.value)
    assert str(tmp_path / NAME) in str(error.value)


def test_everything_that_differs_is_named(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, IDENTITY, STATE)
    with pytest.raises(CheckpointMismatch) as error:
        load_checkpoint(tmp_path, {"kind": "network", "training": {"steps": 10, "seed": 1}, "dataset": "abc"})
    assert "kind" in str(error.value)
    assert "training.seed" in str(error.value)
    assert "training.steps" not in str(error.value)
    assert "dataset" not in str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_truncated_checkpoint_is_refused(tmp_path: Path, share: float) -> None:
    content = written(tmp_path)
    (tmp_path / NAME).write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointMismatch, match="not a checkpoint that can be read"):
        load_checkpoint(tmp_path, IDENTITY)


@pytest.mark.parametrize("foreign", [b"not a checkpoint", pickle.dumps({"version": 1})], ids=["text", "pickle"])
def test_foreign_file_is_refused(tmp_path: Path, foreign: bytes) -> None:
    (tmp_path / NAME).write_bytes(foreign)
    with pytest.raises(CheckpointMismatch, match="not a checkpoint that can be read"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "content", [[1, 2], {"weights": {}}, {"version": VERSION, "identity": 1, "state": {}}], ids=["list", "keys", "int"]
)
def test_torch_file_of_another_kind_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / NAME)
    with pytest.raises(CheckpointMismatch, match="not a checkpoint that can be read"):
        load_checkpoint(tmp_path)


def test_checkpoint_of_another_format_is_refused_by_its_version(tmp_path: Path) -> None:
    torch.save({"version": VERSION + 1, "identity": IDENTITY, "state": {}}, tmp_path / NAME)
    with pytest.raises(CheckpointMismatch, match=f"format version {VERSION + 1}; this is version {VERSION}"):
        load_checkpoint(tmp_path, IDENTITY)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    trapped = tmp_path / "trapped"
    torch.save({"version": VERSION, "identity": {}, "state": Trap(trapped)}, tmp_path / NAME)
    with pytest.raises(CheckpointMismatch):
        load_checkpoint(tmp_path)
    assert not trapped.exists()


def test_death_before_replacing_leaves_the_old_checkpoint(tmp_path: Path, root: Path) -> None:
    before = written(tmp_path)
    dying = [sys.executable, "-c", DIES_BEFORE_REPLACING, str(tmp_path)]
    assert subprocess.run(dying, cwd=root, check=False).returncode == 7
    assert (tmp_path / NAME).read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
    remove_unfinished_checkpoints(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_full_disk_leaves_the_old_checkpoint_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path, IDENTITY, STATE | {"step": 4})
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).read_bytes() == before


def test_parameters_of_another_module_are_refused(tmp_path: Path) -> None:
    module = nn.Linear(3, 2, bias=False)
    load_parameters(module, tmp_path, STATE)
    assert torch.equal(module.weight, STATE["parameters"]["weight"])  # type: ignore[index]
    with pytest.raises(CheckpointMismatch, match="written by another version"):
        load_parameters(nn.Linear(2, 2), tmp_path, STATE)
