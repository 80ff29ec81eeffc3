"""What a target's name asks of a runtime, checked against what the runtime offers."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hyctas.target import Target
from profiler.runtimes.engine import Unsupported


def on_cpu(target: Target, offered: Mapping[str, Collection[str]]) -> int:
    """The threads of a CPU target; one where its name says nothing.

    Args:
        target: What is asked for.
        offered: By option of the name (an empty string for none), the precisions that are offered.

    Raises:
        Unsupported: The target asks for something else.
    """
    option = "-".join(target.options)
    if target.precision not in offered.get(option, ()):
        raise Unsupported(f"{target.local_name}: {target.runtime} on the CPU runs {_sentence(offered)} only")
    return target.threads or 1


def _sentence(offered: Mapping[str, Collection[str]]) -> str:
    """What is offered, in words."""
    return ", ".join(
        f"{', '.join(precisions)} {f'with {option}' if option else 'without options'}"
        for option, precisions in offered.items()
    )
