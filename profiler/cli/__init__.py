"""Commands that measure: ``hyctas targets``, ``hyctas profile operators`` and ``hyctas profile networks``."""

from profiler.cli.commands import register

__all__ = ["register"]
