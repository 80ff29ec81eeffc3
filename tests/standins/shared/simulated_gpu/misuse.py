"""What only a wrong program does."""

from __future__ import annotations

RECORDED: list[str] = []
"""Every misuse of this process, so that one that the program swallowed is still reported when it ends."""


class Misuse(Exception):
    """The program broke a rule of the interface; on hardware that is a crash, garbage, or luck."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        RECORDED.append(message)
