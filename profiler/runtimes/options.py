"""What a target's name asks of a runtime, checked against what the runtime offers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from hyctas.target import METRIC_OPTIONS, Target
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


def on_gpu(target: Target, offered: Mapping[str, Collection[str]], ways: Sequence[str]) -> frozenset[str]:
    """The ways of running that a GPU target asks for.

    Its options are an accelerator, then any of `ways`, then a metric, in this order, so that equal targets have equal
    names.

    Args:
        target: What is asked for.
        offered: By accelerator, the precisions that are offered.
        ways: Further options, in the order of a name.

    Raises:
        Unsupported: The target asks for something else, or in another order.
    """
    accelerator, *rest = target.options
    asked, left = [], "-".join(rest)  # an option may hold a hyphen
    for word in (*ways, *METRIC_OPTIONS):
        if left == word or left.startswith(f"{word}-"):
            asked.append(word)
            left = left[len(word) + 1 :]
    if target.precision in offered.get(accelerator, ()) and not left:
        return frozenset(asked) - METRIC_OPTIONS.keys()
    raise Unsupported(
        f"{target.local_name}: {target.runtime} on a GPU runs {_sentence(offered)}, then any of {', '.join(ways)} and "
        f"one of {', '.join(METRIC_OPTIONS)}, each once and in this order"
    )


def _sentence(offered: Mapping[str, Collection[str]]) -> str:
    """What is offered, in words."""
    return ", ".join(
        f"{', '.join(precisions)} {f'with {option}' if option else 'without options'}"
        for option, precisions in offered.items()
    )
