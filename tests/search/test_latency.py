from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest

from hyctas.client import Client, Retries
from hyctas.errors import InsufficientData, InvalidInput, PredictorUnavailable, UnknownModel, UnknownTarget
from hyctas.sampling import sample_structured
from search.latency import Patience, Pin, RemoteLatency, check_positive
from tests.search.stand_in_device import StandInDevice
from tests.search.world import FAST, NETWORKS, SLOW, SPACE, Served, add_models, law_s

AT_ONCE = Retries(count=0)
SAMPLE = sample_structured(SPACE, np.random.default_rng(9), 12, NETWORKS)


class Counting(httpx.HTTPTransport):
    """Real HTTP whose requests are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        return super().handle_request(request)


def latency(client: Client, targets: Sequence[str] = (FAST.name, SLOW.name), **options: object) -> RemoteLatency:
    return RemoteLatency(client, targets, measured_until=datetime.now(UTC), **options)  # type: ignore[arg-type]


def test_each_target_is_asked_in_one_batch_and_once(server: Served) -> None:
    transport = Counting()
    with Client(server.url, transport=transport) as client:
        predict = latency(client)
        predict.pin_newest(SAMPLE[0], datetime.now(UTC))
        before = transport.requests
        found = predict(SAMPLE)
        assert transport.requests - before == 2
        assert predict(SAMPLE[3:]) == found[3:]
        assert transport.requests - before == 2
    for architecture, (fast, slow) in zip(SAMPLE, found, strict=True):
        assert fast.latency_s == pytest.approx(law_s(FAST, architecture), rel=0.05)
        assert slow.latency_s == pytest.approx(law_s(SLOW, architecture), rel=0.05)


def test_answers_do_not_depend_on_the_batch(server: Served) -> None:
    with Client(server.url) as client:
        together = latency(client)(SAMPLE)
        alone = [latency(client)([architecture])[0] for architecture in SAMPLE]
    assert [[p.latency_s for p in both] for both in together] == [[p.latency_s for p in both] for both in alone]


def test_pinned_models_answer_after_newer_ones_were_trained(server: Served, tmp_path: Path) -> None:
    with Client(server.url) as client:
        predict = latency(client, (FAST.name,))
        old = predict.pin_newest(SAMPLE[0], datetime.now(UTC))
        before = predict(SAMPLE)
        new_ids = add_models(tmp_path / "new", server.database, (FAST,), seed=5)
        while client.predict(FAST.name, SAMPLE[0]).model_id != new_ids[0]:
            time.sleep(0.01)
        again = latency(client, (FAST.name,))
        again.pin_to(old)
        assert again(SAMPLE) == before
        assert again.pin_newest(SAMPLE[0], datetime.now(UTC)).model_ids == tuple(new_ids)
        assert {p.model_id for (p,) in again(SAMPLE)} == set(new_ids)


def test_a_model_is_pinned_even_by_a_network_that_was_measured(server: Served, tmp_path: Path) -> None:
    StandInDevice(server, tmp_path).measure(FAST.name, SAMPLE[:1])
    with Client(server.url) as client:
        while client.predict(FAST.name, SAMPLE[0]).tier != "measured":
            time.sleep(0.01)
        pin = latency(client).pin_newest(SAMPLE[0], datetime.now(UTC))
        assert pin.model_ids == tuple(client.models(target)[-1].model_id for target in (FAST.name, SLOW.name))


def test_an_unknown_target_is_said_at_once(server: Served) -> None:
    with Client(server.url) as client, pytest.raises(UnknownTarget, match=FAST.name):
        latency(client, ("rtx-4090/tensorrt-fp16",)).pin_newest(SAMPLE[0], datetime.now(UTC))


def test_a_model_that_is_gone_is_said_at_once(server: Served) -> None:
    with Client(server.url) as client:
        predict = latency(client, (FAST.name,))
        predict.pin_to(Pin(("0123456789abcdef",), datetime.now(UTC)))
        with pytest.raises(UnknownModel):
            predict(SAMPLE)


def test_a_server_that_comes_back_is_waited_for(server: Served) -> None:
    said: list[str] = []
    waits: list[float] = []

    def sleep(wait_s: float) -> None:
        waits.append(wait_s)
        if len(waits) == 3:
            server.start()

    with Client(server.url, retries=AT_ONCE) as client:
        expected = latency(client)(SAMPLE)
        server.stop()
        assert latency(client, say=said.append, sleep=sleep)(SAMPLE) == expected
    assert waits == [1.0, 2.0, 4.0]
    assert "does not answer" in said[0]
    assert "back after 7 s" in said[1]


def test_patience_ends(server: Served) -> None:
    waits: list[float] = []
    server.stop()
    patience = Patience(first_s=1.0, longest_s=3.0, limit_s=10.0)
    with Client(server.url, retries=AT_ONCE) as client:
        predict = latency(client, patience=patience, say=lambda line: None, sleep=waits.append)
        with pytest.raises(PredictorUnavailable, match="resume it"):
            predict(SAMPLE)
    assert waits == [1.0, 2.0, 3.0, 3.0, 1.0]
    server.start()


def test_nothing_is_asked_about_nothing(server: Served) -> None:
    server.stop()
    with Client(server.url, retries=AT_ONCE) as client:
        assert latency(client)([]) == []
    server.start()


@pytest.mark.parametrize("times", [{"first_s": 0.0}, {"longest_s": -1.0}, {"limit_s": -1.0}])
def test_times_that_are_none_are_refused(times: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="patience"):
        Patience(**times)


def test_model_that_knows_no_operator_is_refused(server: Served) -> None:
    with Client(server.url) as client:
        known = client.predict(FAST.name, SAMPLE[0])
    check_positive(FAST.name, [known])
    nothing = dataclasses.replace(known, latency_s=0.0, low_s=0.0)
    with pytest.raises(InsufficientData, match="1 of 2 networks are predicted to take no time"):
        check_positive(FAST.name, [known, nothing])
