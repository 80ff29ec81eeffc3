"""Pareto fronts and hypervolumes of points of which every coordinate is minimised.

A point with a coordinate that is not finite stands for an evaluation that failed: it is on no front and has no volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.errors import InvalidInput

Points = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

MARGIN: Final = 0.1
"""How far a reference point lies beyond the worst point, as a share of the span."""


def pareto_front(points: npt.ArrayLike) -> Indices:
    """Indices of the points that no other dominates, ascending; equal points are all among them or none is.

    Args:
        points: (count, objectives); may be empty.
    """
    from pymoo.util.nds.non_dominated_sorting import find_non_dominated

    array = _as_rows(points)
    finite = np.flatnonzero(np.isfinite(array).all(axis=1))
    if not len(finite):
        return finite
    return np.asarray(finite[find_non_dominated(array[finite])], dtype=np.intp)


def fronts_by_branches(branches: Sequence[int], points: npt.ArrayLike) -> dict[int, Indices]:
    """The front of each branch count that occurs, in ascending order, as indices of the points.

    Args:
        branches: How many branches each network has.
        points: (count, objectives) of these networks.
    """
    counts, array = np.asarray(branches, dtype=np.intp), _as_rows(points)
    places = {int(count): np.flatnonzero(counts == count) for count in np.unique(counts)}
    return {count: indices[pareto_front(array[indices])] for count, indices in places.items()}


def hypervolume(points: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Exact volume that the points dominate, up to a reference point; points that do not dominate that add nothing.

    Args:
        points: (count, objectives); may be empty.
        reference: (objectives,), finite.
    """
    from pymoo.indicators.hv import HV

    corner = np.asarray(reference, dtype=np.float64)
    array = _as_rows(points)
    inside = array[np.isfinite(array).all(axis=1) & (array < corner).all(axis=1)] if array.size else array
    return float(HV(ref_point=corner)(inside)) if len(inside) else 0.0


def reference_point(points: npt.ArrayLike) -> Points:
    """The worst of each coordinate, a tenth of its span further out; where all are equal, a tenth of 1.

    Args:
        points: (count, objectives) of a first population.

    Raises:
        InvalidInput: No point is finite in all coordinates.
    """
    array = _as_rows(points)
    finite = array[np.isfinite(array).all(axis=1)]
    if not len(finite):
        raise InvalidInput("points", f"{len(array)} points, none finite", "at least one evaluation that succeeded")
    worst = finite.max(axis=0)
    span = worst - finite.min(axis=0)
    return np.asarray(worst + MARGIN * np.where(span > 0, span, 1.0))


def _as_rows(points: npt.ArrayLike) -> Points:
    """The points as a matrix, even if there are none."""
    array = np.asarray(points, dtype=np.float64)
    return array.reshape(len(array), -1) if array.size else np.empty((0, 1))
