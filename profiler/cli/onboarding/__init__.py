"""``hyctas onboard``: from nothing to a usable predictor of a target, in one command and a budget of time.

It measures and learns, so of the composition roots it alone may import that of another package.
"""

from profiler.cli.onboarding.command import register

__all__ = ["register"]
