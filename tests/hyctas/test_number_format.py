"""Number formats: what each precision stores, and how float32 is rounded to it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hyctas.errors import GraphError, InvalidInput
from hyctas.graph import Node, Value
from hyctas.number_format import FLOAT32_PRIMITIVES, NUMBER_FORMATS, converted, number_format
from hyctas.primitives import PRIMITIVES
from hyctas.target import PRECISIONS

ANY_FLOATS = arrays(np.float32, st.integers(1, 20), elements=st.floats(width=32))


def as_float32(bits: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def test_every_precision_of_a_target_has_a_number_format() -> None:
    assert tuple(NUMBER_FORMATS) == PRECISIONS
    assert NUMBER_FORMATS["fp32"] == NUMBER_FORMATS["tf32"]


def test_unknown_precision_lists_the_known() -> None:
    with pytest.raises(InvalidInput, match="'fp8' is not allowed; expected one of fp32, tf32, fp16, bf16, int8"):
        number_format("fp8")


@pytest.mark.parametrize(("precision", "inside"), [("fp32", "float32"), ("fp16", "float16"), ("bf16", "bfloat16")])
def test_sums_over_many_terms_stay_float32(precision: str, inside: str) -> None:
    found = {op: number_format(precision).dtype_of(Node(op, op, (), Value(op, (1,)))) for op in PRIMITIVES}
    assert {op for op, dtype in found.items() if dtype == "float32"} >= FLOAT32_PRIMITIVES
    assert {dtype for op, dtype in found.items() if op not in FLOAT32_PRIMITIVES} == {inside}


@settings(deadline=None)
@given(ANY_FLOATS)
def test_bf16_is_rounded_as_torch_rounds_it(array: npt.NDArray[np.float32]) -> None:
    torch = pytest.importorskip("torch")
    expected = torch.from_numpy(array).to(torch.bfloat16).float().numpy()
    np.testing.assert_array_equal(as_float32(converted("weight", array, "bfloat16")), expected)


def test_bf16_rounds_ties_to_even_and_keeps_nan_and_infinities() -> None:
    step = 2.0**-7
    given_values = [1 + step / 2, 1 + 1.5 * step, np.inf, -np.inf, -0.0]
    found = as_float32(converted("weight", np.array(given_values, np.float32), "bfloat16"))
    assert found.tolist() == [1.0, 1 + 2 * step, np.inf, -np.inf, 0.0]
    almost_nan = np.array([0x7F800001], np.uint32).view(np.float32)
    assert np.isnan(as_float32(converted("weight", almost_nan, "bfloat16"))).all()


@pytest.mark.parametrize("value", [65504.0, 65519.0, -65504.0, 1e-8])
def test_fp16_takes_what_rounds_into_it(value: float) -> None:
    found = converted("weight", np.array([value], np.float32), "float16")
    assert found.dtype == np.float16
    assert np.isfinite(found).all()


@pytest.mark.parametrize("value", [65520.0, -1e7, np.inf])
def test_fp16_refuses_what_overflows_by_name(value: float) -> None:
    with pytest.raises(GraphError, match=r"parameter head\.conv\.weight holds .*too large for fp16 \(at most 65504\)"):
        converted("head.conv.weight", np.array([1.0, value], np.float32), "float16")


def test_float32_is_left_alone() -> None:
    array = np.array([1.1], np.float32)
    assert converted("weight", array, "float32") is array
