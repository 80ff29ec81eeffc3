"""Latency from a predictor behind HTTP: in batches, remembered, and patient when the server is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from hyctas.architecture import Architecture
from hyctas.client import Client
from hyctas.errors import ConnectionFailed, InsufficientData, InvalidInput, PredictorUnavailable, ServerUnavailable
from hyctas.prediction import Prediction

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

AWAY: Final = (ConnectionFailed, ServerUnavailable)
"""Errors after which the server may come back."""
NEVER_MEASURED: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Before any measurement, so that a model has to answer."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server that does not answer, on top of the client's own retries.

    Attributes:
        first_s: Wait after the first failure; doubles with each.
        longest_s: Longest wait between two attempts.
        limit_s: Time without an answer after which to give up.

    Raises:
        InvalidInput: A time is not positive (the limit may be 0: give up at once).
    """

    first_s: float = 1.0
    longest_s: float = 30.0
    limit_s: float = 600.0

    def __post_init__(self) -> None:
        """Refuse times that are none."""
        if not (self.first_s > 0 and self.longest_s > 0 and self.limit_s >= 0):
            raise InvalidInput("patience", self, "seconds above 0, and a limit of at least 0")

    def waits_s(self) -> Iterator[float]:
        """Waits between attempts; they add up to the limit."""
        waited, wait_s = 0.0, self.first_s
        while waited < self.limit_s:
            step = min(wait_s, self.longest_s, self.limit_s - waited)
            yield step
            waited += step
            wait_s *= 2.0


PATIENCE: Final = Patience()


@dataclass(frozen=True, slots=True)
class Pin:
    """What makes predictions repeatable.

    Attributes:
        model_ids: The model that answers, for each target in order; None where no model was trained (all measured).
        measured_until: Measurements after this time do not count.
    """

    model_ids: tuple[str | None, ...]
    measured_until: datetime


class RemoteLatency:
    """Predicts architectures on several targets, each asked about once while the pin stays.

    Args:
        client: Asks the server, with retries of its own.
        targets: Full names.
        measured_until: Measurements after this time do not count.
        patience: How long to wait for a server that is away.
        say: Told in a line when waiting begins, and when an answer came after all.
        sleep: Waits for seconds.
    """

    def __init__(
        self,
        client: Client,
        targets: Sequence[str],
        *,
        measured_until: datetime,
        patience: Patience = PATIENCE,
        say: Callable[[str], None] = log.warning,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.targets = tuple(targets)
        self._client = client
        self._patience = patience
        self._say = say
        self._sleep = sleep
        self._pin = Pin((None,) * len(self.targets), measured_until)
        self._known: dict[str, tuple[Prediction, ...]] = {}

    @property
    def pin(self) -> Pin:
        """The models and the time that all answers are of."""
        return self._pin

    def pin_newest(self, example: Architecture, measured_until: datetime) -> Pin:
        """Ask every target about `example`, and stay with the models that answer; forgets all answers.

        Raises:
            UnknownTarget: The server has no model for a target; known ones are named.
            PredictorUnavailable: It did not answer for as long as patience lasts.
        """
        models = (self._newest_model(target, example) for target in self.targets)
        self.pin_to(Pin(tuple(models), measured_until))
        return self._pin

    def pin_to(self, pin: Pin) -> None:
        """Stay with models and a time of before; forgets all answers."""
        self._pin = pin
        self._known.clear()

    def __call__(self, architectures: Sequence[Architecture]) -> list[tuple[Prediction, ...]]:
        """The predictions of each architecture, one a target; each target is asked once, about what is not known.

        Raises:
            PredictorUnavailable: The server did not answer for as long as patience lasts.
            InsufficientData: Its model knows too little to tell a latency at all.
            HyctasError: It refuses the question, such as for a model that it does not have.
        """
        unknown = list({a.key: a for a in architectures if a.key not in self._known}.values())
        if unknown:
            pinned = zip(self.targets, self._pin.model_ids, strict=True)
            answers = [self._ask(target, model_id, unknown) for target, model_id in pinned]
            for architecture, predictions in zip(unknown, zip(*answers, strict=True), strict=True):
                self._known[architecture.key] = predictions
        return [self._known[architecture.key] for architecture in architectures]

    def _ask(self, target: str, model_id: str | None, architectures: Sequence[Architecture]) -> list[Prediction]:
        until = self._pin.measured_until
        found = self._patiently(
            lambda: list(self._client.predict_all(target, architectures, model_id=model_id, measured_until=until))
        )
        check_positive(target, found)
        return found

    def _newest_model(self, target: str, example: Architecture) -> str | None:
        """The model that answers about a network that counts as never measured."""
        until = NEVER_MEASURED
        return self._patiently(lambda: self._client.predict(target, example, measured_until=until)).model_id

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        waits = self._patience.waits_s()
        waited = 0.0
        while True:
            try:
                answer = ask()
            except AWAY as error:
                wait_s = next(waits, None)
                if wait_s is None:
                    raise PredictorUnavailable(
                        f"no predictions for {waited:.0f} s, so the search stops here; "
                        f"resume it when the server is back: {error}"
                    ) from error
                if not waited:
                    self._say(f"the predictor does not answer; waiting up to {self._patience.limit_s:.0f} s: {error}")
                self._sleep(wait_s)
                waited += wait_s
            else:
                if waited:
                    self._say(f"the predictor is back after {waited:.0f} s")
                return answer


def check_positive(target: str, predictions: Sequence[Prediction]) -> None:
    """Refuse a model that knows so few operators that networks seem to take no time.

    Raises:
        InsufficientData: A latency is not above 0.
    """
    nothing = [prediction for prediction in predictions if prediction.latency_s <= 0.0]
    if nothing:
        raise InsufficientData(
            f"{target}: {len(nothing)} of {len(predictions)} networks are predicted to take no time, since model "
            f"{nothing[0].model_id} knows none of their operators: run 'hyctas profile operators', then 'hyctas train'"
        )
