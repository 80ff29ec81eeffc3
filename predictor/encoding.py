"""From architectures to rows of parts, without a graph and without building a single :class:`Part` twice.

Under given settings, the part of a cell follows from where the branch stands (scale, channels, maps that the
fusion will read) and the cell's one-byte code. So a branch is walked as a finite automaton over its code: each
state maps a code to the row of the part and the next state, and works an entry out when it is first met.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.blueprints import blueprint_of
from hyctas.cell import CELL_OF_CODE
from hyctas.parts import Part
from hyctas.sharing import shared_prefix

RowOf = Callable[[Part], int]

_SETTINGS_END: Final = b"\0"
"""What separates the settings from the branches in an architecture's canonical bytes."""


class EncodedBatch(NamedTuple):
    """The parts of several architectures, one after the other.

    Attributes:
        rows: Rows of all parts.
        starts: Where each architecture's rows start; every architecture has at least one.
        contexts: The settings of each architecture, as its :class:`SettingsContext`.
    """

    rows: NDArray[np.intp]
    starts: NDArray[np.intp]
    contexts: list[SettingsContext]

    def sums(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum the rows of `matrix` over each architecture; the result does not depend on its neighbours.

        Args:
            matrix: Shape (parts, features).

        Returns:
            Shape (architectures, features).
        """
        return np.add.reduceat(matrix.take(self.rows, axis=0), self.starts, axis=0)


class Encoder:
    """Lists the rows of the parts that architectures build.

    Agrees with :func:`hyctas.decomposition.decompose` on the multiset of parts. Not safe to share between threads.

    Args:
        row_of: Numbers parts; called once for each part under each settings and state.
    """

    def __init__(self, row_of: RowOf) -> None:
        self._row_of = row_of
        self._contexts: dict[bytes, SettingsContext] = {}

    @property
    def settings_count(self) -> int:
        """How many different settings were met."""
        return len(self._contexts)

    def encode(self, architectures: Sequence[Architecture]) -> EncodedBatch:
        """Rows of all parts of `architectures`, shared prefixes once."""
        rows: list[int] = []
        starts, contexts = [], []
        for architecture in architectures:
            context = self.context(architecture)
            contexts.append(context)
            starts.append(len(rows))
            rows += context.rows(architecture)
        return EncodedBatch(np.array(rows, dtype=np.intp), np.array(starts, dtype=np.intp), contexts)

    def context(self, architecture: Architecture) -> SettingsContext:
        """What is known about the settings of `architecture`."""
        name = architecture.canonical_bytes.partition(_SETTINGS_END)[0]
        context = self._contexts.get(name)
        if context is None:
            context = self._contexts[name] = SettingsContext(architecture.settings, self._row_of)
        return context


class SettingsContext:
    """Rows of all parts under one settings, found lazily.

    Args:
        settings: Everything about a network but its branches.
        row_of: Numbers parts.

    Attributes:
        settings: As given.
    """

    def __init__(self, settings: ArchitectureDefaults, row_of: RowOf) -> None:
        self.settings = settings
        self._row_of = row_of
        self._blueprint = blueprint_of(settings)
        self._stem = [row_of(step.part) for step in self._blueprint.stem()]
        self._tails: dict[tuple[int, ...], list[int]] = {}
        self._states: dict[tuple[int, int, tuple[int, ...]], _State] = {}
        self._first = self._state(0, self._blueprint.stem_out, ())

    def rows(self, architecture: Architecture) -> list[int]:
        """Rows of the parts of `architecture`, which must have these settings."""
        branches = architecture.branches
        rows = self._stem.copy()
        ends = []
        for index, branch in enumerate(branches):
            shared = max([shared_prefix(earlier, branch) for earlier in branches[:index]], default=0)
            code, state = branch.code, self._first
            for cell in code[:shared]:
                state = state[cell][1]
            for cell in code[shared:]:
                row, state = state[cell]
                rows.append(row)
            rows += state.brought_up.rows
            ends.append(state.brought_up.channels)
        return rows + self._tail(tuple(ends))

    def _tail(self, channels: tuple[int, ...]) -> list[int]:
        """Rows of what follows branches with so many channels each: their fusion, the head, the output."""
        if channels not in self._tails:
            fusion = self._blueprint.fusion(channels)
            head = self._blueprint.head(fusion[-1].part.out_channels)
            chain = (*fusion, *head, *self._blueprint.output())
            self._tails[channels] = [self._row_of(step.part) for step in chain]
        return self._tails[channels]

    def _state(self, scale: int, channels: int, high: tuple[int, ...]) -> _State:
        key = scale, channels, high
        if key not in self._states:
            self._states[key] = _State(self._step, self._bring_up, *key)
        return self._states[key]

    def _step(self, state: _State, code: int) -> tuple[int, _State]:
        cell = CELL_OF_CODE[code]
        part = self._blueprint.cell(state.scale, state.channels, cell)
        row = self._row_of(part)
        if not cell.down:
            return row, self._state(state.scale, part.out_channels, state.high)
        return row, self._state(state.scale + 1, part.out_channels, (*state.high, state.channels))

    def _bring_up(self, state: _State) -> _BroughtUp:
        rows, channels = [], state.channels
        for scale in range(state.scale, 0, -1):
            chain = self._blueprint.bring_up(scale, channels, state.high[scale - 1])
            rows += [self._row_of(step.part) for step in chain]
            channels = chain[-1].part.out_channels
        return _BroughtUp(rows, channels)


class _BroughtUp(NamedTuple):
    """What brings a branch that ends here back up to 1/8: rows of parts, and the channels that come of it."""

    rows: list[int]
    channels: int


class _State(dict[int, "tuple[int, _State]"]):
    """Where a branch stands: from the next cell's code to the row of its part and the state after it.

    Args:
        step: Works out a missing entry.
        bring_up: Works out what follows where a branch ends here.
        scale: Scale of the map at hand.
        channels: Its channels.
        high: Channels of the last map at each finer scale.
    """

    def __init__(
        self,
        step: Callable[[_State, int], tuple[int, _State]],
        bring_up: Callable[[_State], _BroughtUp],
        scale: int,
        channels: int,
        high: tuple[int, ...],
    ) -> None:
        self._step = step
        self._bring_up = bring_up
        self.scale = scale
        self.channels = channels
        self.high = high

    @cached_property
    def brought_up(self) -> _BroughtUp:
        """What follows where a branch ends here."""
        return self._bring_up(self)

    def __missing__(self, code: int) -> tuple[int, _State]:
        entry = self[code] = self._step(self, code)
        return entry
