"""The search space: which architectures belong to it, at a given depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from hyctas.architecture import MAX_BRANCHES, Architecture
from hyctas.cardinality import cardinality
from hyctas.cell import MAX_CELLS, OPERATORS, SCALES, WIDTHS, Branch, Operator, Width
from hyctas.errors import InvalidArchitecture, InvalidInput
from hyctas.space_rules import SPACE_RULES

Choice = TypeVar("Choice", Operator, Width)


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """A space of architectures: 1 to `max_branches` branches with different last scales.

    Each branch has `min_cells` to `depth` cells; one that ends at scale s goes down s times, never on its last
    cell. The settings (input size, head, ...) are no part of the space: they come with a sample.

    Attributes:
        name: What the operators mean; the ``space`` of its architectures.
        depth: Most cells of a branch.
        min_cells: Fewest cells of a branch.
        max_branches: Most branches.
        operators: Candidate operators, in canonical order; every one that the space has unless given.
        widths: Width ratios in twelfths, ascending.

    Raises:
        InvalidInput: A bound is outside the format, or a choice is unknown or listed twice.
    """

    name: str = "hyctas"
    depth: int = 16
    min_cells: int = 6
    max_branches: int = MAX_BRANCHES
    operators: tuple[Operator, ...] = OPERATORS
    widths: tuple[Width, ...] = WIDTHS

    def __post_init__(self) -> None:
        """Refuse a space outside the format, and bring its choices into canonical order."""
        if self.name not in SPACE_RULES:
            raise InvalidInput("space", self.name, f"one of {', '.join(SPACE_RULES)}")
        known = SPACE_RULES[self.name].operators
        if self.operators == OPERATORS:
            object.__setattr__(self, "operators", known)
        _within("depth", self.depth, MAX_CELLS)
        _within("min_cells", self.min_cells, self.depth)
        _within("max_branches", self.max_branches, MAX_BRANCHES)
        object.__setattr__(self, "operators", _ordered("operators", self.operators, known))
        object.__setattr__(self, "widths", _ordered("widths", self.widths, WIDTHS))

    def fewest_cells(self, scale: int) -> int:
        """Fewest cells of a branch that ends at `scale`; more than `depth` if none can."""
        return max(self.min_cells, scale + 1)

    @property
    def scales(self) -> tuple[int, ...]:
        """Scales at which a branch of this space can end."""
        return tuple(scale for scale in SCALES if self.fewest_cells(scale) <= self.depth)

    @property
    def cardinality(self) -> int:
        """How many sets of branches it holds, exactly; see :mod:`hyctas.cardinality`."""
        return cardinality(self)

    def contains(self, architecture: Architecture) -> bool:
        """Whether `architecture` belongs to this space."""
        return self.violation(architecture) is None

    def check(self, architecture: Architecture) -> None:
        """Raise unless `architecture` belongs to this space.

        Raises:
            InvalidArchitecture: The first rule that it breaks.
        """
        if error := self.violation(architecture):
            raise error

    def violation(self, architecture: Architecture) -> InvalidArchitecture | None:
        """Return the error for the first rule that `architecture` breaks, or None where it belongs to this space."""
        if architecture.space != self.name:
            return InvalidArchitecture("$.space", architecture.space, self.name)
        if len(architecture.branches) > self.max_branches:
            return InvalidArchitecture(
                "$.branches", f"{len(architecture.branches)} branches", f"at most {self.max_branches} in this space"
            )
        for index, branch in enumerate(architecture.branches):
            if error := self._branch_violation(branch, f"$.branches[{index}].cells"):
                return error
        return None

    def _branch_violation(self, branch: Branch, path: str) -> InvalidArchitecture | None:
        count = len(branch.cells)
        if not self.min_cells <= count <= self.depth:
            return InvalidArchitecture(path, f"{count} cells", f"{self.min_cells} to {self.depth} cells in this space")
        for index, cell in enumerate(branch.cells):
            if cell.op not in self.operators:
                return InvalidArchitecture(f"{path}[{index}].op", cell.op, f"one of {', '.join(self.operators)}")
            if cell.width is not None and cell.width not in self.widths:
                return InvalidArchitecture(f"{path}[{index}].width", cell.width, f"one of {self.widths}")
        return None


def _within(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise InvalidInput(name, value, f"1 to {most}")


def _ordered(name: str, given: tuple[Choice, ...], known: tuple[Choice, ...]) -> tuple[Choice, ...]:
    if not given or len(set(given)) < len(given) or not set(given) <= set(known):
        raise InvalidInput(name, given, f"one or more of {', '.join(map(str, known))}, each once")
    return tuple(choice for choice in known if choice in given)


HYCTAS: Final = SearchSpace()
"""The space of HyCTAS at the depth of its predecessor's search, with every candidate operator."""
FASTERSEG: Final = SearchSpace(name="fasterseg")
"""The space of FasterSeg at the depth of its search; see :mod:`hyctas.fasterseg_operators`."""
