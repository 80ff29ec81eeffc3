"""Whether a model that was just trained may take the place of the newest one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from db.repository import Repository
from hyctas.errors import ArtifactError
from hyctas.target import Target
from predictor.artifact import load_predictor
from predictor.comparison import Comparison, compare
from predictor.knowledge import Knowledge
from predictor.model import Predictor
from predictor.samples import NetworkSample

DEFAULT_TOLERANCE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a model is registered, and why.

    Attributes:
        admitted: Whether it is.
        reason: Why, in words.
        comparison: With the model before, where there is one that can be compared with.
    """

    admitted: bool
    reason: str
    comparison: Comparison | None = None

    @property
    def document(self) -> Mapping[str, Any]:
        """The same as JSON."""
        numbers = {} if self.comparison is None else asdict(self.comparison)
        return {"no_worse": self.admitted, "reason": self.reason, **numbers}


def admit(
    repository: Repository,
    target: Target,
    knowledge: Knowledge,
    held_out: Sequence[NetworkSample],
    than: str | None,
    tolerance: float,
) -> Admission:
    """Compare a new model with an older one on networks that the new one has not seen.

    Where there is nothing to compare with, or on, the model is admitted, and the reason says so.

    Args:
        repository: Where models are registered.
        target: What the model predicts.
        knowledge: The new model.
        held_out: Networks that it has not seen.
        than: Id of the older model; None takes the newest.
        tolerance: See :func:`predictor.comparison.compare`.

    Raises:
        UnknownModel: There is no model of that id.
    """
    record = repository.latest_model(target) if than is None else repository.model(than)
    if record is None:
        return Admission(True, f"it is the first model of {target}")
    if not held_out:
        return Admission(True, "no network is held out to compare on: only operators were measured")
    try:
        older = load_predictor(Path(record.path))
    except (ArtifactError, OSError) as error:
        return Admission(True, f"{record.model_id} cannot be read any more: {error}")
    comparison = compare(Predictor(knowledge, "new"), older, held_out, tolerance=tolerance)
    return Admission(comparison.no_worse, comparison.reason, comparison)
