"""Tables of text as people and spreadsheets write them, made plain, or refused by line and column.

Cells may stand between commas, semicolons or tabs, in quotes or not, decimals have a point or a comma; the
text may be UTF-8, UTF-16 with its mark, or Latin-1 as Windows has it, with the line ends of any system.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from deeppose.core.errors import TableError

DELIMITERS = (",", ";", "\t")
NAMED_DELIMITER = re.compile(r'"?sep=([^\r\n"])"?[,;\t]*(?=[\r\n])')
"""What Excel takes from a first line, and some programs write for it."""
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
NUMBER = re.compile(r"[+-]?[0-9.,]+([eE][+-]?[0-9]+)?")
THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+")
LONGEST_SHOWN = 200


class Table(NamedTuple):
    """A table as read.

    Attributes
    ----------
    cells
        A column for each name in the header; all cells are text without blanks around it.
    lines
        Of each row the line in the file, from 1.
    """

    cells: pd.DataFrame
    lines: tuple[int, ...]

    def place(self, row: int) -> str:
        """Where a row, from 0, stands in the file, in words."""
        return f"line {self.lines[row]}"


def read_table(
    data: bytes,
    where: str,
    columns: Sequence[str],
    numbers: Collection[str] = (),
    check_rows: Callable[[int], None] = lambda _: None,
) -> Table:
    """Read a table with a header.

    Parameters
    ----------
    data
        The file.
    where
        Names it in errors.
    columns
        Those that it must have, once each; others are read as well.
    numbers
        Those of them that may hold numbers: there decimal commas become points.
    check_rows
        Is called with the number of rows so far, after each, and may raise.

    Raises
    ------
    TableError
        With the line: if the text is in none of these encodings, a column is missing or there twice, a row
        has more or fewer cells than the header, a quote is not closed, or decimals are not all written alike.
    """
    text = _decoded(data, where)
    named = NAMED_DELIMITER.match(text)
    delimiters = (named[1],) if named else DELIMITERS
    # Its line stays, empty, since lines are counted.
    text = text[named.end() :] if named else text
    headers = {delimiter: next(_rows(text, delimiter, where), (1, []))[1] for delimiter in delimiters}
    delimiter = max(headers, key=lambda delimiter: len({*headers[delimiter]}.intersection(columns)))
    found = _rows(text, delimiter, where)
    line, header = next(found, (1, []))
    header = _without_empty_end(header, 0)
    if any(header.count(name) != 1 for name in columns):
        shown = ", ".join(header)[:LONGEST_SHOWN] or "none"
        raise TableError(
            f"{where}, line {line}: the columns {', '.join(columns)} are expected, each once; found {shown}"
        )
    lines, rows = [], []
    for line, cells in found:
        row = _without_empty_end(cells, len(header))
        if len(row) != len(header):
            raise TableError(f"{where}, line {line}: {len(row)} fields where the header has {len(header)}")
        lines.append(line)
        rows.append(row)
        check_rows(len(rows))
    table = Table(pd.DataFrame(rows, columns=header, dtype="str"), tuple(lines))
    return _with_points(table, where, numbers, of_thousands=delimiter != ";")


def _decoded(data: bytes, where: str) -> str:
    encoding = next((encoding for mark, encoding in MARKS.items() if data.startswith(mark)), "utf-8")
    if encoding != "utf-16" and b"\0" in data:
        raise TableError(
            f"{where}, line {_line(data, data.index(0))}: a zero byte, which no text has: save the table as "
            f"CSV in UTF-8"
        )
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise TableError(f"{where} begins as {encoding.upper()}, but is none: {error.reason}") from error
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise TableError(
            f"{where}, line {_line(data, error.start)}: the byte {data[error.start]:#x} is of no character "
            f"in UTF-8 or Latin-1: save the table as CSV in UTF-8"
        ) from error


def _line(data: bytes, at: int) -> int:
    return len(re.findall(rb"\r\n|\r|\n", data[:at])) + 1


def _rows(text: str, delimiter: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that isn't empty, with its line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if reader.line_num > line:
                raise TableError(f"{where}, line {line}: a quote is not closed on that line")
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise TableError(f"{where}, line {line}: {error}") from error


def _without_empty_end(cells: list[str], length: int) -> list[str]:
    """Cells without the empty ones beyond so many: spreadsheets write some for columns that were cleared."""
    end = len(cells)
    while end > length and not cells[end - 1]:
        end -= 1
    return cells[:end]


def _with_points(table: Table, where: str, numbers: Collection[str], *, of_thousands: bool) -> Table:
    """The table with decimal points; `of_thousands`: whether 1,234 may be more than a thousand."""
    # By their marks the cells that are numbers but for it, in the order of rows.
    marked: dict[str, list[tuple[int, str, str]]] = {",": [], ".": []}
    for name in numbers:
        for row, cell in enumerate(table.cells[name]):
            for mark in marked:
                if mark in cell and NUMBER.fullmatch(cell):
                    marked[mark].append((row, name, cell))
    if not marked[","]:
        return table
    firsts = sorted(min(of_mark) for of_mark in marked.values() if of_mark)
    row, name, cell = firsts[-1]
    said = f"{where}, {table.place(row)}: {name} is {cell[:60]!r}"
    if len(firsts) > 1:
        raise TableError(
            f"{said}, and {table.place(firsts[0][0])} has another decimal mark: write all numbers alike, "
            f"without marks of thousands"
        )
    if of_thousands and all(THOUSANDS.fullmatch(cell) for _, _, cell in marked[","]):
        raise TableError(f"{said}: is that a mark of thousands or of decimals? Write a decimal point")
    cells = table.cells.copy()
    for name in numbers:
        cells[name] = [
            cell.replace(",", ".", 1) if NUMBER.fullmatch(cell) else cell for cell in table.cells[name]
        ]
    return table._replace(cells=cells)
