"""POST /predict: what it answers."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.examples import DEFAULTS, RELEASE
from hyctas.architecture_json import decode_architecture, to_json
from hyctas.release_format import to_release
from predictor.artifact import load_predictor
from tests.api.world import PROCESS_ERROR, START, TARGET, World, a_request, synthetic_latency_s


async def ask(client: httpx.AsyncClient, body: dict[str, Any], **query: str) -> dict[str, Any]:
    response = await client.post("/predict", json=body, params=query)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_one_architecture_is_answered_as_the_predictor_does(client: httpx.AsyncClient, world: World) -> None:
    network = world.unseen[0]
    answer = await ask(client, a_request(to_json(network)))
    expected = load_predictor(world.folder / world.model).predict([network])[0]
    assert answer["key"] == network.key
    assert answer["latency_ms"] == expected.latency_s * 1e3
    assert (answer["low_ms"], answer["high_ms"]) == (expected.low_s * 1e3, expected.high_s * 1e3)
    assert (answer["tier"], answer["coverage"], answer["model_id"]) == ("learned", 0.9, world.model)
    assert (answer["breakdown"], answer["unsupported"]) == (None, list(expected.unsupported))
    assert answer["expected_error"]["networks"] == 20


async def test_prediction_is_close_to_the_law_it_learned(client: httpx.AsyncClient, world: World) -> None:
    answers = await ask(client, a_request([to_json(network) for network in world.unseen]))
    for network, answer in zip(world.unseen, answers["predictions"], strict=True):
        assert answer["latency_ms"] == pytest.approx(synthetic_latency_s(network) * 1e3, rel=0.2)


async def test_batch_answers_each_as_if_alone(client: httpx.AsyncClient, world: World) -> None:
    batch = (await ask(client, a_request([to_json(network) for network in world.unseen])))["predictions"]
    assert [await ask(client, a_request(to_json(network))) for network in world.unseen] == batch


async def test_bad_architecture_in_a_batch_has_its_error_in_its_place(client: httpx.AsyncClient, world: World) -> None:
    good = [to_json(network) for network in world.unseen[:2]]
    bad = {**good[0], "head_width": 5}
    first, error, second = (await ask(client, a_request([good[0], bad, good[1]])))["predictions"]
    assert (first["key"], second["key"]) == (world.unseen[0].key, world.unseen[1].key)
    assert set(error) == {"error"}
    assert error["error"]["path"] == "$.architectures[1].head_width"
    assert (error["error"]["value"], error["error"]["status"]) == (5, 422)
    assert "4, 6, 8, 10, 12" in error["error"]["allowed"]


async def test_batch_of_nothing_but_errors_is_answered(client: httpx.AsyncClient) -> None:
    answers = (await ask(client, a_request([{}, [], None, 7])))["predictions"]
    assert [answer["error"]["path"] for answer in answers][1:] == [f"$.architectures[{n}]" for n in (1, 2, 3)]


async def test_release_format_takes_what_it_lacks_from_the_defaults(client: httpx.AsyncClient, world: World) -> None:
    network = next(n for n in world.unseen if all(c.op != "conv_2x" for b in n.branches for c in b.cells))
    answer = await ask(client, a_request(to_release(network), defaults={"height": 192, "width": 384}))
    assert answer["key"] == network.key
    other = await ask(client, a_request(RELEASE, defaults=DEFAULTS))
    assert (await ask(client, a_request(RELEASE)))["key"] != other["key"]


async def test_target_may_be_named_without_its_device(client: httpx.AsyncClient, world: World) -> None:
    body = a_request(to_json(world.unseen[0]))
    assert await ask(client, {**body, "target": TARGET.local_name}) == await ask(client, body)


async def test_breakdown_sums_to_the_latency(client: httpx.AsyncClient, world: World) -> None:
    for network in (world.unseen[0], world.measured[0]):
        answer = await ask(client, a_request(to_json(network)), breakdown="true")
        parts = answer["breakdown"]
        assert math.fsum(part["latency_ms"] for part in parts) == pytest.approx(answer["latency_ms"])
        assert {part["part"].partition(".")[0] for part in parts} >= {"stem", "branches[0]", "fusion", "head"}
        assert all(part["latency_ms"] >= 0 and part["source"] in ("measured", "estimated") for part in parts)


async def test_measured_network_is_answered_by_its_measurement(client: httpx.AsyncClient, world: World) -> None:
    network = world.measured[0]
    answer = await ask(client, a_request(to_json(network)))
    latency_ms = 2e3 * synthetic_latency_s(network)
    assert answer["latency_ms"] == pytest.approx(latency_ms)
    assert (answer["tier"], answer["model_id"], answer["expected_error"]) == ("measured", None, None)
    assert answer["high_ms"] == pytest.approx(latency_ms * math.exp(1.6449 * PROCESS_ERROR))


async def test_measured_until_leaves_later_measurements_out(client: httpx.AsyncClient, world: World) -> None:
    body = a_request([to_json(network) for network in world.measured])
    tiers = {}
    for minutes in (0, 60):
        until = (START + timedelta(minutes=minutes)).isoformat()
        answers = (await ask(client, {**body, "measured_until": until}))["predictions"]
        tiers[minutes] = {answer["tier"] for answer in answers}
    assert tiers == {0: {"learned"}, 60: {"measured"}}


async def test_time_without_a_zone_is_taken_as_utc(client: httpx.AsyncClient, world: World) -> None:
    body = a_request(to_json(world.measured[0]))
    answers = [await ask(client, {**body, "measured_until": f"2026-01-31T{time}:00"}) for time in ("11:59", "23:00")]
    assert [answer["tier"] for answer in answers] == ["learned", "measured"]


async def test_old_model_answers_when_it_is_named(client: httpx.AsyncClient, world: World) -> None:
    body = a_request(to_json(world.unseen[0]))
    old = await ask(client, {**body, "model_id": world.old_model})
    expected = load_predictor(world.folder / world.old_model).predict([world.unseen[0]])[0]
    assert (old["model_id"], old["latency_ms"]) == (world.old_model, expected.latency_s * 1e3)


async def test_other_size_is_extrapolated(client: httpx.AsyncClient, world: World) -> None:
    document = {**to_json(world.unseen[0]), "input": {"batch": 1, "height": 256, "width": 512}}
    answer = await ask(client, a_request(document))
    assert (answer["tier"], answer["expected_error"]) == ("extrapolated", None)
    assert answer["key"] == decode_architecture(document).key


async def test_long_body_is_answered_too(client: httpx.AsyncClient, world: World) -> None:
    documents = [to_json(network) for network in world.unseen] * 40
    answers = (await ask(client, a_request(documents)))["predictions"]
    assert [answer["key"] for answer in answers] == [network.key for network in world.unseen] * 40
