"""``hyctas search`` from its options to what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from db.repository import Repository
from hyctas.errors import InvalidInput
from search.cli.commands import limits_s
from tests.search.cli.small_command import hyctas, options
from tests.search.small_search import SEARCH, rows, scored_after
from tests.search.world import FAST, SLOW, Served


def test_a_search_prints_its_fronts_and_can_be_reported(server: Served, tmp_path: Path) -> None:
    done = hyctas("search", *options(tmp_path, server))
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"search 1: {SEARCH.evaluations} candidates, hypervolume ")
    assert [line for line in lines if line.startswith("front of")] == [
        "front of networks with 1 branch:",
        "front of networks with 2 branches:",
        "front of networks with 3 branches:",
    ]
    assert lines[-1] == f"report: hyctas report 1 --db {server.database}"
    careful = {row.architecture_key[:12]: row.final_miou for row in rows(server.database) if row.final_miou is not None}
    shown = [line.split() for line in lines if line.startswith("  ")]
    assert {words[0] for words in shown} <= careful.keys()
    assert all(words[2] == f"{careful[words[0]]:.3f}" for words in shown)
    assert f"generation 2: {scored_after(2)} scored" in done.stderr

    again = hyctas("search", *options(tmp_path, server), "--evaluations", "8", "--seed", "3", "--json")
    assert again.exit_code == 0, again.stderr
    document = json.loads(again.stdout)
    assert (document["search_run"], document["evaluated"]) == (2, 8)
    with Repository.open(server.database) as repository:
        assert repository.search_run(2).summary == document
        assert repository.search_run(2).seed == 3


def test_what_a_search_is_told_is_stored_for_any_folder(
    server: Served, supernet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del supernet
    monkeypatch.chdir(tmp_path)
    relative = ["--supernet", "supernet", "--out", "searches", "--evaluations", "8"]
    done = hyctas("search", *options(tmp_path, server), *relative, "--max-latency-ms", f"{FAST.name}=9")
    assert done.exit_code == 0, done.stderr
    with Repository.open(server.database) as repository:
        settings = repository.search_run(1).settings
    assert settings["supernet"] == str(tmp_path / "supernet")
    assert settings["folder"] == str(tmp_path / "searches")
    assert settings["search"]["limits_s"] == [9e-3, None]
    assert settings["url"] == server.url


def test_one_supernet_is_searched_again_with_another_seed(server: Served, supernet: Path, tmp_path: Path) -> None:
    kept = (supernet / "checkpoint.pt").read_bytes()
    for seed in ("4", "5"):
        done = hyctas("search", *options(tmp_path, server), "--evaluations", "8", "--seed", seed, "--steps", "99")
        assert done.exit_code == 0, done.stderr
    assert (supernet / "checkpoint.pt").read_bytes() == kept
    first, second = ({row.architecture_key for row in rows(server.database, number)} for number in (1, 2))
    assert first != second


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], (None, None)),
        (["2"], (2e-3, 2e-3)),
        ([f"{SLOW.name}=5.5"], (None, 5.5e-3)),
        (["2", f"{SLOW.name}=5"], (2e-3, 5e-3)),
        ([f"{FAST.name}=1e1", f"{FAST.name}=3"], (3e-3, None)),
    ],
)
def test_limits_are_of_one_target_or_of_all(given: list[str], expected: tuple[float | None, ...]) -> None:
    assert limits_s([FAST.name, SLOW.name], given) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "fast", "2ms", f"{FAST.name}=", f"{FAST.name}=x"])
def test_a_limit_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="--max-latency-ms"):
        limits_s([FAST.name], [text])


BAD = {
    "a limit that is no number": (["--max-latency-ms", "fast"], 1, "--max-latency-ms: 'fast' is not allowed"),
    "a limit of another target": (["--max-latency-ms", "a/b=2"], 1, f"a limit for one of {FAST.name}"),
    "a limit below nothing": (["--max-latency-ms", "-2"], 1, "limits_s: -0.002 is not allowed"),
    "a limit without end": (["--max-latency-ms", "inf"], 1, "limits_s: inf is not allowed"),
    "an unknown algorithm": (["--algorithm", "annealing"], 1, "one of nsga2, random, local, single"),
    "an unknown optimiser": (["--optimiser", "adam"], 1, "one of sgd, adamw"),
    "a target twice": (["--target", FAST.name], 1, "each once"),
    "a target that is not served": (["--target", "rtx-4090/tensorrt-fp16"], 1, FAST.name),
    "another machine to measure on": (["--measure"], 1, "a target of this machine"),
    "a data set that is none": (["--dataset", "imagenet"], 1, "camvid:DIR"),
    "a data set that is not there": (["--dataset", "camvid:nowhere"], 1, "There is no folder nowhere"),
    "too small a population": (["--population", "3"], 1, "population: 3 is not allowed"),
    "too shallow a space": (["--depth", "5"], 2, "--depth"),
    "patience below nothing": (["--patience", "-1"], 2, "--patience"),
    "a number that is none": (["--resume", "first"], 2, "--resume"),
    "a search that is unknown": (["--resume", "7"], 1, "search 7 does not exist; stored searches: none yet"),
    "no predictor": (["--url", "http://127.0.0.1:9", "--patience", "0"], 1, "no predictions for 0 s"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_a_search_before_it_leaves_anything(server: Served, tmp_path: Path, name: str) -> None:
    given, code, message = BAD[name]
    done = hyctas("search", *options(tmp_path, server), *given)
    assert done.exit_code == code, done.stderr
    assert message in done.stderr.replace("\n", " ")
    assert done.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == []
    with Repository.open(server.database) as repository:
        assert repository.search_runs() == ()


def test_a_search_needs_a_target(tmp_path: Path, server: Served) -> None:
    done = hyctas("search", *options(tmp_path, server, targets=()))
    assert done.exit_code == 1
    assert "--target: None is not allowed; expected the full name of at least one target" in done.stderr


def test_a_finished_search_is_not_resumed(server: Served, supernet: Path, tmp_path: Path) -> None:
    del supernet
    assert hyctas("search", *options(tmp_path, server), "--evaluations", "8").exit_code == 0
    done = hyctas("search", "--resume", "1", "--db", server.database)
    assert done.exit_code == 1
    assert done.stderr.strip() == "error: search 1 is finished; see 'hyctas report 1'"


def test_a_database_that_is_not_there_is_not_made_to_resume(tmp_path: Path) -> None:
    done = hyctas("search", "--resume", "1", "--db", f"sqlite:///{tmp_path / 'none.db'}")
    assert done.exit_code == 1
    assert "none.db" in done.stderr
    assert list(tmp_path.iterdir()) == []
