"""The examples of docs/nightly.md: they are read by what they are written for."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hyctas.commands import COMMANDS
from profiler.nightly.config import NightConfig
from profiler.nightly.config_file import read_config

EXAMPLES = Path(__file__).parents[3] / "examples" / "nightly"


def test_configuration_is_read_and_names_targets_of_any_machine() -> None:
    config = read_config(EXAMPLES / "nightly.toml")
    assert [target.name for target in config.targets] == ["onnxruntime-fp32-t1", "openvino-fp32-t1"]
    assert config.targets[0].networks == 200
    assert (config.judging.second_look, config.retention.rounds_days) == (8, 90)
    shown = (EXAMPLES / "nightly.toml").read_text()
    assert all(key in shown for key in NightConfig.__dataclass_fields__)


def test_cron_job_runs_one_night_at_a_time_and_does_not_repeat_a_regression() -> None:
    job: dict[str, Any] = yaml.safe_load((EXAMPLES / "cronjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    spec = job["spec"]
    assert len(spec["schedule"].split()) == 5 and spec["concurrencyPolicy"] == "Forbid"
    work = spec["jobTemplate"]["spec"]
    (rule,) = work["podFailurePolicy"]["rules"]
    pod = work["template"]["spec"]
    assert rule["onExitCodes"]["values"] == [3] and pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    assert container["args"][0] in COMMANDS
    assert rule["onExitCodes"]["containerName"] == container["name"]
    assert container["resources"]["requests"] == container["resources"]["limits"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_crontab_has_a_night_and_mails_regressions() -> None:
    lines = [line for line in (EXAMPLES / "crontab").read_text().splitlines() if line and not line.startswith("#")]
    (entry,) = [line for line in lines if line[0].isdigit()]
    *when, command = entry.split(None, 5)
    assert len(when) == 5
    assert subprocess.run(["sh", "-n", "-c", command], timeout=10.0, check=False).returncode == 0


@pytest.mark.parametrize(("printed", "status", "mailed"), [("quiet", 0, ""), ("regression", 3, "regression\n")])
def test_crontab_says_something_only_when_a_night_does(tmp_path: Path, printed: str, status: int, mailed: str) -> None:
    entry = next(line for line in (EXAMPLES / "crontab").read_text().splitlines() if line[:1].isdigit())
    command = entry.split(None, 5)[5].replace("/srv/hyctas", str(tmp_path))
    program = tmp_path / "venv" / "bin" / "hyctas"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho {printed}\nexit {status}\n")
    program.chmod(0o755)
    said = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=10.0, check=False)
    assert (said.stdout, said.stderr) == (mailed, "")
    assert (tmp_path / "nightly.log").read_text() == f"{printed}\n"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_units_are_what_systemd_understands(tmp_path: Path) -> None:
    """Paths of the example do not exist here, so its program is replaced by one that does."""
    for name in ("hyctas-nightly.service", "hyctas-nightly.timer"):
        text = (EXAMPLES / name).read_text().replace("/srv/hyctas/venv/bin/hyctas", "/bin/true")
        (tmp_path / name).write_text(text)
    units = [str(tmp_path / name) for name in ("hyctas-nightly.service", "hyctas-nightly.timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=60.0, check=False
    )
    about_ours = [line for line in done.stderr.splitlines() if "hyctas-nightly" in line]
    assert about_ours == [] and done.returncode == 0, done.stderr
