"""The published table of FasterSeg, all the way: import, train, predict, and ask over HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api.settings import Settings
from hyctas.__main__ import app
from hyctas.architecture import ArchitectureDefaults, default_settings
from hyctas.architecture_json import decode_architecture, to_json
from hyctas.async_client import AsyncClient
from hyctas.cell import Branch, Cell
from hyctas.errors import InvalidArchitecture
from tests.api.world import serving

TARGET = "gtx-1080-ti/tensorrt-fp32"
STUDENTS = {20: 5.790294353859403, 21: 5.701835681642834}
AS_RELEASED = {20: 6.260467391822158, 21: 6.4139770511337275}
"""What the release stores: it looks conv_2x_downup up under the key of conv_2x."""
LIMIT_MS = 1e-9
HYCTAS = ArchitectureDefaults().architecture((Branch((Cell("conv", 4, False), Cell("conv", None, False))),))

pytestmark = pytest.mark.shared_data


def hyctas(*arguments: str) -> dict[str, Any]:
    """What a command prints with --json."""
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> str:
    """A database with the table, and the model that was trained from it."""
    folder = tmp_path_factory.mktemp("fasterseg")
    url = f"sqlite:///{folder / 'imported.db'}"
    table = shared_data / "fasterseg" / "latency_lookup_table.npy"
    hyctas("import", "fasterseg-table", str(table), "--target", TARGET, "--db", url)
    trained = hyctas("train", "--target", TARGET, "--db", url, "--out", str(folder / "models"))
    assert trained["evaluation"] is None
    return url


@pytest.fixture(scope="module")
def files(shared_data: Path) -> list[str]:
    return [str(shared_data / "fasterseg" / f"student-{name}.json") for name in STUDENTS]


def table_keys(file: str) -> list[str]:
    """The entries that the release adds up for a student."""
    keys: list[str] = json.loads(Path(file).read_text())["table_keys"]
    return keys


def entries(prediction: dict[str, Any]) -> list[str]:
    return [part["entry"] for part in prediction["breakdown"] if "entry" in part]


def predict(url: str, files: Sequence[str], *options: str) -> list[dict[str, Any]]:
    found = hyctas("predict", *files, "--space", "fasterseg", "--target", TARGET, "--db", url, *options)
    predictions: list[dict[str, Any]] = found["predictions"]
    return predictions


def test_students_take_the_sum_of_their_operators(url: str, files: list[str]) -> None:
    for found, expected in zip(predict(url, files), STUDENTS.values(), strict=True):
        assert found["latency_ms"] == pytest.approx(expected, rel=0, abs=LIMIT_MS)
        assert (found["tier"], found["unsupported"], found["expected_error"]) == ("additive", [], None)
        assert found["low_ms"] == pytest.approx(expected / 2)


def test_release_lookup_gives_what_the_release_stores(url: str, files: list[str]) -> None:
    for found, expected in zip(predict(url, files, "--release-lookup"), AS_RELEASED.values(), strict=True):
        assert found["latency_ms"] == pytest.approx(expected, rel=0, abs=LIMIT_MS)
        assert found["tier"] == "additive"


def test_breakdown_names_each_entry(url: str, files: list[str]) -> None:
    for file, ours, theirs in zip(
        files, predict(url, files, "--breakdown"), predict(url, files, "--breakdown", "--release-lookup"), strict=True
    ):
        assert sorted(entries(theirs)) == sorted(table_keys(file))
        renamed = [key.replace("_downup_2x", "2x") for key in entries(ours)]
        assert sorted(renamed) == sorted(table_keys(file))
        for found in (ours, theirs):
            assert sum(part["latency_ms"] for part in found["breakdown"]) == pytest.approx(found["latency_ms"])
            free = [part for part in found["breakdown"] if "entry" not in part]
            assert {(part["kind"], part["source"], part["latency_ms"]) for part in free} == {
                ("join", "free", 0.0),
                ("concat", "free", 0.0),
            }


def test_what_the_table_lacks_is_estimated_and_named(url: str, tmp_path: Path) -> None:
    branch = Branch((Cell("conv", 6, False), Cell("skip", 6, False), Cell("conv_2x", None, False)))
    known = default_settings("fasterseg").architecture((branch,))
    larger = ArchitectureDefaults(space="fasterseg", head="plain", attention="none", height=512).architecture((branch,))
    for name, network in (("known", known), ("larger", larger)):
        (tmp_path / f"{name}.json").write_text(json.dumps(to_json(network)))
    inside, outside = predict(url, [str(tmp_path / f"{name}.json") for name in ("known", "larger")], "--breakdown")
    assert (inside["tier"], inside["unsupported"]) == ("additive", [])
    skip = next(part for part in inside["breakdown"] if part["kind"] == "identity")
    assert skip["entry"] == "FactorizedReduce_H128_W256_Cin48_Cout32_stride1 and 4 more"
    assert skip["latency_ms"] == pytest.approx(0.054781008026530735, abs=LIMIT_MS)
    assert outside["tier"] == "estimated"
    assert "conv_2x 48>96 64x256" in outside["unsupported"]
    assert not any("join" in label or "concat" in label for label in outside["unsupported"])
    assert 0.3 * inside["latency_ms"] < outside["latency_ms"] < inside["latency_ms"]


def test_release_lookup_is_refused_for_other_spaces(url: str, tmp_path: Path) -> None:
    (tmp_path / "network.json").write_text(json.dumps(to_json(HYCTAS)))
    arguments = ["predict", str(tmp_path / "network.json"), "--target", TARGET, "--db", url, "--release-lookup"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "$.space" in result.output
    assert "only its release looks networks up" in result.output


async def asked(url: str, **body: object) -> httpx.Response:
    async with serving(Settings(database_url=url)) as client:
        return await client.post("/predict", params={"breakdown": "true"}, json={"target": TARGET, **body})


@pytest.mark.parametrize(("lookup", "expected"), [(False, STUDENTS), (True, AS_RELEASED)])
async def test_students_over_http(lookup: bool, expected: dict[int, float], url: str, files: list[str]) -> None:
    documents = [json.loads(Path(file).read_text()) for file in files]
    request = {"architectures": documents, "defaults": {"space": "fasterseg"}, "release_lookup": lookup}
    answer = await asked(url, **request)
    assert answer.status_code == 200
    for file, found, latency_ms in zip(files, answer.json()["predictions"], expected.values(), strict=True):
        assert found["latency_ms"] == pytest.approx(latency_ms, rel=0, abs=LIMIT_MS)
        assert found["tier"] == "additive"
        assert len(entries(found)) == len(table_keys(file))


async def test_release_lookup_of_another_space_is_its_own_error(url: str, root: Path) -> None:
    student = json.loads((root / "examples" / "fasterseg_student_20.json").read_text())
    answer = await asked(url, architectures=[student, to_json(HYCTAS)], release_lookup=True)
    first, second = answer.json()["predictions"]
    assert first["latency_ms"] == pytest.approx(AS_RELEASED[20], rel=0, abs=LIMIT_MS)
    assert second["error"]["path"] == "$.architectures[1].space"
    alone = await asked(url, architecture=to_json(HYCTAS), release_lookup=True)
    assert (alone.status_code, alone.json()["path"]) == (422, "$.architecture.space")
    unclear = await asked(url, architecture=student, release_lookup="yes")
    assert (unclear.status_code, unclear.json()["path"]) == (422, "$.release_lookup")


async def test_client_asks_for_the_lookup(url: str, root: Path) -> None:
    student = decode_architecture((root / "examples" / "fasterseg_student_21.json").read_bytes())
    async with (
        serving(Settings(database_url=url)) as http,
        AsyncClient("http://test", transport=http._transport) as client,
    ):
        ours = await client.predict(TARGET, student, breakdown=True)
        plain = await client.predict(TARGET, student)
        theirs = await client.predict(TARGET, student, release_lookup=True)
        assert (plain.latency_s, plain.breakdown) == (ours.latency_s, ())
        assert ours.latency_s * 1e3 == pytest.approx(STUDENTS[21], rel=0, abs=LIMIT_MS)
        assert theirs.latency_s * 1e3 == pytest.approx(AS_RELEASED[21], rel=0, abs=LIMIT_MS)
        assert ours.breakdown[0].entry == "ConvNorm_H1024_W2048_Cin3_Cout32_kernel3_stride2"
        with pytest.raises(InvalidArchitecture, match=r"^\$\.space"):
            await client.predict(TARGET, HYCTAS, release_lookup=True)


async def test_operators_of_a_space_are_listed(url: str) -> None:
    async with serving(Settings(database_url=url)) as client:
        found = (await client.get("/operators", params={"space": "fasterseg"})).json()
        default = (await client.get("/operators")).json()
        unknown = await client.get("/operators", params={"space": "other"})
    assert [operator["name"] for operator in found["operators"]][-1] == "conv_2x_downup"
    assert (found["space"], found["heads"], found["attentions"]) == ("fasterseg", ["plain"], ["none"])
    assert (default["space"], default["heads"]) == ("hyctas", ["light", "s4"])
    assert unknown.status_code == 422
