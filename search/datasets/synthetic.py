"""Street scenes drawn on demand: the data set that is always there.

Scenes hold large things and thin ones, in perspective, partly hidden and in changing light. Colours and textures of
different classes overlap (road and pavement, hedges and posters, windows and sky), so a network has to see the
surroundings of a pixel to tell its class.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from hyctas.errors import InvalidInput
from search.datasets.dataset import Dataset, Sample
from search.datasets.street.classes import STREET_CLASSES
from search.datasets.street.scene import VERSION, drawn

SYNTHETIC_FORM: Final = "synthetic[:SEED[:TRAINING+VALIDATION[:HEIGHTxWIDTH]]]"
_PATTERN: Final = re.compile(
    r"synthetic(?::(?P<seed>\d+)(?::(?P<training>\d+)\+(?P<validation>\d+)(?::(?P<height>\d+)x(?P<width>\d+))?)?)?"
)
_SMALLEST: Final = 16


@dataclass(frozen=True, slots=True)
class SyntheticSettings:
    """Which street scenes; equal settings give equal pixels.

    Attributes:
        seed: Source of all scenes.
        training: Scenes to learn from.
        validation: Scenes to score on; none is also a scene to learn from.
        height: Rows.
        width: Columns.

    Raises:
        InvalidInput: A split is empty, or scenes are smaller than 16 x 16.
    """

    seed: int = 0
    training: int = 256
    validation: int = 64
    height: int = 128
    width: int = 256

    def __post_init__(self) -> None:
        """Refuse scenes that nothing can be seen in."""
        for name, smallest in (("training", 1), ("validation", 1), ("height", _SMALLEST), ("width", _SMALLEST)):
            if getattr(self, name) < smallest:
                raise InvalidInput(f"synthetic {name}", getattr(self, name), f"at least {smallest}")

    @property
    def digest(self) -> str:
        """SHA-256 of the settings and the version of the drawing."""
        values = [VERSION, *(getattr(self, field.name) for field in fields(self))]
        return hashlib.sha256(f"synthetic {values}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SyntheticSplit:
    """Scenes that depend on seed, split and index alone, drawn each time they are asked for."""

    name: str
    settings: SyntheticSettings
    number: int
    length: int

    def __len__(self) -> int:
        """Number of scenes."""
        return self.length

    def __getitem__(self, index: int) -> Sample:
        """The scene at `index`."""
        if not 0 <= index < self.length:
            raise IndexError(f"the {self.name} split has scenes 0 to {self.length - 1}, not {index}")
        rng = np.random.default_rng([self.settings.seed, self.number, index])
        return Sample(f"{self.name}-{index:04d}", *drawn(rng, self.settings.height, self.settings.width))


def open_synthetic(spec: str) -> Dataset:
    """The street scenes called `spec`, of the form :data:`SYNTHETIC_FORM`.

    Raises:
        InvalidInput: It has another form, or a number is too small.
    """
    found = _PATTERN.fullmatch(spec)
    if found is None:
        raise InvalidInput("dataset", spec, f"{SYNTHETIC_FORM}, such as synthetic:7:256+64:128x256")
    given = {name: int(value) for name, value in found.groupdict().items() if value is not None}
    settings = SyntheticSettings(**given)
    return Dataset(
        "synthetic",
        STREET_CLASSES,
        SyntheticSplit("training", settings, 0, settings.training),
        SyntheticSplit("validation", settings, 1, settings.validation),
        settings.digest,
    )
