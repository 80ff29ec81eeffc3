"""Files of records: JSON lines between a header and a trailer with a checksum, compressed if the name says so."""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

import msgspec

from db.transfer.lines import FORMAT, VERSION, AnyLine, End, Header, Record
from hyctas.errors import InvalidInput, StorageError

GZIP_MAGIC: Final = b"\x1f\x8b"
MAX_LINE_BYTES: Final = 64 * 2**20
"""No line of a document is longer; another file may be one endless line."""
_WHOLE: Final = "a whole document of 'hyctas measurements export'; copy or export it again"
_END: Final = b'{"record":"end",'


class _Checksum(Protocol):
    def update(self, data: bytes, /) -> None: ...


def write_document(file: Path, records: Iterable[Record]) -> Mapping[str, int]:
    """Write records between header and trailer; tells how many there are of each kind.

    The file is there whole or not at all. Equal records give equal bytes; a name that ends in ``.gz`` compresses.

    Raises:
        StorageError: The disk is full, or the folder cannot be written; what was there before is still there.
    """
    counts: Counter[str] = Counter()
    checksum = hashlib.sha256()
    with _file_errors(file), _replacing(file) as raw, _compressing(raw, file) as stream:
        _write(stream, Header(FORMAT, VERSION), checksum)
        for record in records:
            counts[type(record).__name__.lower()] += 1
            _write(stream, record, checksum)
        told = dict(sorted(counts.items()))
        stream.write(_encoder.encode(End(told, checksum.hexdigest())) + b"\n")
    return told


def read_document(file: Path) -> Iterator[Record]:
    """The records of a document, in order; when this returns, the whole file was found to be sound.

    Raises:
        InvalidInput: The file is another, of another version, truncated or changed, or a record is not as described.
        StorageError: There is no such file, or it cannot be read.
    """
    with _file_errors(file):
        _verify(file)
    return _records(file)


def _records(file: Path) -> Iterator[Record]:
    with _file_errors(file):
        for number, line in enumerate(_lines(file), start=1):
            decoded = _decoded(line, number, file)
            if not isinstance(decoded, Header | End):
                yield decoded


@contextmanager
def _file_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{file}: {error.strerror or error}") from error


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(AnyLine)


def _write(stream: BinaryIO, line: AnyLine, checksum: _Checksum) -> None:
    text = _encoder.encode(line) + b"\n"
    checksum.update(text)
    stream.write(text)


def _verify(file: Path) -> None:
    """Read the whole file once and compare it with its trailer."""
    checksum, last = hashlib.sha256(), b""
    for number, line in enumerate(_lines(file), start=1):
        if number == 1:
            _check_header(line, file)
        checksum.update(last)
        last = line
    end = _decoded(last, 0, file) if last.startswith(_END) else None
    if not isinstance(end, End):
        raise InvalidInput(str(file), "a document without its last line", _WHOLE)
    if end.sha256 != checksum.hexdigest():
        raise InvalidInput(str(file), f"SHA-256 {checksum.hexdigest()} instead of {end.sha256}", _WHOLE)


def _check_header(line: bytes, file: Path) -> None:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InvalidInput(str(file), line[:40].decode(errors="replace"), _WHOLE)
    if found.get("version") != VERSION:
        raise InvalidInput(
            str(file), found.get("version"), f"version {VERSION} of the format; a newer hyctas wrote it: upgrade"
        )


def _decoded(line: bytes, number: int, file: Path) -> AnyLine:
    try:
        return cast(AnyLine, _decoder.decode(line))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        shown = line[:60].decode(errors="replace").rstrip()
        raise InvalidInput(f"{file}, line {number}", shown, f"a record of the format ({error})") from None


def _lines(file: Path) -> Iterator[bytes]:
    """Lines of the file, decompressed, each with its end."""
    with file.open("rb") as raw:
        compressed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        with cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if compressed else raw as stream:
            while line := _next_line(stream, file):
                yield line


def _next_line(stream: BinaryIO, file: Path) -> bytes:
    try:
        line = stream.readline(MAX_LINE_BYTES)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidInput(str(file), str(error), _WHOLE) from None
    if len(line) == MAX_LINE_BYTES:
        raise InvalidInput(str(file), f"a line of more than {MAX_LINE_BYTES} bytes", _WHOLE)
    return line


@contextmanager
def _replacing(file: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `file` when the block ends without an error."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as raw:
            yield raw
            raw.flush()
            os.fsync(raw.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


@contextmanager
def _compressing(raw: BinaryIO, file: Path) -> Iterator[BinaryIO]:
    if file.suffix != ".gz":
        yield raw
        return
    # No name and no time in the compressed file: equal documents are equal files.
    with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
        yield cast(BinaryIO, stream)
