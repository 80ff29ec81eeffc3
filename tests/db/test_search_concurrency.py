"""Searches that are killed between two writes, and several at once: a generation is there whole, or not at all."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from db.repository import Repository

POPULATION = 12
TARGETS = 2
KILLS = 12

SEARCH = f"""
import sys
from db.records import CandidateLatency, CandidateRecord
from db.repository import Repository

url, resumed, generations = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
latencies = tuple(CandidateLatency(f"t{{n}}", 0.03, 0.02, 0.04, 0.9, "learned", "m", 0, None) for n in range({TARGETS}))
with Repository(url) as repository:
    search = resumed or repository.start_search({{}}, ["t0", "t1"], {{}}, 0)
    if resumed:
        repository.resume_search(search)
    print(search, flush=True)
    sys.stdin.readline()
    for generation in range(generations):
        repository.add_candidates(search, [
            CandidateRecord(search, generation, f"a-{{generation}}-{{n}}", {{"n": n}}, n / 100, None, None, latencies)
            for n in range({POPULATION})
        ])
        print(generation, flush=True)
    repository.finish_search(search, {{}})
"""

DIE_AFTER = """
import os, signal
from db import candidates, inserting, workloads

def insert_and_die(session, table, rows):
    inserting.insert_missing(session, table, rows)
    if table.__name__ == "{table}":
        os.kill(os.getpid(), signal.SIGKILL)

candidates.insert_missing = workloads.insert_missing = insert_and_die
"""


class Search:
    """A process that stores generations of candidates, and says so after each."""

    def __init__(self, url: str, root: Path, *, resumed: int = 0, generations: int) -> None:
        command = [sys.executable, "-c", SEARCH, url, str(resumed), str(generations)]
        self.child = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.child.stdin is not None and self.child.stdout is not None
        self.input, self.output = self.child.stdin, self.child.stdout
        self.number = int(self.output.readline())

    def start(self) -> None:
        """Let it search."""
        self.input.write("go\n")
        self.input.flush()

    def close(self) -> int:
        """Wait for its end; returns its exit status."""
        self.input.close()
        self.output.close()
        return self.child.wait()


def generations_of(url: str, search: int) -> dict[int, int]:
    """How many whole candidates (with all their latencies) each generation has."""
    counts: dict[int, int] = {}
    with Repository(url) as repository:
        for candidate in repository.candidates(search):
            assert len(candidate.latencies) == TARGETS
            counts[candidate.generation] = counts.get(candidate.generation, 0) + 1
    return counts


def test_two_searches_at_once_store_everything(url: str, root: Path) -> None:
    searches = [Search(url, root, generations=10) for _ in range(2)]
    for search in searches:
        search.start()
    said = [search.output.read().split() for search in searches]
    assert [search.close() for search in searches] == [0, 0]
    assert said == [[str(number) for number in range(10)]] * 2
    for search in searches:
        assert generations_of(url, search.number) == dict.fromkeys(range(10), POPULATION)
    with Repository(url) as repository:
        assert [run.status for run in repository.search_runs()] == ["finished", "finished"]


def test_search_killed_between_two_writes_leaves_whole_generations(url: str, root: Path) -> None:
    rng, number, said = random.Random(0), 0, 0
    for _ in range(KILLS):
        search = Search(url, root, resumed=number, generations=10_000)
        number = search.number
        search.start()
        for _ in range(rng.randint(1, 6)):
            said = max(said, int(search.output.readline()) + 1)
        search.child.kill()
        left = search.output.read().split("\n")[:-1]
        said = max([said, *(int(line) + 1 for line in left)])
        assert search.close() == -9
        found = generations_of(url, number)
        assert set(found.values()) == {POPULATION}
        assert list(found) == list(range(len(found)))
        assert said <= len(found) <= said + 1
    with Repository(url) as repository:
        repository.mark_interrupted()
        assert [(run.id, run.status) for run in repository.search_runs()] == [(number, "interrupted")]


@pytest.mark.parametrize("table", ["ArchitectureRow", "CandidateRow", "CandidateLatencyRow"])
def test_search_killed_inside_a_write_leaves_nothing_of_the_generation(url: str, root: Path, table: str) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", DIE_AFTER.format(table=table) + SEARCH, url, "0", "1"],
        cwd=root,
        input="go\n",
        stdout=subprocess.PIPE,
        text=True,
    )
    assert killed.returncode == -9
    (number,) = map(int, killed.stdout.split())
    assert generations_of(url, number) == {}
    with Repository(url) as repository:
        assert repository.architecture("a-0-0") is None
    search = Search(url, root, resumed=number, generations=1)
    search.start()
    assert (search.output.read(), search.close()) == ("0\n", 0)
    assert generations_of(url, number) == {0: POPULATION}
