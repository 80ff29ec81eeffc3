"""Counters for Prometheus: requests, their times, and predictions by tier. Each worker process counts for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from hyctas.prediction import Tier


class Telemetry:
    """What one server process counts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("hyctas_requests", "Answered requests.", ("route", "status"), registry=self._registry)
        self._seconds = Histogram(
            "hyctas_request_seconds",
            "Time from a request's headers to the end of its answer.",
            ("route",),
            registry=self._registry,
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
        )
        predictions = Counter("hyctas_predictions", "Predicted networks.", ("tier",), registry=self._registry)
        # Finding a labelled counter takes longer than counting, so found ones are kept.
        self._prediction_of: dict[Tier, Counter] = {tier: predictions.labels(tier) for tier in get_args(Tier)}
        self._counter_of: dict[tuple[str, int], Counter] = {}
        self._histogram_of: dict[str, Histogram] = {}

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is a template such as ``/models/{model_id}``, never a raw path."""
        counter = self._counter_of.get((route, status))
        if counter is None:
            counter = self._counter_of[route, status] = self._requests.labels(route, str(status))
        histogram = self._histogram_of.get(route)
        if histogram is None:
            histogram = self._histogram_of[route] = self._seconds.labels(route)
        counter.inc()
        histogram.observe(seconds)

    def predictions(self, tiers: Mapping[Tier, int]) -> None:
        """Count predicted networks."""
        for tier, count in tiers.items():
            self._prediction_of[tier].inc(count)

    def page(self) -> bytes:
        """All counters in Prometheus' text format."""
        return generate_latest(self._registry)
