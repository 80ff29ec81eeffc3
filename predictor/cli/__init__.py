"""Commands that learn and predict: ``hyctas train``, ``hyctas evaluate`` and ``hyctas predict``."""

from predictor.cli.commands import register

__all__ = ["register"]
