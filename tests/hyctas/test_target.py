"""Target names: what they say about the device and the metric, and what is refused."""

from __future__ import annotations

import pytest

from hyctas.errors import InvalidTarget
from hyctas.target import Metric, parse_target


@pytest.mark.parametrize(
    ("name", "on_gpu", "metric"),
    [
        ("onnxruntime-fp32-t1", False, "host_time"),
        ("torch-fp32-compiled-t4", False, "host_time"),
        ("openvino-int8-t1", False, "host_time"),
        ("onnxruntime-fp16-cuda", True, "compute_time"),
        ("onnxruntime-fp16-tensorrt-host", True, "host_time"),
        ("torch-fp16-cuda-graph-copies", True, "host_time_with_copies"),
        ("tensorrt-fp16", True, "compute_time"),
        ("tensorrt-rtx-int8-enqueue-host", True, "host_time"),
        ("tensorrt-fp32-o5-l2flush-copies", True, "host_time_with_copies"),
    ],
)
def test_name_alone_tells_device_and_metric(name: str, on_gpu: bool, metric: Metric) -> None:
    target = parse_target(name, device="bench")
    assert (target.on_gpu, target.metric) == (on_gpu, metric)
    assert target.local_name == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("onnxruntime-fp32-host-t1", "on a GPU only"),
        ("torch-fp32-copies", "on a GPU only"),
        ("tensorrt-fp16-host-copies", "one metric"),
        ("tensorrt-fp16-host-host", "one metric"),
        ("tensorrt-fp16-t1", "no -t1: a GPU has no thread count"),
        ("onnxruntime-fp32-cuda-t2", "no -t2"),
    ],
)
def test_contradicting_options_are_refused(name: str, reason: str) -> None:
    with pytest.raises(InvalidTarget, match=reason):
        parse_target(name, device="bench")


def test_only_host_time_of_one_thread_needs_the_whole_cpu() -> None:
    names = ("onnxruntime-fp32-t1", "onnxruntime-fp32-t2", "onnxruntime-fp32", "tensorrt-fp16-host")
    assert [parse_target(name, device="bench").needs_whole_cpu for name in names] == [True, False, False, False]
