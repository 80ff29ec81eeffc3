"""The client against the real application: in this process, and over a real server that comes and goes."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest
import uvicorn

from api.app import create_app
from api.settings import Settings
from hyctas.architecture import Architecture
from hyctas.architecture_json import to_json
from hyctas.client import AsyncClient, Client, MeasurementQuery, Retries
from hyctas.errors import ConnectionFailed, InvalidArchitecture, RequestRejected, UnknownModel, UnknownTarget
from hyctas.prediction import Prediction
from predictor.artifact import load_predictor
from tests.api.world import START, TARGET, World, lifespan

AT_ONCE = Retries(count=0)


@contextmanager
def server(settings: Settings, listener: socket.socket) -> Iterator[str]:
    """A real server in a thread; it ends with the block, the listener stays open."""
    config = uvicorn.Config(create_app(settings), lifespan="on", log_level="error", ws="none")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener.dup()]})
    thread.start()
    host, port = listener.getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        running.should_exit = True
        thread.join()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


def test_client_over_a_real_server(settings: Settings, listener: socket.socket, world: World) -> None:
    network = world.unseen[0]
    with server(settings, listener) as url, Client(url) as client:
        expected = load_predictor(world.folder / world.model).predict([network], breakdown=True)[0]
        assert_close(client.predict(TARGET.name, network, breakdown=True), expected)
        assert [target.name for target in client.targets()] == [TARGET.name]
        assert [model.model_id for model in client.models()] == [world.old_model, world.model]
        assert client.operators().widths == (4, 6, 8, 10, 12)
        assert len(list(client.measurements(MeasurementQuery(status="ok"), page=4))) == len(world.measured)


def test_client_survives_a_restart_between_calls(settings: Settings, listener: socket.socket, world: World) -> None:
    with server(settings, listener) as url:
        client = Client(url)
        before = client.predict(TARGET.name, world.unseen[0])
    with server(settings, listener), client:
        assert client.predict(TARGET.name, world.unseen[0]) == before


def test_no_server_is_said_to_be_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", retries=AT_ONCE) as client, pytest.raises(ConnectionFailed, match="serve"):
        client.targets()


async def test_async_client_answers_each_and_all(settings: Settings, world: World) -> None:
    networks: list[Architecture] = list(world.unseen)
    app = create_app(settings)
    async with lifespan(app), AsyncClient("http://test", transport=httpx.ASGITransport(app)) as client:
        answers = [answer async for answer in client.predict_each(TARGET.name, [networks[0], {"ops": 3}, networks[1]])]
        assert [type(answer) for answer in answers] == [Prediction, InvalidArchitecture, Prediction]
        assert [answer async for answer in client.predict_all(TARGET.name, networks[:2])] == [answers[0], answers[2]]
        with pytest.raises(InvalidArchitecture, match=r"\$\[1\]\.ops"):
            _ = [answer async for answer in client.predict_all(TARGET.name, [networks[0], {"ops": 3}])]


async def test_async_client_over_the_rest(settings: Settings, world: World) -> None:
    app = create_app(settings)
    async with lifespan(app), AsyncClient("http://test", transport=httpx.ASGITransport(app)) as client:
        one = await client.predict(TARGET.name, world.unseen[0], model_id=world.old_model)
        assert one.model_id == world.old_model
        assert (await client.targets())[0].model_id == world.model
        assert (await client.models(TARGET.local_name))[-1].newest
        assert (await client.operators()).space == "hyctas"
        rows = [row async for row in client.measurements(MeasurementQuery(until=START + timedelta(hours=1)), page=2)]
        assert {row.architecture_key for row in rows} == {network.key for network in world.measured}
        assert all(row.latency_s is not None and row.latency_s > 0 for row in rows)


async def test_typed_exceptions(settings: Settings, world: World) -> None:
    app = create_app(settings)
    async with lifespan(app), AsyncClient("http://test", transport=httpx.ASGITransport(app)) as client:
        with pytest.raises(UnknownTarget) as unknown:
            await client.predict("nowhere/onnxruntime-fp32", world.unseen[0])
        assert (unknown.value.name, unknown.value.known) == ("nowhere/onnxruntime-fp32", (TARGET.name,))
        with pytest.raises(UnknownModel):
            await client.predict(TARGET.name, world.unseen[0], model_id="nothing")
        with pytest.raises(InvalidArchitecture, match=r"\$\.head_width: 5"):
            await client.predict(TARGET.name, {**to_json(world.unseen[0]), "head_width": 5})
        with pytest.raises(RequestRejected, match=r"defaults\.height"):
            await client.predict(TARGET.name, world.unseen[0], defaults={"height": "tall"})


async def test_more_architectures_than_a_batch_are_split(settings: Settings, world: World) -> None:
    networks = list(world.unseen) * 20
    app = create_app(settings)
    async with lifespan(app), AsyncClient("http://test", transport=httpx.ASGITransport(app)) as client:
        predictions = [p async for p in client.predict_all(TARGET.name, networks)]
    assert len(predictions) == len(networks) > 256
    assert predictions[: len(world.unseen)] == predictions[-len(world.unseen) :]


async def test_many_at_once_are_answered_alike(settings: Settings, world: World) -> None:
    app = create_app(settings)
    async with lifespan(app), AsyncClient("http://test", transport=httpx.ASGITransport(app)) as client:
        asked = [client.predict(TARGET.name, world.unseen[0]) for _ in range(30)]
        assert len(set(await asyncio.gather(*asked))) == 1


def assert_close(found: Prediction, expected: Prediction) -> None:
    """Equal but for the rounding of milliseconds."""
    assert (found.tier, found.model_id, found.unsupported) == (expected.tier, expected.model_id, expected.unsupported)
    assert found.latency_s == pytest.approx(expected.latency_s, rel=1e-12)
    assert found.low_s == pytest.approx(expected.low_s, rel=1e-12)
    assert [part.part for part in found.breakdown] == [part.part for part in expected.breakdown]
