"""Build the images of ``docker/`` without an engine, print what they weigh, and start what they start.

``python -m benchmarks.images`` as root on Linux; ``--base debian`` does it on a new, minimal Debian (debootstrap)
instead of this machine's programs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from platformdirs import user_cache_path

from benchmarks.images.build import Builder, BuildFailed, Image, locks_of
from benchmarks.images.compose import Stack, Unhealthy
from benchmarks.images.container import TMPFS, why_not_here
from benchmarks.images.context import BuildContext
from benchmarks.images.dockerfile import read_dockerfile
from benchmarks.images.journey import Failed, journey, make_secrets
from benchmarks.images.place import working_folder
from benchmarks.images.root import BaseSystem, debian, this_system
from benchmarks.images.wheels import fetch_wheels

TOP: Final = Path(__file__).parents[2]
IMAGES: Final = ("api", "profiler-cpu", "search", "profiler-tensorrt")
RESULTS: Final = TOP / "benchmarks" / "results" / "images"
NEEDED_BYTES: Final = 7 << 30
MEBIBYTE: Final = 1 << 20
TARGETS_LIMIT_S: Final = 300.0


def main() -> None:
    """Do it; exit code 1 where something failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.images", description=__doc__)
    parser.add_argument("--base", choices=("here", "debian"), default="here", help="what stands in for the base image")
    chosen = parser.parse_args()
    if (reason := why_not_here()) is not None:
        sys.exit(f"not done: {reason}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    system = this_system() if chosen.base == "here" else debian(user_cache_path("hyctas") / "images")
    print(f"in place of {read_dockerfile(TOP / 'docker/Dockerfile')['base'].base}: {system.described}")
    log_file = RESULTS / "log"
    with log_file.open("w", buffering=1) as log, working_folder(NEEDED_BYTES) as folder:
        try:
            _check(system, folder, log)
        except (BuildFailed, Unhealthy, Failed) as error:
            sys.exit(f"{error}\n(the log is {log_file})")


def _check(system: BaseSystem, folder: Path, log: IO[str]) -> None:
    images = _built(system, folder, log)
    for name in ("profiler-cpu", "profiler-tensorrt"):
        print(f"{name}: hyctas targets")
        with _printed(folder / "targets") as out:
            container = replace(images[name].container(system), read_only=True, tmpfs={"/tmp": TMPFS})
            code = container.run([*images[name].entrypoint, "targets"], limit_s=TARGETS_LIMIT_S, log=out)
        if code != 0:
            raise Failed(f"{name}: hyctas targets: exit code {code}")
    print("docker/compose.yaml, its services in one network of their own:")
    make_secrets(TOP / "docker/make-secrets.sh", folder / "stack")
    with Stack(TOP / "docker/compose.yaml", images, system, folder / "stack", log) as stack:
        journey(stack, lambda line: print(f"  {line}", flush=True))


def _built(system: BaseSystem, folder: Path, log: IO[str]) -> Mapping[str, Image]:
    stages = read_dockerfile(TOP / "docker/Dockerfile")
    context = BuildContext.of(TOP, TOP / "docker/Dockerfile.dockerignore")
    fetch_wheels(locks_of(stages, IMAGES, context), folder / "wheels", log=log)
    builder = Builder(
        stages, context, system, folder / "roots", folder / "wheels", log, skipped=lambda text: "tensorrt-cu12" in text
    )
    images = {}
    for name in IMAGES:
        images[name] = builder.build(name)
        print(f"{name:18} {images[name].installed_bytes() / MEBIBYTE:6.0f} MiB installed", flush=True)
    for text in builder.left_out:
        print(f"left out, since it is not to be had here: RUN {text}")
    return images


@contextmanager
def _printed(file: Path) -> Iterator[IO[str]]:
    with file.open("w+") as out:
        yield out
        out.seek(0)
        print("".join(f"  {line}" for line in out), end="", flush=True)


if __name__ == "__main__":
    main()
