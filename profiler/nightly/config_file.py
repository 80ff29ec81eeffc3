"""Reading the configuration of a night: strictly, every error with path, value and what is allowed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec

from hyctas.architecture import ArchitectureDefaults, default_settings
from hyctas.errors import InvalidInput
from profiler.nightly.config import (
    CanaryConfig,
    JudgingConfig,
    NightConfig,
    RetentionConfig,
    TargetConfig,
    TrainingConfig,
    WebhookConfig,
)

_TABLES: Final[Mapping[str, type[Any]]] = MappingProxyType(
    {
        "judging": JudgingConfig,
        "training": TrainingConfig,
        "webhook": WebhookConfig,
        "retention": RetentionConfig,
        "canaries": CanaryConfig,
        "settings": ArchitectureDefaults,
    }
)
"""Tables by the key that they stand under."""
Range = tuple[Callable[[Any], bool], str]
_SHARE: Final[Range] = (lambda share: 0.0 < share < 1.0, "a number between 0 and 1")
_RANGES: Final[Mapping[str, Range]] = MappingProxyType(
    {
        "budget_minutes": (lambda minutes: minutes > 0, "a positive number of minutes"),
        "false_alarms": _SHARE,
        "screen": _SHARE,
        "witnesses": (lambda count: count >= 2, "2 processes or more: one alone says nothing about the others"),
        "second_look": (lambda count: count >= 2, "2 processes or more"),
        "history": (lambda nights: nights >= 3, "3 nights or more"),
        "window": (lambda nights: nights >= 3, "3 nights or more"),
        "tolerance": (lambda share: 0.0 <= share < 1.0, "a share from 0 to 1"),
        "timeout_s": (lambda seconds: seconds > 0, "a positive number of seconds"),
        "build_limit_s": (lambda seconds: seconds > 0, "a positive number of seconds"),
        "rounds_days": (lambda days: days >= 0, "a number of days"),
        "reports_days": (lambda days: days >= 0, "a number of days"),
        "networks": (lambda count: count >= 0, "0 or more"),
        "depth": (lambda cells: cells >= 1, "1 or more"),
        "seed": (lambda seed: seed >= 0, "0 or more"),
    }
)


def read_config(file: Path) -> NightConfig:
    """Read a configuration.

    Raises:
        InvalidInput: It is not TOML, or a key or value is not allowed; the path says where.
        OSError: The file cannot be read.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(str(file), str(error), "a TOML file") from error
    return config_from(document, str(file))


def config_from(document: Mapping[str, Any], name: str = "$") -> NightConfig:
    """The configuration that a TOML document holds; see :func:`read_config`.

    Args:
        document: The document.
        name: What paths in errors begin with.
    """
    _check(document, NightConfig, name)
    targets = document.get("targets", [])
    if not isinstance(targets, list) or not targets:
        raise InvalidInput(f"{name}: targets", targets, "one or more tables [[targets]], each with a name")
    for number, target in enumerate(targets):
        if isinstance(target, Mapping):
            _check(target, TargetConfig, f"{name}: targets[{number}]")
    try:
        config = msgspec.convert(_with_defaults_of_spaces(document), NightConfig, dec_hook=_path)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at ")
        path = place.strip("`").removeprefix("$.")
        allowed = message.removeprefix("Expected ").partition(", got")[0]
        raise InvalidInput(f"{name}: {path}", _value_at(document, path), allowed) from None
    _check_together(config, name)
    return config


def _check(table: Mapping[str, Any], form: type[Any], path: str) -> None:
    """Refuse keys that do not exist and numbers out of their range, here and in the tables below."""
    known = [each.name for each in fields(form)]
    for key, value in table.items():
        place = f"{path}: {key}" if form is NightConfig else f"{path}.{key}"
        if key not in known:
            raise InvalidInput(place, value, f"no such key; there are {', '.join(known)}")
        if key in _TABLES and isinstance(value, Mapping):
            _check(value, _TABLES[key], place)
        elif key in _RANGES and _is_number(value):
            fits, allowed = _RANGES[key]
            if not fits(value):
                raise InvalidInput(place, value, allowed)


def _value_at(document: Any, path: str) -> Any:
    """What stands at a path such as ``targets[0].networks``; as far as it leads."""
    for key, position in re.findall(r"(\w+)|\[(\d+)\]", path):
        try:
            document = document[key or int(position)]
        except (KeyError, IndexError, TypeError):
            return document
    return document


def _with_defaults_of_spaces(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the settings that each target's space has by default, under those that are given."""
    targets = [
        {**target, "settings": {**asdict(default_settings(target["settings"]["space"])), **target["settings"]}}
        if "space" in target.get("settings", {})
        else target
        for target in document["targets"]
    ]
    return {**document, "targets": targets}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_together(config: NightConfig, name: str) -> None:
    if config.judging.window < config.judging.history:
        raise InvalidInput(
            f"{name}: judging.window", config.judging.window, f"at least history, {config.judging.history}"
        )
    names = [target.name for target in config.targets]
    for again in {each for each in names if names.count(each) > 1}:
        raise InvalidInput(f"{name}: targets", again, "each target once")
    if config.webhook.url and config.webhook.url_from:
        raise InvalidInput(f"{name}: webhook", config.webhook.url_from, "either url or url_from")


def _path(kind: type[Any], value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"expected {kind.__name__}")
