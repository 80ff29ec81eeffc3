"""What each operator costs on a target: measured where it was measured, estimated elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal

from hyctas.parts import Part
from predictor.operator_estimator import OperatorEstimator, fit_operator_estimator
from predictor.samples import OperatorSample

Source = Literal["measured", "free", "estimated", "unknown"]
MIN_ROWS: Final = 20
"""Fewer measured operators do not teach anything about others."""
MIN_CHAINED: Final = 3
"""A kind with fewer chained operators takes the share of all kinds together."""
SHARE_RANGE: Final = (0.5, 1.0)
"""What of its latency alone an operator may add to a network, where that is estimated."""


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """Seconds that an operator adds to a network, and where the number comes from."""

    cost_s: float
    source: Source


@dataclass(frozen=True, eq=False)
class OperatorCosts:
    """Costs of operators on one target.

    Attributes:
        measured: Seconds by part.
        estimator: Costs of other parts; None where too little was measured.
        entries: Of parts whose cost stands in a published table, the key there.
        free_kinds: Kinds that such a table counts nothing for.
        borrowed: Seconds by part as known targets have it (:mod:`predictor.transfer`): an estimate, the first choice.
    """

    measured: Mapping[Part, float]
    estimator: OperatorEstimator | None
    entries: Mapping[Part, str] = field(default_factory=dict)
    free_kinds: frozenset[str] = frozenset()
    borrowed: Mapping[Part, float] = field(default_factory=dict)

    def cost(self, part: Part) -> OperatorCost:
        """Cost of `part`; zero with source ``unknown`` if nothing is known."""
        if (cost_s := self.measured.get(part)) is not None:
            return OperatorCost(cost_s, "measured")
        if (cost_s := self.borrowed.get(part)) is not None:
            return OperatorCost(cost_s, "estimated")
        if part.kind in self.free_kinds:
            return OperatorCost(0.0, "free")
        if self.estimator is None:
            return OperatorCost(0.0, "unknown")
        return OperatorCost(float(self.estimator.cost_s([part])[0]), "estimated")

    @property
    def known(self) -> bool:
        """Whether any cost is known at all."""
        return bool(self.measured)


def learn_operator_costs(
    samples: Iterable[OperatorSample], *, free_kinds: Collection[str] = (), seed: int = 0
) -> OperatorCosts:
    """Keep what was measured, and fit the estimator of the rest.

    A cost is what an operator adds inside a network: its marginal latency if it was chained, else its latency alone
    times the share that chained operators of its kind add. The entry of a published table counts as it stands, the
    median where several name the same operator; measurements of our own go before it.

    Args:
        samples: What was measured.
        free_kinds: Kinds that a table counts nothing for.
        seed: Of the estimator.
    """
    known = list(samples)
    own = [sample for sample in known if not sample.entry]
    tabled = _entries_by_part(known)
    share_of, share_of_others = marginal_shares(own)
    measured = {part: median(sample.latency_s for sample in entries) for part, entries in tabled.items()}
    for sample in own:
        alone_s = sample.latency_s * share_of.get(sample.part.kind, share_of_others)
        measured[sample.part] = alone_s if sample.plausible_marginal_s is None else sample.plausible_marginal_s
    measured_here = {sample.part for sample in own}
    return OperatorCosts(
        measured,
        fit_operator_estimator(measured, seed=seed) if len(measured) >= MIN_ROWS else None,
        {part: _named(entries) for part, entries in tabled.items() if part not in measured_here},
        frozenset(free_kinds),
    )


def _entries_by_part(samples: Iterable[OperatorSample]) -> Mapping[Part, Sequence[OperatorSample]]:
    found = defaultdict(list)
    for sample in samples:
        if sample.entry:
            found[sample.part].append(sample)
    return found


def _named(entries: Sequence[OperatorSample]) -> str:
    first, *others = sorted(sample.entry for sample in entries)
    return f"{first} and {len(others)} more" if others else first


def marginal_shares(samples: Sequence[OperatorSample]) -> tuple[Mapping[str, float], float]:
    """Median share of its latency alone that an operator adds in a chain: by kind, and of all other kinds.

    Alone, an operator also pays for the call and for changing the layout of its input and output.
    """
    found = defaultdict(list)
    for sample in samples:
        if (marginal_s := sample.plausible_marginal_s) is not None:
            found[sample.part.kind].append(marginal_s / sample.latency_s)
    by_kind = {kind: _typical(shares) for kind, shares in found.items() if len(shares) >= MIN_CHAINED}
    together = [share for shares in found.values() for share in shares]
    return by_kind, _typical(together) if len(together) >= MIN_CHAINED else 1.0


def _typical(shares: Sequence[float]) -> float:
    low, high = SHARE_RANGE
    return min(max(median(shares), low), high)
