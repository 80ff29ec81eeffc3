"""Refitting on the way: part of the front is measured, the predictor learns from it, and everything is scored again.

Each step leaves something behind for a search that is killed and resumed: measurements in the database, then the new
models in the state, then new latencies of all candidates in the database, then their scores in the state.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np

from search.candidate import Candidate
from search.fronts import fronts_of
from search.latency import RemoteLatency
from search.measuring import Measuring
from search.plan import SearchPlan, example_network
from search.run import SearchRun
from search.store import candidate_latency
from search.trust import doubtful, random_sample


class Refitting:
    """Stops a search on the way to measure, refit and score again.

    Args:
        plan: What the search is told to do; how often, and how many networks.
        latency: Predicts.
        measuring: Measures, and has predictors refitted.
        say: Told in a line what matters.
    """

    def __init__(
        self, plan: SearchPlan, latency: RemoteLatency, measuring: Measuring, say: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._latency = latency
        self._measuring = measuring
        self._say = say

    def run(self, run: SearchRun) -> None:
        """Run the search up to its last refit, from wherever it stands."""
        total, epochs = self._plan.search.evaluations, self._plan.epochs
        if run.outdated:
            self._rescore(run)
        for epoch in range(run.revision, epochs):
            run.run(until=max(1, total * (epoch + 1) // (epochs + 1)))
            self._epoch(run)

    def _epoch(self, run: SearchRun) -> None:
        rng = np.random.default_rng([self._plan.search.seed, 1 + run.revision])
        for position, target in enumerate(self._plan.search.targets):
            chosen = self._chosen(run.archive, position, rng)
            self._measuring.measured_s(target, [candidate.architecture for candidate in chosen])
            self._measuring.refit(target)
        self._latency.pin_newest(example_network(self._plan), datetime.now(UTC))
        run.refitted()
        self._rescore(run)

    def _chosen(self, archive: Sequence[Candidate], target: int, rng: np.random.Generator) -> list[Candidate]:
        """Networks of the front at random, as many that are in doubt; none that was measured before."""
        count = self._plan.measured_networks
        members = fronts_of(archive, self._plan.search.limits_s).members
        unmeasured = [c for c in members if c.predictions[target].tier != "measured"]
        drawn = random_sample(unmeasured, -(-count // 2), rng)
        routed = [candidate for candidate in doubtful(archive, target) if candidate not in drawn]
        chosen = [*drawn, *routed[: count - len(drawn)]]
        self._say(
            f"measuring {len(chosen)} networks on {self._plan.search.targets[target]}: {len(drawn)} of the front at "
            "random, the rest in doubt"
        )
        return chosen

    def _rescore(self, run: SearchRun) -> None:
        """Predict everything again by the models of the pin."""
        with self._measuring.stopwatch.on("prediction"):
            predicted = self._latency([candidate.architecture for candidate in run.archive])
        rescored = [dataclasses.replace(c, predictions=p) for c, p in zip(run.archive, predicted, strict=True)]
        latencies = {
            candidate.architecture.key: [
                candidate_latency(target, prediction, revision=run.revision)
                for target, prediction in zip(self._plan.search.targets, candidate.predictions, strict=True)
            ]
            for candidate in rescored
        }
        with self._measuring.stopwatch.on("storage"):
            self._measuring.repository.add_candidate_latencies(self._measuring.search_run_id, latencies)
        run.rescore(rescored)
