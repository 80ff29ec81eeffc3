"""What the name of a TensorRT target says, and that every way of running has one name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.target import PRECISIONS, Target, parse_target
from profiler.runtimes.engine import Unsupported
from profiler.runtimes.tensorrt.settings import TensorRtSettings, read_settings


def a_target(name: str) -> Target:
    return parse_target(name, device="rtx-4090")


def test_plain_target_replays_a_graph_on_one_stream() -> None:
    settings = read_settings(a_target("tensorrt-fp16"))
    assert settings == TensorRtSettings("fp16")
    assert (settings.level, settings.aux_streams, settings.workspace_bytes) == (3, 0, None)
    assert settings.cuda_graph and settings.timing_cache and not settings.flush_l2
    assert settings.metric == "compute_time"


def test_every_option_is_read() -> None:
    settings = read_settings(a_target("tensorrt-int8-enqueue-l2flush-o5-aux2-ws256-avg16-nocache-copies"))
    assert settings == TensorRtSettings(
        "int8",
        level=5,
        aux_streams=2,
        workspace_bytes=256 << 20,
        timing_iterations=16,
        timing_cache=False,
        cuda_graph=False,
        flush_l2=True,
        metric="host_time_with_copies",
    )


@pytest.mark.parametrize(
    "option", ["fast", "o6", "o", "ws0", "avg0", "aux-1", "o03", "ws", "compiled", "aux1234567890"]
)
def test_unknown_option_lists_the_known_ones(option: str) -> None:
    with pytest.raises(Unsupported, match=r"has no option .*enqueue.*l2flush.*o0 to o5.*copies"):
        read_settings(Target("rtx-4090", "tensorrt", "fp16", (option,)))


@pytest.mark.parametrize(
    ("name", "only"),
    [
        ("tensorrt-fp16-o3", "tensorrt-fp16"),
        ("tensorrt-fp16-aux0", "tensorrt-fp16"),
        ("tensorrt-fp16-avg8", "tensorrt-fp16"),
        ("tensorrt-fp16-l2flush-enqueue", "tensorrt-fp16-enqueue-l2flush"),
        ("tensorrt-fp16-host-o5", "tensorrt-fp16-o5-host"),
        ("tensorrt-fp16-enqueue-enqueue", "tensorrt-fp16-enqueue"),
        ("tensorrt-fp16-o1-o5", "tensorrt-fp16-o5"),
    ],
)
def test_another_name_for_the_same_is_refused_with_the_right_one(name: str, only: str) -> None:
    with pytest.raises(Unsupported, match=rf"{name}: one way of running has one name; this one is {only}$"):
        read_settings(a_target(name))


SETTINGS = st.builds(
    TensorRtSettings,
    st.sampled_from(PRECISIONS),
    level=st.integers(0, 5),
    aux_streams=st.integers(0, 20),
    workspace_bytes=st.none() | st.integers(1, 9000).map(lambda mib: mib << 20),
    timing_iterations=st.integers(1, 100),
    timing_cache=st.booleans(),
    cuda_graph=st.booleans(),
    flush_l2=st.booleans(),
    metric=st.sampled_from(["compute_time", "host_time", "host_time_with_copies"]),
)


@given(SETTINGS, st.sampled_from(["tensorrt", "tensorrt-rtx"]))
def test_name_and_settings_determine_each_other(settings: TensorRtSettings, runtime: str) -> None:
    target = Target("rtx-4090", runtime, settings.precision, settings.options)
    assert read_settings(parse_target(target.name)) == settings
    assert target.metric == settings.metric
