"""What every algorithm of the search does, whatever it is based on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hyctas.architecture import Architecture
from search.evolution.scored import Score

Population = Sequence[tuple[Architecture, Score]]


class Algorithm(Protocol):
    """Proposes candidates by generation, and is told their scores.

    What it proposes depends on its settings, on the generator of random numbers that it was given, and on the scores
    that it was told, and on nothing else.
    """

    @property
    def generation(self) -> int:
        """Generations that were told."""

    @property
    def exhausted(self) -> bool:
        """Whether no architecture is left, or none can be found; then :meth:`ask` returns none."""

    @property
    def population(self) -> Population:
        """What the next generation comes from."""

    def ask(self, most: int | None = None) -> tuple[Architecture, ...]:
        """The candidates of the next generation, the same ones until they are told.

        No network is ever proposed twice. Where few are left there are fewer than usual, and in the end none.

        Args:
            most: How many may still be scored, where that is limited.
        """

    def tell(self, architectures: Sequence[Architecture], scores: Sequence[Score]) -> None:
        """Take the scores of what was asked, in any order.

        Raises:
            SearchError: These are not the architectures that were asked, or their scores do not go together.
        """

    def rescore(self, scores: Mapping[str, Score]) -> None:
        """Replace scores, by architecture key, and choose the population anew from everything that was told.

        For a predictor that has learned something new.
        """

    def state(self) -> dict[str, Any]:
        """Everything that the next generation depends on, as strict JSON."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state` was taken, bit for bit.

        Raises:
            CheckpointMismatch: It is the state of another algorithm, another space or other settings.
        """
