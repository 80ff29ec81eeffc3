"""The device's slug and facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyctas.target import parse_target
from profiler.device import device_facts, device_slug


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("AMD EPYC 7B12", "epyc-7b12"),
        ("AMD EPYC 9654 96-Core Processor", "epyc-9654"),
        ("Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz", "xeon-e5-2686-v4"),
        ("Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz", "i7-9750h"),
    ],
)
def test_slug_keeps_what_identifies_the_processor(name: str, slug: str) -> None:
    assert device_slug({"model name": name}) == slug
    assert parse_target(f"{slug}/onnxruntime-fp32-t1").device == slug


def test_hidden_model_is_told_by_family_and_model() -> None:
    assert device_slug({"model name": "AMD EPYC", "cpu family": "26", "model": "2"}) == "epyc-family26-model2"


def test_without_a_name_the_architecture_stands_in() -> None:
    assert device_slug({"architecture": "aarch64"}) == "aarch64"
    assert device_slug({"model name": "", "architecture": "x86_64"}) == "x86-64"


def test_facts_are_of_the_first_processor(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    processor = "processor\t: {}\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7B12\nflags\t\t: a b\n"
    file.write_text(processor.format(0) + "\n" + processor.format(1))
    facts = device_facts(file)
    assert (facts["model name"], facts["vendor_id"]) == ("AMD EPYC 7B12", "AuthenticAMD")
    assert "flags" not in facts


def test_facts_without_cpuinfo_still_name_something(tmp_path: Path) -> None:
    assert device_slug(device_facts(tmp_path / "absent"))
