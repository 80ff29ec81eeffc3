"""A series as a small drawing (SVG): earlier nights, tonight's processes, and what a quiet night stays in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median
from typing import Any, Final

WIDTH: Final = 300
HEIGHT: Final = 44
EDGE: Final = 6
TONIGHT: Final = 0.86
"""Share of the width where tonight begins."""
LEAST_REACH: Final = 0.02
"""Change at the upper edge, at least."""


def history_chart(verdict: Mapping[str, Any]) -> str:
    """Draw a verdict of the report's JSON; empty where there is nothing to draw."""
    history, tonight = verdict["history"], verdict["tonight"]
    if not history and not tonight:
        return ""
    centre = float(median(history or tonight))
    detectable = math.log1p(verdict["detectable"])
    reach = max([LEAST_REACH, 1.2 * detectable, *(abs(value - centre) for value in (*history, *tonight))])

    def height(value: float) -> float:
        return float(HEIGHT / 2 - (value - centre) / reach * (HEIGHT / 2 - EDGE))

    border = WIDTH * TONIGHT
    state = " slower" if verdict["state"] == "slower" else ""
    band_px = detectable / reach * (HEIGHT / 2 - EDGE)
    parts = [
        f'<rect class="band" x="0" y="{HEIGHT / 2 - band_px:.1f}" width="{WIDTH}" height="{2 * band_px:.1f}"/>',
        f'<line class="zero" x1="0" x2="{WIDTH}" y1="{HEIGHT / 2}" y2="{HEIGHT / 2}"/>',
        *(
            f'<circle class="night" cx="{EDGE + place * (border - 2 * EDGE) / max(len(history) - 1, 1):.1f}" '
            f'cy="{height(value):.1f}" r="2.5"/>'
            for place, value in enumerate(history)
        ),
        *(
            f'<circle class="tonight{state}" cx="{border + EDGE + place * _step(len(tonight)):.1f}" '
            f'cy="{height(value):.1f}" r="3"/>'
            for place, value in enumerate(tonight)
        ),
    ]
    label = f"{len(history)} earlier nights and {len(tonight)} processes of tonight, within {math.expm1(reach):.1%}"
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg {size} role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _step(processes: int) -> float:
    return (WIDTH * (1 - TONIGHT) - 2 * EDGE) / max(processes - 1, 1)
