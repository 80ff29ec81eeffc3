"""Everything that a run has scored, so that no network is scored twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hyctas.architecture import Architecture, ArchitectureDefaults
from search.evolution.branch_codes import Codes, architecture_of, codes_of
from search.evolution.identity import graph_identity
from search.evolution.scored import Score
from search.evolution.strict_json import number, number_from


class Archive:
    """Architectures in the order in which they were scored, with their scores.

    Args:
        settings: Settings of all of them.
    """

    def __init__(self, settings: ArchitectureDefaults) -> None:
        self._settings = settings
        self._architectures: list[Architecture] = []
        self._scores: list[Score] = []
        self._codes: set[Codes] = set()
        self._identities: dict[bytes, int] = {}

    def __len__(self) -> int:
        """How many were scored."""
        return len(self._architectures)

    def __getitem__(self, index: int) -> tuple[Architecture, Score]:
        """The architecture that was scored as the `index`-th, and its score."""
        return self._architectures[index], self._scores[index]

    @property
    def scores(self) -> Sequence[Score]:
        """All scores, in order."""
        return self._scores

    def has(self, codes: Codes) -> bool:
        """Whether just these branches were scored; a quick answer, before :meth:`place` has the last word."""
        return codes in self._codes

    def place(self, identity: bytes) -> int | None:
        """Position of the network with this :func:`graph_identity`, or None where it was not scored."""
        return self._identities.get(identity)

    def add(self, architecture: Architecture, score: Score) -> None:
        """Keep a score; of a network that was scored before, the first score stays."""
        if self._identities.setdefault(graph_identity(architecture), len(self)) == len(self):
            self._codes.add(codes_of(architecture))
            self._architectures.append(architecture)
            self._scores.append(score)

    def rescore(self, scores: Mapping[str, Score]) -> None:
        """Replace the scores of architectures, by their keys."""
        for index, architecture in enumerate(self._architectures):
            self._scores[index] = scores.get(architecture.key, self._scores[index])

    def minimised(self) -> npt.NDArray[np.float64]:
        """Objectives (scored, objectives); infinite where a limit is broken, as where the evaluation failed."""
        rows = [s.minimised if s.feasible else (np.inf,) * len(s.minimised) for s in self._scores]
        return np.array(rows, dtype=np.float64).reshape(len(rows), -1) if rows else np.empty((0, 1))

    def state(self) -> list[dict[str, Any]]:
        """Everything as strict JSON."""
        return [
            {
                "branches": [code.hex() for code in codes_of(architecture)],
                "minimised": list(map(number, score.minimised)),
                "violations": list(map(number, score.violations)),
            }
            for architecture, score in zip(self._architectures, self._scores, strict=True)
        ]

    @classmethod
    def from_state(cls, settings: ArchitectureDefaults, state: Sequence[Mapping[str, Any]]) -> Archive:
        """The archive that :meth:`state` described."""
        archive = cls(settings)
        for entry in state:
            minimised, violations = (tuple(map(number_from, entry[name])) for name in ("minimised", "violations"))
            codes = tuple(map(bytes.fromhex, entry["branches"]))
            archive.add(architecture_of(settings, codes), Score(minimised, violations))
        return archive
