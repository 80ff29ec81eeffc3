"""What is left behind by a training that went wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hyctas.architecture import Architecture
from hyctas.architecture_json import to_json
from hyctas.errors import TrainingDiverged
from search.atomic import write_atomically

NAME: Final = "diverged.json"


def diverged(folder: Path, what: str, networks: Sequence[Architecture], learning_rate: float) -> TrainingDiverged:
    """The error to raise; the networks it is about are written into `folder`.

    Args:
        folder: Where the checkpoint lies.
        what: Which number of which step is not finite.
        networks: Those that may be to blame; one is written as an architecture, several as a list.
        learning_rate: Its peak, which was too high perhaps.
    """
    documents = [to_json(network) for network in networks]
    path = folder / NAME
    write_atomically(path, json.dumps(documents[0] if len(documents) == 1 else documents, indent=2).encode())
    keys = ", ".join(network.key[:12] for network in networks)
    return TrainingDiverged(
        f"{what}, of the network{'s' if len(networks) > 1 else ''} {keys} ({path}); the checkpoint before it is kept. "
        f"Train into another folder, with a learning rate below {learning_rate:g} or with clipped gradients"
    )
