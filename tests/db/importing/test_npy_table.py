"""NumPy files of one dict, read without running what they say."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.importing.npy_table import MAX_BYTES, read_npy
from hyctas.errors import InvalidInput

TABLE = {"a": 0.25, "b": 3.5e-3}


def saved(value: object, protocol: int = pickle.DEFAULT_PROTOCOL) -> bytes:
    """As ``numpy.save`` writes an object, under any pickle protocol."""
    file = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": ()}
    np.lib.format.write_array_header_1_0(file, header)
    array = np.empty((), dtype=object)
    array[()] = value
    file.write(pickle.dumps(array, protocol=protocol))
    return file.getvalue()


def with_pickle(body: bytes) -> bytes:
    whole = saved(TABLE)
    return whole[: whole.index(b"\n") + 1] + body


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("table", [TABLE, {}, {"a": np.float64(0.25), "b": 1}], ids=["floats", "empty", "numpy"])
def test_dict_is_read_whatever_the_protocol(table: dict[str, object], protocol: int) -> None:
    assert read_npy(saved(table, protocol), at="t") == table


def test_file_of_numpy_itself_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", TABLE)  # type: ignore[arg-type]
    assert read_npy((tmp_path / "t.npy").read_bytes(), at="t") == TABLE


class Runs:
    """Pickles as a call of a function of choice."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        """Say what unpickling runs."""
        return self.call


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (Runs(os.system, "touch harmed"), f"{os.system.__module__}.system"),
        (Runs(eval, "open('harmed', 'w')"), "builtins.eval"),
        (Runs(getattr, "", "upper"), "builtins.getattr"),
        (np.float32(1.0).astype, None),
        (Path("/"), "pathlib"),
        (np.random.default_rng, "numpy.random"),
        ({1, 2}.union, None),
    ],
)
def test_anything_but_numbers_is_refused_by_name(
    harm: object, named: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=named):
        read_npy(saved({"a": harm}), at="t")
    assert not list(tmp_path.iterdir())


NAMES = ("numpy.core.multiarray\n_reconstruct", "numpy\ndtype", "numpy\nndarray", "_codecs\nencode")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "opcodes",
    [
        b"}(U\x07meaningU\x04evilub.",  # BUILD with a state: set an attribute
        b"}}(U\x07meaningU\x04evilu\x86b.",  # the same by slots
        b"(U\x04evilU\x04evilt\x81.",  # NEWOBJ
        b"(U\x04evilU\x04evilU\x04evilU\x04evilU\x04eviltR.",  # call it with nonsense
        b"(tR.",
        b".",
    ],
)
def test_allowed_names_cannot_be_changed_or_misused(name: str, opcodes: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_npy(with_pickle(b"\x80\x02c" + name.encode() + b"\n" + opcodes), at="t")
    assert read_npy(saved(TABLE), at="t") == TABLE


@pytest.mark.parametrize(
    "body",
    [
        b"\x80\x02X\x03\x00\x00\x00pidQ.",  # a persistent reference
        b"\x80\x02\x82\x01.",  # an extension code
        b"\x80\x02]q\x00.",  # a list
        b"\x80\x02N.",
        b"\x80\xffN.",  # a protocol of the future
        b"",
        b"garbage",
        b"\x80\x02]r\xff\xff\xff\xff.",  # a note under a huge number, for which Python's reader makes room
        b"\x80\x02X\xff\xff\xff\xffab.",  # text longer than the file
        b"\x80\x02}]K\x01s.",  # a list as a key
        b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b".",  # deep nesting
    ],
)
def test_other_pickles_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"^t: "):
        read_npy(with_pickle(body), at="t")


def test_a_scalar_of_another_type_is_refused() -> None:
    with pytest.raises(InvalidInput, match="float64"):
        read_npy(saved({"a": np.float32(0.5)}), at="t")
    with pytest.raises(InvalidInput, match="another type than float64"):
        read_npy(saved({"a": np.int64(3)}), at="t")


@pytest.mark.parametrize("array", [np.zeros(3), np.array([TABLE, TABLE], dtype=object)])
def test_an_array_of_another_form_is_refused(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", array)
    with pytest.raises(InvalidInput, match=r"numpy\.save of a dict"):
        read_npy((tmp_path / "t.npy").read_bytes(), at="t")


@given(st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, deadline=None)
def test_a_file_that_is_cut_short_is_refused(share: float) -> None:
    whole = saved({f"key{number}": float(number) for number in range(40)})
    with pytest.raises(InvalidInput, match=r"^t: "):
        read_npy(whole[: int(share * len(whole))], at="t")


@given(st.binary(max_size=200), st.integers(0, 400))
@settings(max_examples=200, deadline=None)
def test_damage_is_refused_or_read_as_a_table(damage: bytes, place: int) -> None:
    whole = saved(TABLE, 2)
    try:
        found = read_npy(whole[:place] + damage + whole[place + len(damage) :], at="t")
    except InvalidInput:
        return
    assert all(isinstance(key, str) for key in found)


def test_a_huge_file_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidInput, match=rf"at most {MAX_BYTES}"):
        read_npy(b"\x93NUMPY" + bytes(MAX_BYTES), at="t")


def test_attacks_are_what_they_say() -> None:
    """The opcodes above are well-formed, so that it is the reader which refuses them."""
    for name in NAMES:
        assert list(pickletools.genops(b"\x80\x02c" + name.encode() + b"\n}(U\x07meaningU\x04evilub."))
