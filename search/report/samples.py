"""Images with what networks say about each pixel, and the part of the page that shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from search.datasets.dataset import IGNORE, ClassLabel
from search.report.blocks import paragraph, section
from search.report.markup import Markup, element
from search.report.png import Colour, data_url, indexed_png, rgb_png, shrunk
from search.report.values import ReportData
from search.report.words import short

WIDEST: Final = 384
"""Pixels of width beyond which images are shrunk."""
NO_CLASS: Final[Colour] = (0, 0, 0)

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class SegmentationSample:
    """One image as one network segments it.

    Attributes:
        architecture_key: The network.
        name: The image.
        image: RGB, (H, W, 3).
        labels: Its class ids or ``IGNORE``, (H, W).
        predicted: Class ids as the network sees them, (H, W).
        weights: Where the network's weights come from, in words.
    """

    architecture_key: str
    name: str
    image: Pixels
    labels: Pixels
    predicted: Pixels
    weights: str = "slices of the supernet"


@dataclass(frozen=True, slots=True)
class SampleSet:
    """What a page can show of images.

    Attributes:
        classes: Of the data set, in the order of their ids.
        samples: Grouped by image; the networks in the same order for each.
        absent: Why there are none, or None.
    """

    classes: tuple[ClassLabel, ...] = ()
    samples: tuple[SegmentationSample, ...] = ()
    absent: str | None = None


def samples_section(data: ReportData, shown: SampleSet) -> Markup:
    """Image, ground truth and predictions side by side."""
    return section("Sample segmentations", *_samples(data, shown), name="samples")


def _samples(data: ReportData, shown: SampleSet) -> Iterator[Markup]:
    if not shown.samples:
        yield paragraph(f"There are no sample segmentations: {shown.absent or 'none were asked for'}.")
        return
    numbers = {network.key: position for position, network in enumerate(data.networks, start=1)}
    by_image: dict[str, list[SegmentationSample]] = {}
    for sample in shown.samples:
        by_image.setdefault(sample.name, []).append(sample)
    for name, samples in by_image.items():
        yield element("div", {"class": "images"}, *_row(name, samples, shown.classes, numbers))
    yield _legend(shown.classes, _occurring(shown.samples))
    weights = " and ".join(sorted({sample.weights for sample in shown.samples}))
    yield paragraph(f"Weights: {weights}. Black pixels have no label and do not count.", soft=True)


def _row(
    name: str, samples: Sequence[SegmentationSample], classes: Sequence[ClassLabel], numbers: Mapping[str, int]
) -> Iterator[Markup]:
    first = samples[0]
    factor = max(1, -(-first.image.shape[1] // WIDEST))
    yield _picture(rgb_png(shrunk(first.image, factor)), name)
    yield _picture(_coloured(first.labels, classes, factor), "ground truth")
    for sample in samples:
        position = numbers.get(sample.architecture_key)
        what = f"network {position}" if position else f"network {short(sample.architecture_key)}"
        counted = sample.labels != IGNORE
        right = float((sample.predicted == sample.labels)[counted].mean()) if counted.any() else 0.0
        yield _picture(_coloured(sample.predicted, classes, factor), f"{what}: {right:.0%} of pixels right")


def _coloured(labels: Pixels, classes: Sequence[ClassLabel], factor: int) -> bytes:
    seen = np.minimum(labels[::factor, ::factor], len(classes)).astype(np.uint8)
    return indexed_png(seen, [*(label.colour for label in classes), NO_CLASS])


def _picture(png: bytes, caption: str) -> Markup:
    image = element("img", {"src": data_url(png), "alt": caption})
    return element("figure", None, image, element("figcaption", None, caption))


def _occurring(samples: Sequence[SegmentationSample]) -> set[int]:
    return {
        int(value) for sample in samples for array in (sample.labels, sample.predicted) for value in np.unique(array)
    }


def _legend(classes: Sequence[ClassLabel], occurring: set[int]) -> Markup:
    entries = []
    for number, label in enumerate(classes):
        if number in occurring:
            swatch = element("i", {"style": f"background:rgb({','.join(map(str, label.colour))})"})
            entries.append(element("li", None, swatch, label.name))
    return element("ul", {"class": "legend"}, *entries)
