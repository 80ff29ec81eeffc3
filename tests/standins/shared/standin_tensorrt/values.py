"""Small values: dimensions, and memory of the host that a builder hands out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tensorrt._members import DataType

from standin_tensorrt.strict import Enumeration

_ITEM_SIZES = {"INT4": 0.5, "FP4": 0.5, "INT8": 1, "BOOL": 1, "UINT8": 1, "FP8": 1, "HALF": 2, "BF16": 2}
_ITEM_SIZES |= {"FLOAT": 4, "INT32": 4, "INT64": 8}
_NUMPY_NAMES = {"FLOAT": "float32", "HALF": "float16", "INT8": "int8", "INT32": "int32", "INT64": "int64"}
_NUMPY_NAMES |= {"BOOL": "bool_", "UINT8": "uint8"}


class Dims:
    """A shape; equal to a tuple of the same numbers, but no tuple."""

    __slots__ = ("_shape",)

    def __init__(self, shape: Sequence[int] = ()) -> None:
        self._shape = tuple(map(int, shape))

    def __len__(self) -> int:
        return len(self._shape)

    def __getitem__(self, index: Any) -> Any:
        return self._shape[index]

    def __iter__(self) -> Iterator[int]:
        return iter(self._shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence | Dims) and tuple(other) == self._shape

    def __hash__(self) -> int:
        return hash(self._shape)

    def __repr__(self) -> str:
        return repr(self._shape)


class IHostMemory(bytes):
    """Bytes that offer their buffer, their size and their type, and nothing else that bytes can do."""

    _ALLOWED = frozenset({"nbytes", "dtype"})

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and name not in IHostMemory._ALLOWED:
            raise AttributeError(f"'IHostMemory' object has no attribute {name!r}")
        return super().__getattribute__(name)

    def __len__(self) -> int:
        raise TypeError("object of type 'IHostMemory' has no len()")

    def __getitem__(self, index: object) -> Any:
        raise TypeError("'IHostMemory' object is not subscriptable")

    def __iter__(self) -> Any:
        raise TypeError("'IHostMemory' object is not iterable")

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<tensorrt.IHostMemory object at {id(self):#x}>"

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __add__(self, other: object) -> Any:
        return NotImplemented

    @property
    def nbytes(self) -> int:
        return bytes.__len__(self)

    @property
    def dtype(self) -> Enumeration:
        return DataType.INT8


def volume(iterable: Sequence[int]) -> int:
    """The product of numbers; 1 of none."""
    product = 1
    for element in iterable:
        product *= element
    return product


def nptype(trt_type: DataType) -> type:  # type: ignore[valid-type]
    """The numpy type, where there is one."""
    import numpy as np

    if trt_type.name not in _NUMPY_NAMES:
        raise TypeError("Could not resolve TensorRT datatype to an equivalent numpy datatype.")
    found: type = getattr(np, _NUMPY_NAMES[trt_type.name])
    return found


def _item_size(data_type: Enumeration) -> float | None:
    return _ITEM_SIZES.get(data_type.name)


DataType.itemsize = property(_item_size)
