"""The command that searches: ``hyctas search``."""

from search.cli.commands import register

__all__ = ["register"]
