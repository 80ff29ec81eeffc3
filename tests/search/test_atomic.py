from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from search.atomic import write_atomically

DIES_BEFORE_REPLACING = """
import os, signal, sys
from pathlib import Path
from search.atomic import write_atomically
os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
write_atomically(Path(sys.argv[1]), b"new")
"""


def test_content_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for content in (b"old", b"", b"new" * 100_000):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "one" / "two" / "state.json"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("fails", ["replace", "fsync"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_keeps_the_old_content_and_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, error: BaseException
) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, b"old")

    def failing(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(os, fails, failing)
    with pytest.raises(type(error)):
        write_atomically(path, b"new")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_content_of_another_kind_keeps_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "new")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_a_kill_in_the_middle_keeps_the_old_content(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, b"old")
    done = subprocess.run([sys.executable, "-c", DIES_BEFORE_REPLACING, str(path)], cwd=root)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    write_atomically(path, b"newer")
    assert path.read_bytes() == b"newer"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(PermissionError):
            write_atomically(tmp_path / "state.json", b"new")
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_file_where_a_folder_should_be_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "searches").write_bytes(b"a file")
    with pytest.raises(OSError, match="searches"):
        write_atomically(tmp_path / "searches" / "state.json", b"new")
