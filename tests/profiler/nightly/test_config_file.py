"""The configuration of a night: what is read, and what is refused by name."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from hyctas.errors import InvalidInput
from profiler.nightly.config import NightConfig
from profiler.nightly.config_file import read_config

TARGET = '[[targets]]\nname = "onnxruntime-fp32-t1"\n'


def read(tmp_path: Path, text: str) -> NightConfig:
    file = tmp_path / "night.toml"
    file.write_text(text)
    return read_config(file)


def test_target_alone_is_enough(tmp_path: Path) -> None:
    config = read(tmp_path, TARGET)
    (target,) = config.targets
    assert (target.name, target.canaries.operators, target.networks) == ("onnxruntime-fp32-t1", 12, 0)
    assert (config.judging.false_alarms, config.stale) == (0.01, ("runtime", "driver", "firmware", "hyctas"))


def test_every_table_is_read(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        'database = "sqlite:///x.db"\nreports = "out"\nbudget_minutes = 30\nstale = ["runtime"]\n'
        "[judging]\nfalse_alarms = 0.05\n[training]\nmodels = 'm'\ntolerance = 0\n"
        "[webhook]\nurl_from = 'HOOK'\non = ['regression']\n[retention]\nrounds_days = 30\n"
        + TARGET
        + "since = 2026-05-01\nnetworks = 7\nsettings = {space = 'fasterseg', height = 64, width = 128}\n"
        "canaries = {operators = 3, networks = 1}\n",
    )
    (target,) = config.targets
    assert (target.since, target.networks, target.canaries.operators) == (date(2026, 5, 1), 7, 3)
    assert (target.settings.space, target.settings.head, target.settings.height) == ("fasterseg", "plain", 64)
    assert (config.reports, config.webhook.on, config.retention.rounds_days) == (Path("out"), ("regression",), 30)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "targets: [] is not allowed; expected one or more tables"),
        ("budget = 3\n" + TARGET, "budget: 3 is not allowed; expected no such key; there are targets, database"),
        (TARGET + "network = 3\n", "targets[0].network: 3 is not allowed; expected no such key; there are name,"),
        (TARGET + "settings = {size = 3}\n", "targets[0].settings.size: 3"),
        ("[judging]\nalpha = 1\n" + TARGET, "judging.alpha: 1"),
        ("[judging]\nfalse_alarms = 1.5\n" + TARGET, "judging.false_alarms: 1.5 is not allowed; expected a number"),
        ("[judging]\nwitnesses = 1\n" + TARGET, "judging.witnesses: 1"),
        ("[judging]\nwindow = 4\n" + TARGET, "judging.window: 4"),
        ("[webhook]\non = ['never']\n" + TARGET, "webhook.on[0]: 'never' is not allowed"),
        (TARGET + "networks = 'many'\n", "targets[0].networks: 'many' is not allowed; expected `int`"),
        (TARGET + TARGET, "each target once"),
        ("[webhook]\nurl = 'http://a'\nurl_from = 'B'\n" + TARGET, "either url or url_from"),
        ("[webhook", "a TOML file"),
    ],
)
def test_wrong_configuration_is_refused_by_its_path(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, text)
    assert said in str(refused.value)
    assert "night.toml" in str(refused.value)
