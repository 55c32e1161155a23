"""Tables of text as people and spreadsheets write them, made plain, or refused by line and column.

Cells may stand between commas, semicolons or tabs, in quotes or not, decimals have a point or a comma; the
text may be UTF-8, UTF-16 with its mark, or Latin-1 as Windows has it, with the line ends of any system.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from deeppose.core.errors import TableError

DELIMITERS = (",", ";", "\t")
NAMED_DELIMITER = re.compile(r'"?sep=([^\r\n"])"?[,;\t]*(?=[\r\n])')
"""What Excel takes from a first line, and some programs write for it."""
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
NUMBER = re.compile(r"[+-]?[0-9.,]+([eE][+-]?[0-9]+)?")
THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+")
LONGEST_SHOWN = 200
MOST_BYTES, MOST_CELLS = 64 << 20, 10_000
"""Of a table and of a row of it: with more, what is no table would take gigabytes."""


class Rows(NamedTuple):
    """The rows of a table that are not empty, whatever stands above them.

    Attributes
    ----------
    cells
        Of each row, as text without blanks around it.
    lines
        Of each row the line in the file, from 1.
    delimiter
        What stood between the cells.
    """

    cells: list[list[str]]
    lines: list[int]
    delimiter: str


class Table(NamedTuple):
    """A table with one header.

    Attributes
    ----------
    columns
        The texts below each name in the header.
    lines
        Of each row the line in the file, from 1.
    """

    columns: dict[str, list[str]]
    lines: list[int]

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
        See :func:`read_rows` and :func:`with_points`.
    """
    rows = read_rows(data, where, columns, check_rows)
    (header, *cells), lines = rows.cells, rows.lines[1:]
    cells = with_points(Rows(cells, lines, rows.delimiter), where, {header.index(n): n for n in numbers})
    return Table({name: [row[place] for row in cells] for place, name in enumerate(header)}, lines)


def read_rows(
    data: bytes, where: str, columns: Sequence[str], check_rows: Callable[[int], None] = lambda _: None
) -> Rows:
    """Read the rows of a table, its header first; parameters as of :func:`read_table`.

    Raises
    ------
    TableError
        With the line: if the table is too large, its text in none of the encodings, the first row lacks one
        of the columns or has it twice, another has more or fewer cells than the first, or a quote is not
        closed on its line.
    """
    text = _decoded(data, where)
    named = NAMED_DELIMITER.match(text)
    delimiters = (named[1],) if named else DELIMITERS
    # Its line stays, empty, since lines are counted.
    text = text[named.end() :] if named else text
    firsts = {delimiter: next(_divided(text, delimiter, where), (1, []))[1] for delimiter in delimiters}
    delimiter = max(firsts, key=lambda delimiter: len({*firsts[delimiter]}.intersection(columns)))
    divided = _divided(text, delimiter, where)
    line, header = next(divided, (1, []))
    if any(header.count(name) != 1 for name in columns):
        shown = ", ".join(header)[:LONGEST_SHOWN] or "none"
        raise TableError(
            f"{where}, line {line}: the columns {', '.join(columns)} are expected, each once; found {shown}"
        )
    rows = Rows([_without_empty_end(header, 0)], [line], delimiter)
    length = len(rows.cells[0])
    for line, found in divided:
        cells = _without_empty_end(found, length)
        if len(cells) != length:
            raise TableError(f"{where}, line {line}: {len(cells)} fields where the header has {length}")
        rows.cells.append(cells)
        rows.lines.append(line)
        check_rows(len(rows.cells) - 1)
    return rows


def with_points(rows: Rows, where: str, numbers: Mapping[int, str]) -> list[list[str]]:
    """The cells, with points for decimal commas in the columns of `numbers`, by index their names.

    Raises
    ------
    TableError
        With the line: if some decimals have a point and others a comma, or commas may mark thousands.
    """
    # By their marks the cells that are numbers but for it, in the order of rows.
    marked: dict[str, list[tuple[int, str, str]]] = {",": [], ".": []}
    for line, row in zip(rows.lines, rows.cells, strict=True):
        for column, name in numbers.items():
            for mark in marked:
                if mark in row[column] and NUMBER.fullmatch(row[column]):
                    marked[mark].append((line, name, row[column]))
    if not marked[","]:
        return rows.cells
    firsts = sorted(min(of_mark) for of_mark in marked.values() if of_mark)
    line, name, cell = firsts[-1]
    said = f"{where}, line {line}: {name} is {cell[:60]!r}"
    if len(firsts) > 1:
        raise TableError(
            f"{said}, and line {firsts[0][0]} has another decimal mark: write all numbers alike, without "
            f"marks of thousands"
        )
    # Semicolons are there because commas are for decimals.
    if rows.delimiter != ";" and all(THOUSANDS.fullmatch(cell) for _, _, cell in marked[","]):
        raise TableError(f"{said}: is that a mark of thousands or of decimals? Write a decimal point")
    return [
        [
            cell.replace(",", ".", 1) if column in numbers and NUMBER.fullmatch(cell) else cell
            for column, cell in enumerate(row)
        ]
        for row in rows.cells
    ]


def _decoded(data: bytes, where: str) -> str:
    if len(data) > MOST_BYTES:
        raise TableError(f"{where} is larger than {MOST_BYTES >> 20} MB, which no table of joints is")
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


def _divided(text: str, delimiter: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that isn't empty, with its line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            if len(row) > MOST_CELLS:
                raise TableError(f"{where}, line {line}: more than {MOST_CELLS} fields")
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
