"""The client for asyncio; see :mod:`hyctas.client`, whose methods it has with ``await`` and ``async for``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx

from hyctas.client_exchange import exchange
from hyctas.client_options import TIMEOUT_S, http_options
from hyctas.client_retry import RETRIES, Retries
from hyctas.client_values import (
    EVERYTHING,
    MeasurementPage,
    MeasurementQuery,
    ModelList,
    ServedMeasurement,
    ServedModel,
    ServedSpace,
    ServedTarget,
    TargetList,
)
from hyctas.client_wire import Answer, Asked, Call, Question, at_index, decoded, each_answer, one_answer, page_of, parts
from hyctas.prediction import Prediction


class AsyncClient:
    """Asks a server; also a context manager, which closes the connections.

    Args:
        url: Where the server is, such as ``http://localhost:8000``.
        timeout_s: Longest wait for a connection, and for each answer.
        retries: How often and how soon to try again.
        api_key: Key of the server, if it wants one.
        transport: What carries the requests instead of the network.
        sleep: Waits for seconds.

    Raises:
        InvalidInput: The URL is not one of http or https.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: Retries = RETRIES,
        api_key: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = httpx.AsyncClient(**http_options(url, timeout_s=timeout_s, api_key=api_key), transport=transport)
        self._retries = retries
        self._sleep = sleep

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Return the open client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    async def predict(
        self,
        target: str,
        architecture: Asked,
        *,
        defaults: Mapping[str, Any] | None = None,
        breakdown: bool = False,
        model_id: str | None = None,
        measured_until: datetime | None = None,
        release_lookup: bool = False,
    ) -> Prediction:
        """Predict one architecture; arguments as in :class:`hyctas.client_wire.Question`.

        Raises:
            InvalidArchitecture: It is not one.
            UnknownTarget: The server has no model for the target.
            UnknownModel: Nor that one.
            ClientError: No answer came, or another one than expected.
        """
        question = Question(target, defaults, breakdown, model_id, measured_until, release_lookup)
        return one_answer(await self._send(question.about(architecture)))

    async def predict_each(
        self,
        target: str,
        architectures: Sequence[Asked],
        *,
        defaults: Mapping[str, Any] | None = None,
        breakdown: bool = False,
        model_id: str | None = None,
        measured_until: datetime | None = None,
        release_lookup: bool = False,
    ) -> AsyncIterator[Answer]:
        """Predict architectures in batches, in their order; a bad one has its error in its place.

        Raises:
            UnknownTarget: The server has no model for the target.
            UnknownModel: Nor that one.
            ClientError: No answer came, or another one than expected.
        """
        question = Question(target, defaults, breakdown, model_id, measured_until, release_lookup)
        for part in parts(architectures):
            for answer in each_answer(await self._send(question.about_each(part)), len(part)):
                yield answer

    async def predict_all(
        self,
        target: str,
        architectures: Sequence[Asked],
        *,
        defaults: Mapping[str, Any] | None = None,
        breakdown: bool = False,
        model_id: str | None = None,
        measured_until: datetime | None = None,
        release_lookup: bool = False,
    ) -> AsyncIterator[Prediction]:
        """Predict architectures that are all expected to be good ones.

        Raises:
            InvalidArchitecture: The first that is none; its path begins with its index.
            HyctasError: As in :meth:`predict_each`.
        """
        answers = self.predict_each(
            target,
            architectures,
            defaults=defaults,
            breakdown=breakdown,
            model_id=model_id,
            measured_until=measured_until,
            release_lookup=release_lookup,
        )
        index = 0
        async for answer in answers:
            yield at_index(answer, index)
            index += 1

    async def targets(self) -> tuple[ServedTarget, ...]:
        """All targets that the server knows."""
        return decoded(await self._send(Call("GET", "/targets")), TargetList).targets

    async def models(self, target: str | None = None) -> tuple[ServedModel, ...]:
        """Registered models of a target, or all; oldest first."""
        params = {} if target is None else {"target": target}
        return decoded(await self._send(Call("GET", "/models", params)), ModelList).models

    async def operators(self) -> ServedSpace:
        """The candidate operators and settings of architectures."""
        return decoded(await self._send(Call("GET", "/operators")), ServedSpace)

    async def measurements(
        self, wanted: MeasurementQuery = EVERYTHING, *, page: int = 1000
    ) -> AsyncIterator[ServedMeasurement]:
        """All measurements that are `wanted`, oldest first, fetched in pages of at most 1000."""
        after_id: int | None = 0
        while after_id is not None:
            found = decoded(await self._send(page_of(wanted, page, after_id)), MeasurementPage)
            for measurement in found.measurements:
                yield measurement
            after_id = found.next_after_id

    async def _send(self, call: Call) -> httpx.Response:
        steps = exchange(call, self._retries, url=str(self._http.base_url))
        step = next(steps)
        while True:
            outcome: httpx.Response | httpx.TransportError | None = None
            if isinstance(step, Call):
                outcome = await self._outcome(step)
            else:
                await self._sleep(step)
            try:
                step = steps.send(outcome)
            except StopIteration as done:
                answer: httpx.Response = done.value
                return answer

    async def _outcome(self, call: Call) -> httpx.Response | httpx.TransportError:
        try:
            return await self._http.request(call.method, call.path, params=call.params, content=call.content)
        except httpx.TransportError as error:
            return error
