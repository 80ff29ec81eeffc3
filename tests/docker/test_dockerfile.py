"""The Dockerfile: linted, pinned, without root, and its images what they are said to be."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import pytest

from benchmarks.images.build import locks_of
from benchmarks.images.context import BuildContext
from benchmarks.images.dockerfile import DockerfileError, Stage, expand, read_dockerfile

IMAGES = ("api", "profiler-cpu", "profiler-tensorrt", "search")
PINNED = re.compile(r"[a-z]+:[0-9][0-9a-z.]*-[a-z-]+@sha256:[0-9a-f]{64}")
SCRIPTS = Path(sysconfig.get_path("scripts"))


def ancestry(stages: Mapping[str, Stage], name: str) -> Iterator[Stage]:
    """A stage, what it is from, and so on."""
    while name in stages:
        yield stages[name]
        name = stages[name].base


def test_hadolint_has_nothing_to_say(docker: Path) -> None:
    command = [SCRIPTS / "hadolint", "--failure-threshold", "style", docker / "Dockerfile"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_hadolint_would_say_something(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM python:latest\nRUN cd /tmp && pip install numpy\n")
    done = subprocess.run([SCRIPTS / "hadolint", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "DL3007" in done.stdout


@pytest.mark.parametrize("image", IMAGES)
def test_image_is_pinned_and_starts_without_root(image: str, stages: Mapping[str, Stage]) -> None:
    *_, lowest = ancestry(stages, image)
    assert PINNED.fullmatch(lowest.base)
    user = stages[image].last("USER")
    assert user is not None and user.text == "10001:10001"
    for keyword in ("ENTRYPOINT", "CMD"):
        found = stages[image].last(keyword)
        assert found is not None and found.is_list, "no shell between the container and the signal that ends it"


@pytest.mark.parametrize("image", ["api", "profiler-cpu", "profiler-tensorrt"])
def test_service_has_a_health_check(image: str, stages: Mapping[str, Stage]) -> None:
    found = stages[image].last("HEALTHCHECK")
    assert found is not None and found.text.startswith("CMD [")
    assert {"interval", "timeout", "start-period", "retries"} == dict(found.flags).keys()


def test_packages_come_from_locks_with_checksums_alone(stages: Mapping[str, Stage]) -> None:
    commands = [each.text for stage in stages.values() for each in stage.instructions if each.keyword == "RUN"]
    installs = [command for command in commands if " install " in command and "pip" in command]
    unlocked = [c for c in installs if "--require-hashes" not in c and "--no-deps --no-index" not in c]
    assert len(installs) > 8
    assert len(unlocked) == 1 and "tensorrt-cu12==$TENSORRT" in unlocked[0]


@pytest.mark.parametrize("image", IMAGES)
def test_image_takes_its_own_lock(image: str, stages: Mapping[str, Stage], context: BuildContext) -> None:
    assert [lock.stem for lock in locks_of(stages, [image], context)] == sorted([image, "build"])


def test_what_is_copied_is_let_through_and_nothing_else_is(stages: Mapping[str, Stage], context: BuildContext) -> None:
    copied = [
        word
        for stage in stages.values()
        for each in stage.instructions
        if each.keyword == "COPY" and each.flag("from") is None
        for word in each.words[:-1]
    ]
    assert "hyctas" in copied
    assert all(context.has(PurePosixPath(path)) and (context.folder / path).exists() for path in copied)
    for secret in ("docker/secrets/api_keys", "tests/conftest.py", ".git/config", ".venv/bin/python", "hyctas.db"):
        assert not context.has(PurePosixPath(secret))
    assert not context.has(PurePosixPath("hyctas/__pycache__/graph.cpython-311.pyc"))


def test_every_package_is_copied(root: Path, stages: Mapping[str, Stage]) -> None:
    copied = {word for each in stages["wheel"].instructions if each.keyword == "COPY" for word in each.words[:-1]}
    assert {file.parent.name for file in root.glob("*/py.typed")} <= copied


def test_reader_joins_lines_and_takes_flags_apart(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(
        "# a comment\nFROM python:3 AS one\nENV A=1 \\\n    B=2\n"
        'RUN --mount=type=cache,target=/c \\\n    # within\n    echo $A\nFROM one AS two\nCMD ["a b", "c"]\n'
    )
    stages = read_dockerfile(file)
    assert list(stages) == ["one", "two"] and stages["two"].base == "one"
    environment, run = stages["one"].instructions
    assert (environment.text, run.flags, run.text) == ("A=1 B=2", (("mount", "type=cache,target=/c"),), "echo $A")
    command = stages["two"].last("CMD")
    assert command is not None and command.words == ("a b", "c") and command.line == 9
    assert expand("$A-${B}-$C", {"A": "1", "B": "2"}) == "1-2-"


@pytest.mark.parametrize("text", ["RUN a\n", "FROM python:3\n", "FROM python:3 AS one\nVOLUME /data\n"])
def test_reader_refuses_what_it_does_not_know(text: str, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(text)
    with pytest.raises(DockerfileError, match=r"line \d"):
        read_dockerfile(file)
