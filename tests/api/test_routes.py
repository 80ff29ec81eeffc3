"""Everything but POST /predict."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.examples import REQUESTS
from api.settings import Settings
from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.architecture_json import to_json
from tests.api.world import (
    START,
    TARGET,
    World,
    a_calibration,
    a_model,
    a_request,
    eventually,
    serving,
    store_networks,
)


async def got(client: httpx.AsyncClient, path: str, **query: str | int) -> Any:
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def refused(client: httpx.AsyncClient, path: str, status: int, **query: str | int) -> dict[str, Any]:
    response = await client.get(path, params=query)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    return problem


async def test_targets_name_the_model_that_answers(client: httpx.AsyncClient, world: World) -> None:
    assert await got(client, "/targets") == {
        "targets": [
            {
                "name": TARGET.name,
                "device": "epyc-7b12",
                "runtime": "onnxruntime",
                "precision": "fp32",
                "options": [],
                "threads": 1,
                "model_id": world.model,
                "models": 2,
                "measured_networks": len(world.measured),
            }
        ]
    }


async def test_models_are_listed_oldest_first(client: httpx.AsyncClient, world: World) -> None:
    for query in ({}, {"target": TARGET.name}, {"target": TARGET.local_name}):
        models = (await got(client, "/models", **query))["models"]
        assert [(model["model_id"], model["newest"]) for model in models] == [
            (world.old_model, False),
            (world.model, True),
        ]
    assert await got(client, f"/models/{world.model}") == models[1]
    assert set(models[0]) >= {"created_at", "schema_version", "sha256", "metrics", "training"}


async def test_unknown_names_are_404_and_list_the_known(client: httpx.AsyncClient, world: World) -> None:
    assert (await refused(client, "/models", 404, target="moon"))["known"] == [TARGET.name]
    assert (await refused(client, "/measurements", 404, target="moon"))["known"] == [TARGET.name]
    assert (await refused(client, "/models/feed", 404))["known"] == [world.old_model, world.model]


async def test_measurements_come_in_pages(client: httpx.AsyncClient, world: World) -> None:
    seen: list[dict[str, Any]] = []
    after_id: int | None = 0
    while after_id is not None:
        page = await got(client, "/measurements", limit=4, after_id=after_id)
        seen += page["measurements"]
        after_id = page["next_after_id"]
    assert [row["architecture_key"] for row in seen] == [network.key for network in world.measured]
    newest = await got(client, "/measurements", limit=1, order="newest")
    assert newest["measurements"] == [seen[-1]]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"target": TARGET.name, "kind": "network", "status": "ok", "height": 192, "width": 384}, 6),
        ({"operator": "conv"}, 0),
        ({"status": "failed"}, 0),
        ({"since": "2026-02-01"}, 0),
        ({"until": (START + timedelta(days=1)).isoformat()}, 6),
        ({"run_id": 99}, 0),
        ({"stride": 2}, 0),
    ],
)
async def test_measurements_are_filtered(client: httpx.AsyncClient, query: dict[str, Any], count: int) -> None:
    page = await got(client, "/measurements", **query)
    assert (len(page["measurements"]), page["next_after_id"]) == (count, None)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"limit": 0}, "query.limit"),
        ({"limit": 10**6}, "query.limit"),
        ({"after_id": 10**30}, "query.after_id"),
        ({"height": 10**30}, "query.height"),
        ({"height": "tall"}, "query.height"),
        ({"kind": "cell"}, "query.kind"),
        ({"operator": "a\0b"}, "query.operator"),
        ({"since": "yesterday"}, "query.since"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "query.since"),
        ({"colour": "red"}, "query.colour"),
    ],
)
async def test_bad_filter_is_named(client: httpx.AsyncClient, query: dict[str, Any], path: str) -> None:
    problem = await refused(client, "/measurements", 422, **query)
    assert (problem["title"], problem["path"]) == ("invalid input", path)


async def test_operators_say_what_architectures_are_made_of(client: httpx.AsyncClient) -> None:
    answer = await got(client, "/operators")
    assert [operator["name"] for operator in answer["operators"]] == [
        *("skip", "conv", "conv_downup", "conv_2x_downup", "sa", "conv_2x")
    ]
    assert all(operator["summary"] for operator in answer["operators"])
    assert (answer["widths"], answer["strides"], answer["heads"]) == ([4, 6, 8, 10, 12], [8, 16, 32], ["light", "s4"])


async def test_health_and_readiness(client: httpx.AsyncClient, world: World) -> None:
    assert (await got(client, "/healthz"))["status"] == "ok"
    assert await got(client, "/readyz") == {
        "status": "ready",
        "targets": 1,
        "models": 2,
        "measured_networks": len(world.measured),
    }


async def test_server_without_a_model_is_alive_but_not_ready(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    Repository(url).close()
    async with serving(Settings(database_url=url)) as client:
        assert (await client.get("/healthz")).status_code == 200
        problem = await refused(client, "/readyz", 503)
        assert "hyctas train" in problem["detail"]
        assert await got(client, "/targets") == {"targets": []}
        response = await client.post("/predict", json=a_request({}))
        assert (response.status_code, response.json()["known"]) == (404, [])


async def test_new_measurements_and_models_are_seen_without_a_restart(
    client: httpx.AsyncClient, world: World, artifacts: Sequence[Any], networks: Sequence[Architecture]
) -> None:
    new = world.unseen[0]
    body = a_request(to_json(new))
    assert (await client.post("/predict", json=body)).json()["tier"] == "learned"
    with Repository(world.url) as repository:
        run = repository.start_run("networks", TARGET, {})
        store_networks(repository, run, [new], a_calibration())
        again = replace(a_model(artifacts[0], START + timedelta(days=9)), model_id="0" * 16)
        repository.add_model(again)

    async def measured() -> bool:
        return bool((await client.post("/predict", json=body)).json()["tier"] == "measured")

    async def newest() -> bool:
        return bool((await got(client, "/targets"))["targets"][0]["model_id"] == "0" * 16)

    await eventually(measured)
    await eventually(newest)


async def test_metrics_count_requests_by_route_and_predictions_by_tier(client: httpx.AsyncClient, world: World) -> None:
    await client.post("/predict", json=a_request([to_json(network) for network in world.unseen]))
    await client.get("/models/feed")
    await client.get("/nowhere")
    text = (await client.get("/metrics")).text
    counted = re.findall(r'hyctas_predictions_total\{tier="(?:learned|extrapolated)"\} (\S+)', text)
    assert sum(map(float, counted)) == len(world.unseen)
    assert 'hyctas_requests_total{route="/predict",status="200"} 1.0' in text
    assert 'hyctas_requests_total{route="/models/{model_id}",status="404"} 1.0' in text
    assert 'hyctas_requests_total{route="unmatched",status="404"} 1.0' in text


async def test_unknown_path_and_wrong_method_are_problems(client: httpx.AsyncClient) -> None:
    assert (await refused(client, "/nowhere", 404))["status"] == 404
    response = await client.post("/targets")
    assert (response.status_code, response.headers["content-type"]) == (405, "application/problem+json")
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize("name", REQUESTS)
async def test_examples_of_the_openapi_document_work(client: httpx.AsyncClient, name: str) -> None:
    shown = (await got(client, "/openapi.json"))["paths"]["/predict"]["post"]["requestBody"]
    body = shown["content"]["application/json"]["examples"][name]["value"]
    response = await client.post("/predict", json=body)
    assert response.status_code == 200, response.text


async def test_openapi_document_has_no_dangling_reference(client: httpx.AsyncClient) -> None:
    document = await got(client, "/openapi.json")
    text = (await client.get("/openapi.json")).text
    used = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used == set(document["components"]["schemas"])
    assert set(document["paths"]) >= {"/predict", "/targets", "/models", "/measurements", "/operators", "/readyz"}


async def test_page_needs_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "/predict" in response.text
    assert "https://" not in response.text and "src=" not in response.text


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic secret"}])
async def test_without_a_key_only_the_open_paths_answer(settings: Settings, header: dict[str, str]) -> None:
    async with serving(replace(settings, api_keys=frozenset({"secret", "other"})), header) as client:
        for path in ("/targets", "/measurements", "/metrics", "/predict", "/nowhere"):
            problem = await refused(client, path, 401)
            assert problem["title"] == "unauthorized"
        for path in ("/", "/healthz", "/readyz", "/docs", "/openapi.json"):
            assert (await client.get(path)).status_code == 200


async def test_any_of_the_keys_lets_in(settings: Settings) -> None:
    for key in ("secret", "other"):
        headers = {"authorization": f"bearer {key}"}
        async with serving(replace(settings, api_keys=frozenset({"secret", "other"})), headers) as client:
            assert (await client.get("/targets")).status_code == 200
