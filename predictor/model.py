"""The predictor: architectures in, latencies with intervals out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.architecture import Architecture
from hyctas.decomposition import decompose
from hyctas.fasterseg_table import release_lookup_part
from hyctas.parts import Part
from hyctas.prediction import Contribution, Prediction, Tier
from predictor.correction import correction_inputs
from predictor.encoding import EncodedBatch, Encoder
from predictor.intervals import EXTRAPOLATION_FACTOR, UNCALIBRATED
from predictor.knowledge import Knowledge, TrainedRange
from predictor.part_table import PartTable

Array = npt.NDArray[np.float64]

MAX_ROWS: Final = 200_000
"""Parts after which the table is begun anew, so that requests of ever new sizes cannot fill the memory."""
MAX_SETTINGS: Final = 1000
"""Different settings after which the same happens."""
RANGE_TOLERANCE: Final = 0.05
"""Share by which a latency may leave the trained range before it counts as extrapolated."""


@dataclass(frozen=True, eq=False, slots=True)
class PredictedBatch:
    """Predictions of a batch as arrays; row by row the same as one by one.

    Attributes:
        latency_s: Predicted seconds, (networks,).
        low_s: Lower ends.
        high_s: Upper ends.
        tiers: One a network.
        unsupported: Names of parts that were estimated or are unknown, one tuple a network.
    """

    latency_s: Array
    low_s: Array
    high_s: Array
    tiers: list[Tier]
    unsupported: list[tuple[str, ...]]


class Predictor:
    """Predicts the latency of networks on one target; safe to share between threads.

    Args:
        knowledge: What was learned.
        model_id: The id that answers carry.
    """

    def __init__(self, knowledge: Knowledge, model_id: str) -> None:
        self.knowledge = knowledge
        self.model_id = model_id
        self._lock = threading.Lock()
        self._weights = knowledge.latency.prior.weights
        self._reset()

    @property
    def target(self) -> str:
        """Full name of the target."""
        return self.knowledge.target

    def predict(
        self, architectures: Sequence[Architecture], *, breakdown: bool = False, release_lookup: bool = False
    ) -> list[Prediction]:
        """Predict networks.

        Args:
            architectures: Any networks; those outside of what was measured are said to be extrapolated.
            breakdown: Add what each part contributes; the contributions sum to the latency.
            release_lookup: Take for each part the cost that FasterSeg's release takes for it; see
                :mod:`hyctas.fasterseg_table`.
        """
        batch = self.predict_batch(architectures, release_lookup=release_lookup)
        k = self.knowledge
        return [
            Prediction(
                latency_s=float(batch.latency_s[index]),
                low_s=float(batch.low_s[index]),
                high_s=float(batch.high_s[index]),
                coverage=k.intervals.coverage,
                tier=batch.tiers[index],
                breakdown=self._breakdown(architecture, float(batch.latency_s[index]), release_lookup=release_lookup)
                if breakdown
                else (),
                unsupported=batch.unsupported[index],
                model_id=self.model_id,
                expected_error=k.expected_error if batch.tiers[index] == "learned" else None,
            )
            for index, architecture in enumerate(architectures)
        ]

    def predict_batch(self, architectures: Sequence[Architecture], *, release_lookup: bool = False) -> PredictedBatch:
        """Predict networks without breakdowns: the fast way."""
        if not architectures:
            return PredictedBatch(np.zeros(0), np.zeros(0), np.zeros(0), [], [])
        with self._lock:
            batch = self._encode(architectures, release_lookup=release_lookup)
            additive_s = batch.sums(self._cost_s[:, None])[:, 0]
            latency_s = additive_s * self._factor(batch)
            unsupported = self._unsupported(batch)
        tiers = self._tiers(architectures, batch, additive_s, unsupported)
        half_widths = self._half_widths(architectures, batch, tiers)
        spread = np.exp(half_widths)
        return PredictedBatch(latency_s, latency_s / spread, latency_s * spread, tiers, unsupported)

    def features(self, architectures: Sequence[Architecture]) -> Array:
        """Additive features of networks, (networks, columns): what learning works on."""
        with self._lock:
            batch = self._encode(architectures)
            return batch.sums(self._table.matrix)

    def _reset(self) -> None:
        self._table = PartTable(self.knowledge.costs)
        self._encoder = Encoder(self._table.row_of)
        self._release_encoder = Encoder(self._row_of_release_lookup)
        self._cost_s = np.zeros(0)
        self._labels: list[str] = []
        """Of each row, the label of its part if the part's cost is a guess, else empty."""
        self._any_guessed = False

    def _row_of_release_lookup(self, part: Part) -> int:
        return self._table.row_of(release_lookup_part(part))

    def _encode(self, architectures: Sequence[Architecture], *, release_lookup: bool = False) -> EncodedBatch:
        settings = self._encoder.settings_count + self._release_encoder.settings_count
        if len(self._table.parts) > MAX_ROWS or settings > MAX_SETTINGS:
            self._reset()
        batch = (self._release_encoder if release_lookup else self._encoder).encode(architectures)
        self._price_new_rows()
        return batch

    def _price_new_rows(self) -> None:
        """Work out what each row adds to the additive latency, for rows that are new."""
        known = len(self._cost_s)
        if known < len(self._table.parts):
            new = self._table.matrix[known:]
            self._cost_s = np.concatenate([self._cost_s, (new * self._weights).sum(axis=1)])
            for part, source in zip(self._table.parts[known:], self._table.sources[known:], strict=True):
                certain = source in ("measured", "free")
                self._labels.append("" if certain else part.label)
                self._any_guessed |= not certain

    def _factor(self, batch: EncodedBatch) -> Array | float:
        """What the correction multiplies the additive latency by."""
        correction = self.knowledge.latency.correction
        if correction is None:
            return 1.0
        inputs = correction_inputs(batch.sums(self._table.matrix), self.knowledge.latency.prior)
        return np.asarray(np.exp(correction.log_factor(inputs)))

    def _unsupported(self, batch: EncodedBatch) -> list[tuple[str, ...]]:
        """Labels of each network's parts whose cost was not measured."""
        if not self._any_guessed:
            return [()] * len(batch.starts)
        labels = [self._labels[row] for row in batch.rows.tolist()]
        ends = [*batch.starts[1:].tolist(), len(labels)]
        networks = (labels[start:end] for start, end in zip(batch.starts.tolist(), ends, strict=True))
        return [tuple(label for label in dict.fromkeys(network) if label) for network in networks]

    def _tiers(
        self,
        architectures: Sequence[Architecture],
        batch: EncodedBatch,
        additive_s: Array,
        unsupported: Sequence[tuple[str, ...]],
    ) -> list[Tier]:
        trained = self.knowledge.trained
        if trained is None:
            return ["estimated" if labels else "additive" for labels in unsupported]
        low, high = trained.latency_s
        inside = (additive_s >= low * (1 - RANGE_TOLERANCE)) & (additive_s <= high * (1 + RANGE_TOLERANCE))
        known = _known_settings(batch, trained)
        return [
            "learned" if fits and trusted and len(architecture.branches) in trained.branches else "extrapolated"
            for architecture, trusted, fits in zip(architectures, known, inside.tolist(), strict=True)
        ]

    def _half_widths(self, architectures: Sequence[Architecture], batch: EncodedBatch, tiers: Sequence[Tier]) -> Array:
        """Half-width of each interval: calibrated, wider out of the trained range, a guess at unseen settings."""
        trained, intervals = self.knowledge.trained, self.knowledge.intervals
        if trained is None:
            return np.full(len(architectures), UNCALIBRATED)
        known = _known_settings(batch, trained)
        widths = [
            intervals.half_width(len(architecture.branches)) * (1.0 if tier == "learned" else EXTRAPOLATION_FACTOR)
            if trusted
            else UNCALIBRATED
            for architecture, trusted, tier in zip(architectures, known, tiers, strict=True)
        ]
        return np.array(widths)

    def _breakdown(
        self, architecture: Architecture, latency_s: float, *, release_lookup: bool
    ) -> tuple[Contribution, ...]:
        """Contributions by part: the additive ones, scaled so that they sum to the latency."""
        placed = decompose(architecture).parts
        row_of = self._row_of_release_lookup if release_lookup else self._table.row_of
        with self._lock:
            rows = [row_of(part.part) for part in placed]
            self._price_new_rows()
            costs = self._cost_s[rows]
            sources = [self._table.sources[row] for row in rows]
            entries = [self.knowledge.costs.entries.get(self._table.parts[row], "") for row in rows]
        scale = latency_s / float(costs.sum()) if costs.sum() > 0.0 else 0.0
        return tuple(
            Contribution(
                part.place, part.part.kind, float(cost) * scale, "estimated" if source == "unknown" else source, entry
            )
            for part, cost, source, entry in zip(placed, costs, sources, entries, strict=True)
        )


def _known_settings(batch: EncodedBatch, trained: TrainedRange) -> list[bool]:
    """For each network, whether networks of its very settings were trained on."""
    known = {id(context): context.settings in trained.settings for context in set(batch.contexts)}
    return [known[id(context)] for context in batch.contexts]
