"""What stands in for an engine: the ignore file, stages, and what is left out."""

from __future__ import annotations

import io
import os
from pathlib import Path, PurePosixPath

import pytest

from benchmarks.images.build import Builder, Image, locks_of
from benchmarks.images.compose import Stack, with_defaults
from benchmarks.images.container import TMPFS
from benchmarks.images.context import BuildContext
from benchmarks.images.dockerfile import DockerfileError, read_dockerfile
from benchmarks.images.enter import cleared, dropped
from benchmarks.images.root import BaseSystem

SYSTEM = BaseSystem(Path("/nowhere"), None, "no programs")


def builder(folder: Path, text: str, *, skip: str = "RUN nothing") -> Builder:
    """A builder of a Dockerfile whose stages are based on ``scratch``, a stage that was built."""
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(text)
    (folder / "ignore").write_text("*\n!kept\n**/*.pyc\n")
    for name in ("kept/a.py", "kept/in/b.py", "kept/c.pyc", "lost/d.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    stages = read_dockerfile(folder / "Dockerfile")
    made = Builder(
        {"scratch": next(iter(stages.values())), **stages},
        BuildContext.of(folder, folder / "ignore"),
        SYSTEM,
        folder / "roots",
        folder / "wheels",
        io.StringIO(),
        skipped=lambda command: command == skip,
    )
    root = folder / "roots/scratch"
    (root / "etc").mkdir(parents=True)
    made._built["scratch"] = Image(root, {"PATH": "/bin"}, {}, "/", "0:0", stages[next(iter(stages))])
    return made


def test_settings_add_up_from_stage_to_stage(tmp_path: Path) -> None:
    built = builder(
        tmp_path,
        'FROM scratch AS low\nENV A=1 PATH=/own:$PATH\nARG V=2\nWORKDIR /work\nENTRYPOINT ["low"]\n'
        'FROM low AS high\nENV B=$A$V\nUSER 5:6\nHEALTHCHECK --interval=1s CMD ["ok", "now"]\n'
        'CMD ["a"]\nENTRYPOINT ["h"]\n',
    )
    image = built.build("high")
    assert image.environment == {"PATH": "/own:/bin", "A": "1", "B": "1"}, "an ARG ends with its stage"
    assert (image.folder, image.identity, image.command, image.health_check) == (
        "/work",
        "5:6",
        ("h", "a"),
        ("ok", "now"),
    )
    assert (image.root / "work").is_dir() and built.build("high") is image


def test_copy_takes_what_the_ignore_file_lets_through(tmp_path: Path) -> None:
    image = builder(tmp_path, "FROM scratch AS one\nWORKDIR /w\nCOPY kept k\nCOPY kept/a.py ./\n").build("one")
    files = sorted(path.relative_to(image.root).as_posix() for path in image.root.rglob("*") if path.is_file())
    assert files == ["w/a.py", "w/k/a.py", "w/k/in/b.py"]
    assert image.installed_bytes("w/k") == len("kept/a.py") + len("kept/in/b.py")
    with pytest.raises(FileNotFoundError, match="COPY lost"):
        builder(tmp_path / "again", "FROM scratch AS one\nCOPY lost l\n").build("one")


def test_copy_from_a_stage(tmp_path: Path) -> None:
    text = "FROM scratch AS one\nCOPY kept /k\nFROM scratch AS two\nCOPY --from=one /k /out\n"
    assert (builder(tmp_path, text).build("two").root / "out/in/b.py").read_text() == "kept/in/b.py"


def test_what_cannot_be_done_is_told(tmp_path: Path) -> None:
    built = builder(tmp_path, "FROM scratch AS one\nRUN fetch it\n", skip="fetch it")
    built.build("one")
    assert built.left_out == ["fetch it"]
    with pytest.raises(DockerfileError, match=r"--mount=type=ssh"):
        builder(tmp_path / "again", "FROM scratch AS one\nRUN --mount=type=ssh it\n").build("one")


def test_locks_are_found_behind_stages(tmp_path: Path) -> None:
    above = "FROM x AS one\nCOPY a.lock b.lock ./\nFROM one AS two\n"
    built = builder(tmp_path, above + "FROM x AS three\nCOPY c.lock ./\nCOPY --from=two /k /k\n")
    stages = {name: stage for name, stage in built.stages.items() if name != "scratch"}
    assert [lock.name for lock in locks_of(stages, ["three"], built.context)] == ["a.lock", "b.lock", "c.lock"]
    assert [lock.name for lock in locks_of(stages, ["two"], built.context)] == ["a.lock", "b.lock"]


@pytest.mark.parametrize(
    ("path", "through"),
    [("kept/x", True), ("kept", True), ("kept/x.pyc", False), ("keptnot/x", False), ("a/kept", False)],
)
def test_last_pattern_that_matches_counts(path: str, through: bool) -> None:
    context = BuildContext(Path("/"), ("*", "!kept", "**/*.pyc"))
    assert context.has(PurePosixPath(path)) is through


def test_privileges_are_dropped_unless_it_is_a_build() -> None:
    assert "--no-new-privs" in dropped("5:6", False) and dropped("5:6", False)[1:5] == ["--reuid", "5", "--regid", "6"]
    assert "--no-new-privs" not in dropped("0:0", True)
    assert cleared({"A": "b c"}) == ["/usr/bin/env", "-i", "A=b c"]


@pytest.mark.skipif(os.geteuid() != 0, reason="volumes are given to the users of containers, which only root can")
def test_services_are_started_as_the_file_says(docker: Path, tmp_path: Path) -> None:
    built = builder(tmp_path, 'FROM scratch AS api\nENTRYPOINT ["hyctas"]\nCMD ["serve"]\n')
    stack = Stack(docker / "compose.yaml", {"api": built.build("api")}, SYSTEM, tmp_path, io.StringIO())
    container, command = stack._ours("api")
    assert command == ("hyctas", "serve")
    assert (container.identity, container.read_only, container.network) == ("10001:10001", True, None)
    assert container.tmpfs == {"/tmp": TMPFS}
    assert container.environment["HYCTAS_DB_FILE"] == "/run/secrets/database_url"
    assert (tmp_path / "secrets/api_keys", "/run/secrets/api_keys", True) in container.binds
    assert (tmp_path / "volumes/data", "/data", True) in container.binds
    assert "127.0.0.1 postgres\n" in (container.root / "etc/hosts").read_text()


def test_defaults_are_put_in_after_reading_so_that_empty_ones_are_texts() -> None:
    given = {"a": "${X:-}", "b": ["${Y:-127.0.0.1:8000}:8000"], "c": True}
    assert with_defaults(given) == {"a": "", "b": ["127.0.0.1:8000:8000"], "c": True}
