"""Progress that is remembered."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Remembered:
    """What retraining said.

    Attributes:
        losses: Of all steps, in order.
        phases: Names of phases with the steps that each had and took.
    """

    losses: list[float] = field(default_factory=list)
    phases: dict[str, list[int]] = field(default_factory=dict)
    _current: str = ""

    def training(self, steps: int, done: int) -> None:
        self.phases["training"] = [steps, done]

    def trained(self, loss: float) -> None:
        self.losses.append(loss)
        self.phases["training"][1] += 1

    def phase(self, name: str, total: int) -> None:
        self._current = name
        self.phases[name] = [total, 0]

    def step(self) -> None:
        self.phases[self._current][1] += 1
