"""The device's slug and facts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from hyctas.errors import InvalidTarget, RuntimeUnavailable
from hyctas.target import parse_target
from profiler.device import LocalMachine, device_facts, device_slug, gpu_slug


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


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("GeForce GTX 1080 Ti", "gtx-1080-ti"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "rtx-4090-laptop"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm5"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-40GB", "a100-sxm4-40gb"),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "a100-sxm4-40gb-mig-1g.5gb"),
        ("Tesla T4", "t4"),
        ("Tesla V100-SXM2-16GB", "v100-sxm2-16gb"),
        ("NVIDIA RTX A6000", "rtx-a6000"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("NVIDIA GeForce RTX 2080 with Max-Q Design", "rtx-2080-max-q"),
        ("Orin (nvgpu)", "orin-nvgpu"),
        ("NVIDIA", "gpu"),
    ],
)
def test_slug_keeps_what_identifies_the_gpu(name: str, slug: str) -> None:
    assert gpu_slug(name) == slug
    assert parse_target(f"{slug}/tensorrt-fp16").device == slug


NAMED = {"HYCTAS_DEVICE": "my-board", "HYCTAS_GPU_DEVICE": "my-gpu"}


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("onnxruntime-fp32-t1", "my-board/onnxruntime-fp32-t1"),
        ("torch-fp32-compiled-t1", "my-board/torch-fp32-compiled-t1"),
        ("tensorrt-fp16", "my-gpu/tensorrt-fp16"),
        ("torch-fp16-cuda-graph", "my-gpu/torch-fp16-cuda-graph"),
        ("elsewhere/tensorrt-fp16", "elsewhere/tensorrt-fp16"),
        ("elsewhere/onnxruntime-fp32-t1", "elsewhere/onnxruntime-fp32-t1"),
    ],
)
def test_name_without_a_device_means_the_one_that_it_runs_on(name: str, full: str) -> None:
    machine = LocalMachine(NAMED)
    target = machine.target(name)
    assert target.name == full
    assert machine.is_here(target) is not full.startswith("elsewhere")


def test_gpu_target_needs_a_gpu_or_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    machine = LocalMachine({"HYCTAS_DEVICE": "my-board"})
    assert machine.gpu is None
    assert not machine.is_here(parse_target("my-board/tensorrt-fp16"))
    with pytest.raises(RuntimeUnavailable, match=r"no NVIDIA GPU .*hyctas\[nvml\].*HYCTAS_GPU_DEVICE=rtx-4090"):
        machine.target("tensorrt-fp16")
    assert machine.target("bench/tensorrt-fp16").device == "bench"


def test_nonsense_is_refused_before_any_gpu_is_asked() -> None:
    with pytest.raises(InvalidTarget):
        LocalMachine({}).target("tensorrt")


def test_gpu_and_its_facts_come_from_nvml(nvml: Any) -> None:
    machine = LocalMachine({"HYCTAS_DEVICE": "my-board"})
    target = machine.target("tensorrt-fp16")
    assert target.name == "rtx-4090/tensorrt-fp16"
    assert machine.facts(target) == {
        "gpu": "NVIDIA GeForce RTX 4090",
        "gpu compute capability": "8.9",
        "gpu memory": "24576 MiB",
        "gpu max sm clock": "3105 MHz",
        "gpu max memory clock": "10501 MHz",
    }
    assert machine.facts(machine.target("onnxruntime-fp32-t1")) == device_facts()
    assert nvml.STATE.initialised == 0


def test_first_gpu_that_cuda_may_use_gives_the_slug(nvml: Any) -> None:
    nvml.reset(nvml.Gpu(), nvml.Gpu(name="NVIDIA H100 PCIe"))
    assert LocalMachine({"CUDA_VISIBLE_DEVICES": "1"}).gpu == "h100-pcie"


def test_facts_of_a_gpu_that_only_has_a_name_are_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    machine = LocalMachine(NAMED)
    assert machine.facts(machine.target("tensorrt-fp16")) == {}
