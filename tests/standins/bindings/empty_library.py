"""Shared libraries whose functions do nothing but return 0, written without a compiler.

NVIDIA's Python bindings are linked to TensorRT's libraries, which are gigabytes and not on the package index. With
libraries of those names, and of the few functions that the loader looks for, the bindings import, and show their names
and signatures.
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_RETURN_ZERO: Final = {
    "x86_64": (62, bytes.fromhex("31c0c3")),
    "aarch64": (183, bytes.fromhex("000080d2c0035fd6")),
}
"""Machine number of ELF, and the code, by processor."""
_PAGE: Final = 0x1000
_LOAD, _DYNAMIC, _STACK = 1, 2, 0x6474E551
_EXECUTE, _WRITE, _READ = 1, 2, 4
_HASH, _STRTAB, _SYMTAB, _STRSZ, _SYMENT, _SONAME, _END = 4, 5, 6, 10, 11, 14, 0
_HEADER_SIZE, _PROGRAM_HEADER_SIZE, _SYMBOL_SIZE = 64, 56, 24


def machine_is_known() -> bool:
    """Whether libraries can be written for this processor."""
    return platform.machine() in _RETURN_ZERO


def write_library(path: Path, functions: Sequence[str]) -> None:
    """Write an ELF library: one read-only segment with tables and code, and a writable one for the dynamic section."""
    machine, code = _RETURN_ZERO[platform.machine()]
    names = b"\0" + b"\0".join(name.encode() for name in (*functions, path.name)) + b"\0"
    tables_at = _HEADER_SIZE + 4 * _PROGRAM_HEADER_SIZE
    hashes = _hash_table(len(functions))
    symbols_at = tables_at + len(hashes)
    names_at = symbols_at + _SYMBOL_SIZE * (len(functions) + 1)
    code_at = names_at + len(names)
    first_end = code_at + len(code)
    dynamic_at = -(-first_end // _PAGE) * _PAGE
    soname = names.index(path.name.encode())
    dynamic = b"".join(
        struct.pack("<QQ", tag, value)
        for tag, value in (
            (_HASH, tables_at),
            (_SYMTAB, symbols_at),
            (_STRTAB, names_at),
            (_STRSZ, len(names)),
            (_SYMENT, _SYMBOL_SIZE),
            (_SONAME, soname),
            (_END, 0),
        )
    )
    headers = (
        _program_header(_LOAD, _READ | _EXECUTE, 0, first_end),
        _program_header(_LOAD, _READ | _WRITE, dynamic_at, len(dynamic)),
        _program_header(_DYNAMIC, _READ | _WRITE, dynamic_at, len(dynamic)),
        _program_header(_STACK, _READ | _WRITE, 0, 0),
    )
    symbols = _symbols(functions, names, code_at, len(code))
    first = _elf_header(machine, len(headers)) + b"".join(headers) + hashes + symbols + names + code
    path.write_bytes(first.ljust(dynamic_at, b"\0") + dynamic)


def _elf_header(machine: int, headers: int) -> bytes:
    identification = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    shared_object = 3
    return identification + struct.pack(
        "<HHIQQQIHHHHHH",
        shared_object,
        machine,
        1,
        0,
        _HEADER_SIZE,
        0,
        0,
        _HEADER_SIZE,
        _PROGRAM_HEADER_SIZE,
        headers,
        0,
        0,
        0,
    )


def _program_header(kind: int, flags: int, offset: int, size: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, flags, offset, offset, offset, size, size, _PAGE)


def _hash_table(functions: int) -> bytes:
    """One bucket, in which all symbols are chained."""
    chain = [0, *range(2, functions + 1), 0] if functions else [0]
    table = struct.pack(f"<{3 + len(chain)}I", 1, len(chain), min(1, functions), *chain)
    return table + bytes(-(_HEADER_SIZE + 4 * _PROGRAM_HEADER_SIZE + len(table)) % 8)


def _symbols(functions: Sequence[str], names: bytes, code_at: int, size: int) -> bytes:
    global_function, some_section = 0x12, 1
    entries = [bytes(_SYMBOL_SIZE)]
    for name in functions:
        at = names.index(b"\0" + name.encode() + b"\0") + 1
        entries.append(struct.pack("<IBBHQQ", at, global_function, 0, some_section, code_at, size))
    return b"".join(entries)
