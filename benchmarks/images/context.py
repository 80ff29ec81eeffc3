"""What ``COPY`` copies: the files of the repository that the image's ignore file lets through."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class BuildContext:
    """A folder and the patterns of its ignore file.

    Attributes:
        folder: Where the files are.
        patterns: Lines of the ignore file: the last that matches a path or a folder above it counts.
    """

    folder: Path
    patterns: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, ignore_file: Path) -> BuildContext:
        """The context of a Dockerfile whose ignore file is there."""
        lines = (line.strip() for line in ignore_file.read_text(encoding="utf-8").splitlines())
        return cls(folder, tuple(line for line in lines if line and not line.startswith("#")))

    def has(self, path: PurePosixPath) -> bool:
        """Whether the ignore file lets a path through."""
        let_through = True
        for pattern in self.patterns:
            if _matches(path, pattern.removeprefix("!")):
                let_through = pattern.startswith("!")
        return let_through

    def copy(self, source: str, destination: Path) -> int:
        """Copy a file, or what is in a folder; returns how many files.

        Raises:
            FileNotFoundError: Nothing of that name is let through.
        """
        origin, copied = self.folder / source, 0
        for path in sorted(_files(origin)):
            relative = PurePosixPath(path.relative_to(self.folder).as_posix())
            if self.has(relative):
                target = destination / path.relative_to(origin) if origin.is_dir() else destination
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                copied += 1
        if not copied:
            raise FileNotFoundError(f"COPY {source}: the ignore file lets nothing of it through")
        return copied


def _matches(path: PurePosixPath, pattern: str) -> bool:
    names = (path, *path.parents[:-1])
    if pattern.startswith("**/"):
        return any(fnmatch(name.name, pattern[3:]) for name in names)
    return any(fnmatch(str(name), pattern) and str(name).count("/") == pattern.count("/") for name in names)


def _files(origin: Path) -> list[Path]:
    if origin.is_file():
        return [origin]
    return [Path(folder, name) for folder, _, names in os.walk(origin) for name in names]
