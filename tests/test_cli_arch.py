"""``hyctas arch``: drawing, sampling and exporting architectures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from typer.testing import CliRunner, Result

from hyctas.__main__ import app
from hyctas.architecture_json import decode_architecture
from hyctas.cli import Precision
from hyctas.target import PRECISIONS

SMALL = ["--height", "64", "--width", "128", "--base-channels", "4"]


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["arch", *arguments], input=stdin)


def sampled(count: int = 1, *options: str) -> list[dict[str, Any]]:
    result = run("sample", "--count", str(count), *SMALL, *options)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "network.json"
    path.write_text(json.dumps(sampled()[0]))
    return path


@pytest.mark.parametrize("name", ["student-20", "student-21"])
@pytest.mark.shared_data
def test_show_takes_files_of_fasterseg(name: str, shared_data: Path) -> None:
    file = str(shared_data / "fasterseg" / f"{name}.json")
    result = run("show", file, "--space", "fasterseg")
    assert result.exit_code == 0, result.stderr
    assert "fasterseg  input 1x3x1024x2048  base channels 12  stem 8/12  head plain 8/12" in result.stdout
    facts = json.loads(run("show", file, "--space", "fasterseg", "--json").stdout)
    assert facts["parameters"] == {"student-20": 2656819, "student-21": 3421875}[name]
    assert run("show", file, "--space", "other").exit_code == 1


def test_sample_and_export_follow_the_space(tmp_path: Path) -> None:
    for sampler in ("structured", "uniform"):
        document = sampled(1, "--space", "fasterseg", "--sampler", sampler)[0]
        assert (document["space"], document["head"], document["attention"]) == ("fasterseg", "plain", "none")
    (tmp_path / "network.json").write_text(json.dumps(document))
    result = run("onnx", str(tmp_path / "network.json"), "--out", str(tmp_path / "network.onnx"))
    assert result.exit_code == 0, result.stderr
    onnx.checker.check_model(onnx.load(tmp_path / "network.onnx"), full_check=True)


@pytest.mark.shared_data
def test_show_json_gives_the_released_sizes(shared_data: Path) -> None:
    file = str(shared_data / "hyctas" / "HRTNet_L.json")
    settings = ["--height", "256", "--width", "512", "--base-channels", "16", "--attention", "released"]
    facts = json.loads(run("show", file, "--json", *settings).stdout)
    assert facts["parameters"] == 43741239
    assert facts["conv_macs"] == 23310663680
    assert facts["branches"] == 3
    assert facts["architecture"]["input"] == {"batch": 1, "height": 256, "width": 512}


def test_show_json_holds_the_documented_fields_and_nothing_else_is_printed(file: Path) -> None:
    result = run("show", str(file), "--json")
    facts = json.loads(result.stdout)
    assert list(facts) == [
        "key",
        "branches",
        "parameters",
        "macs",
        "conv_macs",
        "peak_activation_bytes",
        "architecture",
    ]
    assert decode_architecture(facts["architecture"]).key == facts["key"]
    assert result.stderr == ""


def test_show_reads_stdin(file: Path) -> None:
    from_stdin = run("show", "-", "--json", stdin=file.read_text())
    assert from_stdin.stdout == run("show", str(file), "--json").stdout


def test_show_draws_and_names_the_costs(file: Path) -> None:
    shown = run("show", str(file)).stdout
    facts = json.loads(run("show", str(file), "--json").stdout)
    assert facts["key"] in shown
    assert f"{facts['macs']:,}" in shown


def test_version_1_keeps_its_own_settings(file: Path) -> None:
    facts = json.loads(run("show", str(file), "--json", "--height", "512").stdout)
    assert facts["architecture"]["input"]["height"] == 64


def test_show_names_the_path_of_what_is_wrong(file: Path) -> None:
    document = json.loads(file.read_text())
    document["branches"][0]["cells"][2]["op"] = "convolution"
    result = run("show", "-", stdin=json.dumps(document))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: $.branches[0].cells[2].op: 'convolution' is not allowed; expected one of")


def test_show_of_a_missing_file_fails(tmp_path: Path) -> None:
    result = run("show", str(tmp_path / "none.json"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "none.json: No such file or directory" in result.stderr


@pytest.mark.parametrize("sampler", ["structured", "uniform"])
def test_sample_repeats_with_its_seed_and_changes_with_another(sampler: str) -> None:
    first = sampled(4, "--sampler", sampler, "--seed", "3")
    assert len(first) == 4
    assert first == sampled(4, "--sampler", sampler, "--seed", "3")
    assert first != sampled(4, "--sampler", sampler, "--seed", "4")


def test_sample_json_is_one_document_with_the_same_architectures() -> None:
    document = json.loads(run("sample", "--count", "3", "--json", *SMALL).stdout)
    assert document["architectures"] == sampled(3)
    assert (document["sampler"], document["seed"]) == ("structured", 0)


def test_sample_refuses_an_impossible_size() -> None:
    result = run("sample", "--height", "100")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "100 is not allowed; expected a multiple of 32" in result.stderr


def test_onnx_writes_a_model_that_the_checker_accepts(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    written = json.loads(run("onnx", str(file), "--out", str(path), "--json").stdout)
    assert written["size_bytes"] == path.stat().st_size
    onnx.checker.check_model(onnx.load(path), full_check=True)


@pytest.mark.parametrize(("precision", "share"), [("fp16", 0.55), ("bf16", 0.55), ("int8", 0.35)])
def test_onnx_of_a_precision_is_valid_and_smaller(tmp_path: Path, precision: str, share: float) -> None:
    whole, narrow = tmp_path / "fp32.onnx", tmp_path / "narrow.onnx"
    large = ["--base-channels", "12", "--height", "64", "--width", "128"]
    network = tmp_path / "large.json"
    network.write_text(run("sample", *large).stdout)
    run("onnx", str(network), "-o", str(whole))
    written = json.loads(run("onnx", str(network), "-o", str(narrow), "--precision", precision, "--json").stdout)
    assert written["precision"] == precision
    assert narrow.stat().st_size < share * whole.stat().st_size
    onnx.checker.check_model(onnx.load(narrow), full_check=True)


def test_onnx_knows_every_precision_of_a_target() -> None:
    assert tuple(Precision) == PRECISIONS


def test_onnx_of_tf32_is_that_of_fp32(file: Path, tmp_path: Path) -> None:
    for name in ("fp32", "tf32"):
        assert run("onnx", str(file), "-o", str(tmp_path / name), "--precision", name).exit_code == 0
    assert (tmp_path / "fp32").read_bytes() == (tmp_path / "tf32").read_bytes()


def test_onnx_of_an_unknown_precision_is_bad_usage(file: Path, tmp_path: Path) -> None:
    result = run("onnx", str(file), "-o", str(tmp_path / "none"), "--precision", "fp8")
    assert (result.exit_code, result.stdout) == (2, "")
    assert all(name in result.stderr for name in ("fp8", *PRECISIONS))


def test_onnx_of_half_precision_needs_folded_batch_norms(file: Path, tmp_path: Path) -> None:
    result = run("onnx", str(file), "-o", str(tmp_path / "none"), "--precision", "fp16", "--no-fold-batch-norm")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "fold_batch_norm: False is not allowed; expected True for fp16" in result.stderr
    assert not (tmp_path / "none").exists()


def test_onnx_weights_follow_the_seed(file: Path, tmp_path: Path) -> None:
    contents = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert run("onnx", str(file), "-o", str(tmp_path / name), "--seed", seed).exit_code == 0
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1] != contents[2]
