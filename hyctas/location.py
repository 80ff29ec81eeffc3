"""Where the installed packages lie, so that foreign ``api/``, ``db/`` or ``search/`` folders never shadow them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

LOCATION: Final = Path(__file__).resolve().parent.parent
"""The folder that holds ``hyctas``, ``profiler``, ``db``, ``predictor`` and ``api``."""


def put_own_location_first() -> None:
    """Make the packages beside this one win over others of the same name on ``sys.path``."""
    own = str(LOCATION)
    sys.path[:] = [own, *(entry for entry in sys.path if entry != own)]
