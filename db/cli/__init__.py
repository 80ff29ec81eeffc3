"""Commands on what was measured: ``hyctas measurements`` and ``hyctas import``."""

from db.cli.commands import register

__all__ = ["register"]
