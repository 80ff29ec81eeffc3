"""How the learning rate goes up and down."""

from __future__ import annotations

from typing import Final

from search.training.settings import TrainingSettings

POWER: Final = 0.9


def learning_rate(step: int, settings: TrainingSettings) -> float:
    """Linear warm-up, times polynomial decay that would reach 0 behind the last step."""
    rising = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    falling: float = (1.0 - step / settings.steps) ** POWER
    return settings.learning_rate * rising * falling
