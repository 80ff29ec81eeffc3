"""An architecture: one network of the search space, with everything that fixes its latency."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final, Literal, get_args

from hyctas.cell import CELL_OF_CODE, MAX_CELLS, OPERATORS, SCALES, WIDTHS, Branch, Cell, Operator, Width
from hyctas.errors import InvalidArchitecture
from hyctas.space_rules import SPACE_RULES, Attention, Head, SpaceRules, rules_of

__all__ = [
    "CELL_OF_CODE",
    "MAX_CELLS",
    "OPERATORS",
    "SCALES",
    "WIDTHS",
    "Architecture",
    "ArchitectureDefaults",
    "Attention",
    "Branch",
    "Cell",
    "Head",
    "InputSize",
    "Operator",
    "Width",
]

Output = Literal["logits", "upsampled", "argmax"]

SPACES: Final = tuple(SPACE_RULES)
OUTPUTS: Final[tuple[Output, ...]] = get_args(Output)
MAX_SIDE: Final = 16384
MAX_BATCH: Final = 1024
MAX_BASE_CHANNELS: Final = 256
MAX_CLASSES: Final = 4096
MAX_BRANCHES: Final = 3
SIDE_MULTIPLE: Final = 32
"""At other sides the stride-2 forms of the operators disagree by a pixel and concatenation fails."""

_KEY_VERSION: Final = 1
_OWN_CODES: Final = {
    name: bytes(code for code, cell in CELL_OF_CODE.items() if cell.op in rules.operators)
    for name, rules in SPACE_RULES.items()
}
"""Of each space, the codes of the cells that may occur in it."""


@dataclass(frozen=True, slots=True)
class InputSize:
    """Size of the input: images in a batch, and pixels.

    Attributes:
        batch: Images, 1 to 1024.
        height: Rows, a multiple of 32 up to 16384.
        width: Columns, likewise.

    Raises:
        InvalidArchitecture: A value is outside these; the path is relative to the input object.
    """

    batch: int
    height: int
    width: int

    def __post_init__(self) -> None:
        """Refuse a size that no network can take."""
        if not 1 <= self.batch <= MAX_BATCH:
            raise InvalidArchitecture("$.batch", self.batch, f"1 to {MAX_BATCH}")
        for name, side in (("height", self.height), ("width", self.width)):
            if not SIDE_MULTIPLE <= side <= MAX_SIDE or side % SIDE_MULTIPLE:
                raise InvalidArchitecture(f"$.{name}", side, f"a multiple of {SIDE_MULTIPLE} up to {MAX_SIDE}")


@dataclass(frozen=True, slots=True)
class ArchitectureDefaults:
    """What a file of the release format does not carry; field by field as in :class:`Architecture`.

    The defaults are those of the space ``hyctas``; :func:`default_settings` has those of any.
    """

    space: str = "hyctas"
    batch: int = 1
    height: int = 1024
    width: int = 2048
    base_channels: int = 12
    stem_width: Width = 12
    head_width: Width = 12
    head: Head = "s4"
    attention: Attention = "efficient"
    classes: int = 19
    output: Output = "logits"

    def architecture(self, branches: tuple[Branch, ...]) -> Architecture:
        """Join these settings with `branches`.

        Raises:
            InvalidArchitecture: A setting is outside its choices, or the branches do not go together.
        """
        return Architecture(
            space=self.space,
            input=InputSize(self.batch, self.height, self.width),
            base_channels=self.base_channels,
            stem_width=self.stem_width,
            head_width=self.head_width,
            head=self.head,
            attention=self.attention,
            classes=self.classes,
            output=self.output,
            branches=branches,
        )


def default_settings(space: str) -> ArchitectureDefaults:
    """The settings of a space where nothing else is said.

    Raises:
        InvalidArchitecture: There is no such space.
    """
    rules = rules_of(space)
    return ArchitectureDefaults(space=space, head=rules.default_head, attention=rules.default_attention)


@dataclass(frozen=True)
class Architecture:
    """One network: settings, and 1 to 3 branches that end at different scales.

    Branches are kept in canonical order (by last scale, then content), whatever order they are given in.

    Attributes:
        space: Name of the search space, which says what the operators mean.
        input: Batch and image size.
        base_channels: Channels at stride 1 and full width; stride and width ratio multiply it.
        stem_width: Width ratio of the stem, in twelfths.
        head_width: Width ratio of every branch's last cell and of the head, in twelfths.
        head: Form of the segmentation head.
        attention: Form of attention, in cells and head alike.
        classes: Classes of the output.
        output: Where the network ends: logits at the head's stride, upsampled logits, or class indices.
        branches: The paths through the trellis.

    Raises:
        InvalidArchitecture: A value is outside its choices; the path is the one in version-1 JSON.
    """

    space: str
    input: InputSize
    base_channels: int
    stem_width: Width
    head_width: Width
    head: Head
    attention: Attention
    classes: int
    output: Output
    branches: tuple[Branch, ...]

    def __post_init__(self) -> None:
        """Check the settings and bring the branches into canonical order."""
        rules = rules_of(self.space)
        _check_settings(self, rules)
        _check_operators(self.branches, rules)
        scales = [branch.last_scale for branch in self.branches]
        _check_last_scales(scales)
        if scales != sorted(scales):
            ordered = sorted(self.branches, key=lambda branch: (branch.last_scale, branch.code))
            object.__setattr__(self, "branches", tuple(ordered))

    def __hash__(self) -> int:
        """Hash the canonical byte string."""
        return hash(self.canonical_bytes)

    @cached_property
    def settings(self) -> ArchitectureDefaults:
        """Everything but the branches; networks with equal settings share stem, channel counts and head forms."""
        return ArchitectureDefaults(
            space=self.space,
            batch=self.input.batch,
            height=self.input.height,
            width=self.input.width,
            base_channels=self.base_channels,
            stem_width=self.stem_width,
            head_width=self.head_width,
            head=self.head,
            attention=self.attention,
            classes=self.classes,
            output=self.output,
        )

    @cached_property
    def canonical_bytes(self) -> bytes:
        """The settings and the codes of the branches; equal architectures have equal bytes."""
        size = self.input
        settings = (
            f"hyctas-architecture-{_KEY_VERSION} {self.space} {size.batch}x{size.height}x{size.width} "
            f"{self.base_channels} {self.stem_width} {self.head_width} {self.head} {self.attention} "
            f"{self.classes} {self.output}"
        )
        return b"\0".join((settings.encode(), *(branch.code.hex().encode() for branch in self.branches)))

    @cached_property
    def key(self) -> str:
        """SHA-256 of the canonical byte string, as 64 hex digits."""
        return sha256(self.canonical_bytes).hexdigest()


def _check_settings(a: Architecture, rules: SpaceRules) -> None:
    """Raise for the first setting outside its choices."""
    if not 1 <= a.base_channels <= MAX_BASE_CHANNELS:
        raise InvalidArchitecture("$.base_channels", a.base_channels, f"1 to {MAX_BASE_CHANNELS}")
    if a.stem_width not in WIDTHS:
        raise InvalidArchitecture("$.stem_width", a.stem_width, f"one of {', '.join(map(str, WIDTHS))} (twelfths)")
    if a.head_width not in WIDTHS:
        raise InvalidArchitecture("$.head_width", a.head_width, f"one of {', '.join(map(str, WIDTHS))} (twelfths)")
    if a.head not in rules.heads:
        raise InvalidArchitecture("$.head", a.head, f"one of {', '.join(rules.heads)}")
    if a.attention not in rules.attentions:
        raise InvalidArchitecture("$.attention", a.attention, f"one of {', '.join(rules.attentions)}")
    if not 1 <= a.classes <= MAX_CLASSES:
        raise InvalidArchitecture("$.classes", a.classes, f"1 to {MAX_CLASSES}")
    if a.output not in OUTPUTS:
        raise InvalidArchitecture("$.output", a.output, f"one of {', '.join(OUTPUTS)}")


def _check_operators(branches: tuple[Branch, ...], rules: SpaceRules) -> None:
    """Raise for the first cell whose operator is none of the space's."""
    if len(rules.operators) == len(OPERATORS):
        return
    for index, branch in enumerate(branches):
        if not branch.code.translate(None, _OWN_CODES[rules.name]):
            continue
        for number, cell in enumerate(branch.cells):
            if cell.op not in rules.operators:
                path = f"$.branches[{index}].cells[{number}].op"
                raise InvalidArchitecture(path, cell.op, f"one of {', '.join(rules.operators)}")


def _check_last_scales(scales: list[int]) -> None:
    """Raise unless there are 1 to 3 branches with different last scales."""
    if not 1 <= len(scales) <= MAX_BRANCHES:
        raise InvalidArchitecture("$.branches", f"{len(scales)} branches", f"1 to {MAX_BRANCHES} branches")
    if len(set(scales)) == len(scales):
        return
    for index, scale in enumerate(scales):
        if scale in scales[:index]:
            first = scales.index(scale)
            raise InvalidArchitecture(
                f"$.branches[{index}].cells",
                f"last scale {scale}",
                f"another last scale than that of branches[{first}]: branches end at different scales",
            )
