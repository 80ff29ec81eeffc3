"""CSV text as lines of named cells; what is wrong with a line is a value, so that all of it can be told at once."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hyctas.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table.

    Attributes:
        number: Its line in the file, from 1; the first one if it spans several.
        cells: Text by column, without spaces around it; empty where nothing stands.
    """

    number: int
    cells: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A row that cannot be taken in.

    Attributes:
        number: Its line in the file, from 1.
        column: Where the fault is; empty if it is the whole line.
        value: What stands there.
        allowed: What would have been accepted.
    """

    number: int
    column: str
    value: str
    allowed: str

    def __str__(self) -> str:
        """Return it as one sentence."""
        column = f", column {self.column}" if self.column else ""
        return f"line {self.number}{column}: {self.value!r} is not allowed; expected {self.allowed}"


def read_table(content: bytes, known: Sequence[str], *, at: str) -> Iterator[Line | BadLine]:
    """Lines of a CSV file with a header; empty lines are passed over.

    Args:
        content: UTF-8 text, with or without a byte-order mark.
        known: Names of columns that may stand in the header, in any order.
        at: How errors name the file.

    Raises:
        InvalidInput: The text is not UTF-8, has no header, or its header names a column that is not known, or twice.
    """
    rows = _rows(_decoded(content, at), at)
    _, header = next(rows, (1, []))
    columns = [name.strip() for name in header]
    _check_header(columns, known, at)
    for number, cells in rows:
        if len(cells) == len(columns):
            yield Line(number, {name: cell.strip() for name, cell in zip(columns, cells, strict=True)})
        elif any(cells):
            yield BadLine(number, "", f"{len(cells)} cells", f"{len(columns)}, like the header")


def _decoded(content: bytes, at: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInput(f"{at}, line {line}", content[error.start : error.start + 1], "text in UTF-8") from None


def _rows(text: str, at: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line at which each begins; one without any cell is left out."""
    reader, begins = csv.reader(text.splitlines(keepends=True), strict=True), 1
    try:
        for cells in reader:
            if cells:
                yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InvalidInput(
            f"{at}, line {begins}", str(error), "CSV with commas, and quotes doubled in quotes"
        ) from None


def _check_header(columns: Sequence[str], known: Sequence[str], at: str) -> None:
    allowed = f"a header line with some of the columns {', '.join(known)}"
    if not columns:
        raise InvalidInput(f"{at}, line 1", "nothing", allowed)
    for place, name in enumerate(columns):
        if name not in known:
            raise InvalidInput(f"{at}, line 1", name, allowed)
        if name in columns[:place]:
            raise InvalidInput(f"{at}, line 1", f"{name} twice", "every column once")
