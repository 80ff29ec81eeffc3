"""POST /predict: what it refuses, and how it says so. Never with a 500."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as examples

from api.examples import VERSION_1
from api.settings import Settings
from hyctas.architecture_json import to_json
from tests.api.world import TARGET, World, a_request, serving

MiB = 2**20


async def refused(client: httpx.AsyncClient, body: bytes | dict[str, Any], status: int, **query: str) -> dict[str, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await client.post("/predict", content=content, params=query)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert "Traceback" not in problem["detail"]
    return problem


def changed(**changes: Any) -> dict[str, Any]:
    return a_request({**VERSION_1, **changes})


def with_cell(**changes: Any) -> dict[str, Any]:
    """The example with a changed second cell."""
    first, *rest = VERSION_1["branches"]
    cells = list(first["cells"])
    cells[1] = {**cells[1], **changes}
    return changed(branches=[{"cells": cells}, *rest])


async def test_unknown_target_lists_the_known(client: httpx.AsyncClient) -> None:
    problem = await refused(client, {**a_request(VERSION_1), "target": "moon/torch-fp32"}, 404)
    assert problem["title"] == "unknown target"
    assert problem["known"] == [TARGET.name]
    assert "moon/torch-fp32" in problem["detail"]


async def test_unknown_model_lists_those_of_the_target(client: httpx.AsyncClient, world: World) -> None:
    problem = await refused(client, {**a_request(VERSION_1), "model_id": "feed"}, 404)
    assert (problem["title"], problem["known"]) == ("unknown model", [world.old_model, world.model])


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (with_cell(op="conv_9x"), "$.architecture.branches[0].cells[1].op"),
        (with_cell(width=5), "$.architecture.branches[0].cells[1].width"),
        (with_cell(width=6.0), "$.architecture.branches[0].cells[1].width"),
        (with_cell(down="yes"), "$.architecture.branches[0].cells[1].down"),
        (with_cell(more=1), "$.architecture.branches[0].cells[1].more"),
        (changed(head="s3"), "$.architecture.head"),
        (changed(classes=10**30), "$.architecture.classes"),
        (changed(classes=0), "$.architecture.classes"),
        (changed(classes=True), "$.architecture.classes"),
        (changed(branches=[]), "$.architecture.branches"),
        (changed(branches=VERSION_1["branches"] * 2), "$.architecture.branches"),
        (changed(branches=VERSION_1["branches"][:1] * 2), "$.architecture.branches[1].cells"),
        (changed(input={"batch": 1, "height": 100, "width": 64}), "$.architecture.input.height"),
        (changed(input={"batch": 1, "height": 64}), "$.architecture.input.width"),
        (changed(version=2), "$.architecture.version"),
        (changed(version=None), "$.architecture.version"),
        (a_request({}), "$.architecture.version"),
        (a_request(7), "$.architecture"),
        (a_request(None), "$.architecture"),
        (a_request(VERSION_1, defaults={"height": "tall"}), "$.defaults.height"),
        (a_request(VERSION_1, defaults={"heigth": 64}), "$.defaults.heigth"),
        (a_request(VERSION_1, defaults=[]), "$.defaults"),
        (a_request(VERSION_1, model_id=7), "$.model_id"),
        (a_request(VERSION_1, measured_until="yesterday"), "$.measured_until"),
        (a_request(VERSION_1, target=None), "$.target"),
        (a_request([]), "$.architectures"),
        ({"target": TARGET.name, "architectures": {}}, "$.architectures"),
        (a_request([VERSION_1] * 4097), "$.architectures"),
        ({"target": TARGET.name}, "$"),
        ({**a_request(VERSION_1), "architectures": []}, "$"),
        (a_request(VERSION_1, breakdwon=True), "$"),
    ],
)
async def test_value_that_is_not_allowed_is_named_by_its_path(
    client: httpx.AsyncClient, body: dict[str, Any], path: str
) -> None:
    problem = await refused(client, body, 422)
    assert problem["path"] == path


RELEASE_WITH_RISING_SCALE = {
    "ops": [[1, 1, 1, 1, 1, 1]],
    "paths": [[0, 1, 0, 1, 1, 1]],
    "downs": [[1, 0, 1, 0, 0, 0]],
    "widths": [[0.5, 0.5, 0.5, 0.5, 0.5]],
    "lasts": [1],
}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({}, "$.architecture.paths[0][2]"),
        ({"ops": [[1, 1]]}, "$.architecture"),
        ({"widths": [[0.5, 0.51, 0.5, 0.5, 0.5]]}, "$.architecture.widths[0][1]"),
        ({"ops": [[9, 1, 1, 1, 1, 1]]}, "$.architecture.ops[0][0]"),
        ({"lasts": []}, "$.architecture.lasts"),
    ],
)
async def test_bad_release_format_is_refused(client: httpx.AsyncClient, changes: dict[str, Any], path: str) -> None:
    problem = await refused(client, a_request({**RELEASE_WITH_RISING_SCALE, **changes}), 422)
    assert problem["path"].startswith(path)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b'{"target": "a", "architecture": NaN}',
        b'{"target": "\\ud800"}',
    ],
)
async def test_body_that_is_not_json_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    assert "JSON" in (await refused(client, body, 400))["detail"]


@pytest.mark.parametrize("body", [b"[]", b"[" * 10_000, b"3", b"null", b'"text"'])
async def test_body_that_is_no_object_is_422(client: httpx.AsyncClient, body: bytes) -> None:
    assert (await refused(client, body, 422))["path"] == "$"


@pytest.mark.parametrize("number", [b"NaN", b"1e999", b"9" * 5000, b"-0.0"])
async def test_odd_numbers_in_an_architecture_are_refused(client: httpx.AsyncClient, number: bytes) -> None:
    body = json.dumps(changed(classes="HERE")).encode().replace(b'"HERE"', number)
    response = await client.post("/predict", content=body)
    assert response.status_code in (400, 422), response.text


async def test_ten_megabytes_of_nested_lists_are_refused(client: httpx.AsyncClient) -> None:
    depth = 5 * MiB
    nested = b'{"target": "%s", "architecture": %s}' % (TARGET.name.encode(), b"[" * depth + b"]" * depth)
    response = await client.post("/predict", content=nested)
    assert response.status_code in (400, 422), response.text


async def test_nesting_that_parses_is_refused_too(client: httpx.AsyncClient) -> None:
    nested = b"[" * 500 + b"]" * 500
    body = b'{"target": "%s", "architecture": %s}' % (TARGET.name.encode(), nested)
    assert (await refused(client, body, 422))["path"] == "$.architecture"


async def test_longer_body_than_allowed_is_413(settings: Settings) -> None:
    async with serving(replace(settings, max_body_bytes=1000)) as client:
        assert "1000 bytes" in (await refused(client, b" " * 1001, 413))["detail"]
        await refused(client, b" " * 1000, 400)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_405(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, "/predict")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["status"] == 405


async def test_breakdown_that_is_no_boolean_is_422(client: httpx.AsyncClient) -> None:
    problem = await refused(client, a_request(VERSION_1), 422, breakdown="perhaps")
    assert (problem["path"], problem["value"]) == ("query.breakdown", "perhaps")


async def test_changed_model_file_is_503_and_names_its_checksum(
    client: httpx.AsyncClient, world: World, tmp_path: Any
) -> None:
    manifest = world.folder / world.old_model / "knowledge.json"
    content = manifest.read_bytes()
    try:
        manifest.write_bytes(content + b" ")
        problem = await refused(client, {**a_request(VERSION_1), "model_id": world.old_model}, 503)
    finally:
        manifest.write_bytes(content)
    assert "SHA-256" in problem["detail"]


async def test_too_many_requests_at_once_are_told_to_come_back(settings: Settings, world: World) -> None:
    body = json.dumps(a_request(to_json(world.unseen[0]))).encode()
    all_arrived = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:10]
        await all_arrived.wait()
        yield body[10:]

    async with serving(replace(settings, max_in_flight=2, retry_after_s=3)) as client:
        waiting = [asyncio.create_task(client.post("/predict", content=slowly())) for _ in range(2)]
        while (response := await client.post("/predict", content=body)).status_code == 200:
            await asyncio.sleep(0)
        assert (response.status_code, response.headers["retry-after"]) == (503, "3")
        assert (await client.get("/healthz")).status_code == 200
        all_arrived.set()
        assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200, 200]
        assert (await client.post("/predict", content=body)).status_code == 200


async def test_body_that_does_not_come_is_408(settings: Settings) -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    async with serving(replace(settings, body_timeout_s=0.01)) as client:
        response = await client.post("/predict", content=never())
    assert (response.status_code, response.json()["status"]) == (408, 408)


json_values = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(max_size=8)
    | strategies.sampled_from([TARGET.name, "conv", 12, "efficient", "s4"]),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(
            strategies.sampled_from(["target", "architecture", "architectures", "ops", "defaults", *VERSION_1]), inner
        )
    ),
    max_leaves=12,
)


@given(
    requests=strategies.lists(
        strategies.binary(max_size=40)
        | json_values.map(lambda value: json.dumps(value).encode())
        | json_values.map(lambda value: json.dumps(a_request(value)).encode())
        | json_values.map(lambda value: json.dumps(a_request([value, VERSION_1])).encode())
        | strategies.tuples(strategies.sampled_from(sorted(VERSION_1)), json_values).map(
            lambda change: json.dumps(changed(**{change[0]: change[1]})).encode()
        ),
        min_size=1,
        max_size=10,
    )
)
@examples(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_is_sent_is_answered_without_a_500(client: httpx.AsyncClient, requests: list[bytes]) -> None:
    for body in requests:
        response = await client.post("/predict", content=body)
        assert response.status_code in (200, 400, 404, 422), (body, response.text)
        assert response.json()
