"""Does what a Dockerfile says, stage by stage, without the network: packages come from a folder of wheels."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Final

from benchmarks.images.container import ROOT, Container
from benchmarks.images.context import BuildContext
from benchmarks.images.dockerfile import DockerfileError, Instruction, Stage, expand, settings
from benchmarks.images.root import BaseSystem

RUN_LIMIT_S: Final = 1200.0
BASE_PATH: Final = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
"""As in the base image."""
WHEELS: Final = "/run/wheels"
OFFLINE: Final = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
"""How pip is told to take packages from the folder alone; what is checked is still what the lock says."""


class BuildFailed(Exception):
    """An instruction failed; the log says how."""


@dataclass(frozen=True)
class Image:
    """A stage that was built.

    Attributes:
        root: Its files, without the system's programs.
        environment: From ``ENV``.
        arguments: From ``ARG``; no part of the image.
        folder: From ``WORKDIR``.
        identity: From ``USER``.
        stage: What it was built from.
    """

    root: Path
    environment: Mapping[str, str]
    arguments: Mapping[str, str]
    folder: str
    identity: str
    stage: Stage

    @property
    def command(self) -> tuple[str, ...]:
        """What starts when nothing else is asked for."""
        return (*self.entrypoint, *self._words("CMD"))

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """What comes before any command."""
        return self._words("ENTRYPOINT")

    @property
    def health_check(self) -> tuple[str, ...] | None:
        """The command of the health check, or None where there is none."""
        found = self.stage.last("HEALTHCHECK")
        if found is None or found.text == "NONE":
            return None
        return replace(found, text=found.text.removeprefix("CMD").strip()).words

    def installed_bytes(self, folder: str = "opt/hyctas") -> int:
        """Size of the files of a folder."""
        files = (Path(at, name) for at, _, names in os.walk(self.root / folder) for name in names)
        return sum(file.lstat().st_size for file in files if not file.is_symlink())

    def container(self, system: BaseSystem) -> Container:
        """A container as the image wants it."""
        return Container(system, self.root, self.environment, self.identity, self.folder)

    def _words(self, keyword: str) -> tuple[str, ...]:
        found = self.stage.last(keyword)
        return () if found is None else found.words


@dataclass
class Builder:
    """Builds stages and keeps them.

    Attributes:
        stages: The Dockerfile's.
        context: What ``COPY`` copies from.
        system: Stands in for the base image.
        folder: Where roots are made.
        wheels: Packages.
        log: Where output goes.
        skipped: Tells which ``RUN`` cannot be done here; it is left out, and told to `say`.
        say: Told each step.
        left_out: Each ``RUN`` that was left out.
    """

    stages: Mapping[str, Stage]
    context: BuildContext
    system: BaseSystem
    folder: Path
    wheels: Path
    log: IO[str]
    skipped: Callable[[str], bool] = lambda command: False
    say: Callable[[str], None] = lambda line: None
    left_out: list[str] = field(default_factory=list)
    _built: dict[str, Image] = field(default_factory=dict)

    def build(self, name: str) -> Image:
        """The image of a stage, with all that it is built from.

        Raises:
            BuildFailed: An instruction failed.
            DockerfileError: One is not understood.
        """
        if name not in self._built:
            stage = self.stages[name]
            image = self._begun(stage)
            for instruction in stage.instructions:
                self.say(f"{name}: {instruction.keyword} {instruction.text[:100]}")
                image = self._done(image, instruction)
            self._built[name] = image
        return self._built[name]

    def _begun(self, stage: Stage) -> Image:
        root = self.folder / stage.name
        if stage.base not in self.stages:
            root.mkdir(parents=True)
            self.system.make_root(root)
            if Container(self.system, root, {"PATH": BASE_PATH}).run(["ldconfig"], limit_s=RUN_LIMIT_S, log=self.log):
                raise BuildFailed("ldconfig, which finds the libraries of the Python at /usr/local, failed")
            return Image(root, {"PATH": BASE_PATH}, {}, "/", ROOT, stage)
        below = self.build(stage.base)
        shutil.copytree(below.root, root, symlinks=True)
        _keep_owners(below.root, root)
        return replace(below, root=root, arguments={}, stage=stage)

    def _done(self, image: Image, instruction: Instruction) -> Image:
        text = instruction.text
        match instruction.keyword:
            case "ENV":
                return replace(image, environment={**image.environment, **settings(expand(text, _variables(image)))})
            case "ARG":
                return replace(image, arguments={**image.arguments, **settings(text)})
            case "WORKDIR":
                (image.root / text.lstrip("/")).mkdir(parents=True, exist_ok=True)
                return replace(image, folder=text)
            case "USER":
                return replace(image, identity=text)
            case "COPY":
                self._copy(image, instruction)
            case "RUN":
                self._run(image, instruction)
            case "EXPOSE" | "HEALTHCHECK" | "ENTRYPOINT" | "CMD":
                pass
            case keyword:
                raise DockerfileError(f"line {instruction.line}: {keyword} is not done here")
        return image

    def _copy(self, image: Image, instruction: Instruction) -> None:
        *sources, destination = instruction.words
        target = image.root / os.path.join(image.folder, destination).lstrip("/")
        origin = instruction.flag("from")
        for source in sources:
            into = target / Path(source).name if destination.endswith("/") else target
            if origin is None:
                self.context.copy(source, into)
            else:
                theirs = self.build(origin).root
                shutil.copytree(theirs / source.lstrip("/"), into, symlinks=True, copy_function=os.link)

    def _run(self, image: Image, instruction: Instruction) -> None:
        if self.skipped(instruction.text):
            self.left_out.append(instruction.text)
            self.say(f"  left out: {instruction.text}")
            return
        caches = [_cache(value, instruction) for name, value in instruction.flags if name == "mount"]
        container = Container(
            self.system,
            image.root,
            {**_variables(image), **OFFLINE},
            image.identity,
            image.folder,
            tmpfs=dict.fromkeys(caches, "mode=755"),
            binds=[(self.wheels, WHEELS, True)],
        )
        command = instruction.words if instruction.is_list else ("/bin/sh", "-c", instruction.text)
        code = container.run(command, limit_s=RUN_LIMIT_S, log=self.log)
        if code != 0:
            raise BuildFailed(f"line {instruction.line}: exit code {code}: RUN {instruction.text}")


def locks_of(stages: Mapping[str, Stage], names: Collection[str], context: BuildContext) -> list[Path]:
    """The lock files that some stages, and all that they are built from, copy."""
    found: dict[Path, None] = {}
    waiting = list(names)
    while waiting:
        stage = stages.get(waiting.pop())
        if stage is None:
            continue
        waiting.append(stage.base)
        for each in stage.instructions:
            if each.keyword == "COPY" and (origin := each.flag("from")) is not None:
                waiting.append(origin)
            elif each.keyword == "COPY":
                found |= {context.folder / word: None for word in each.words[:-1] if word.endswith(".lock")}
    return sorted(found)


def _variables(image: Image) -> dict[str, str]:
    return {**image.arguments, **image.environment}


def _cache(mount: str, instruction: Instruction) -> str:
    fields = dict(part.split("=", 1) for part in mount.split(","))
    if fields.get("type") != "cache":
        raise DockerfileError(f"line {instruction.line}: --mount={mount} is not done here")
    return fields["target"]


def _keep_owners(source: Path, destination: Path) -> None:
    for folder, folders, files in os.walk(source):
        for name in (*folders, *files):
            theirs, ours = Path(folder, name), destination / Path(folder, name).relative_to(source)
            status = theirs.lstat()
            os.chown(ours, status.st_uid, status.st_gid, follow_symlinks=False)
