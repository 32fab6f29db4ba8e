"""Rows of text: .csv, .tsv, .txt; delimiter and header are found out unless given."""

from __future__ import annotations

import csv
import io
import itertools
from typing import Any, BinaryIO, Iterator, Sequence

import numpy as np

from .failures import Failure, UsageError
from .source import Source
from .values import columns

_BLOCK_CHARACTERS = 8 << 20
_DELIMITERS = ("\t", ";", ",", "|")  # in this order; at last white space
_SAMPLE_LINES = 20
_NAMED = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";"}


def read_csv(stream: BinaryIO, name: str, options: Any) -> Source:
    """The rows of a text; empty lines and those that begin with # are left out."""
    lines = _Lines(stream, name)
    first = lines.first(_SAMPLE_LINES)
    if not first:
        raise Failure(f"{name} has no rows")
    delimiter = _delimiter(options.delimiter, first)
    rows = [_split(line, delimiter) for line in first]
    has_header = options.header if options.header is not None else _has_header(rows)
    names = [field.strip() for field in rows[0]] if has_header else []
    number = len(rows[0])
    if options.column:
        places = columns(options.column, names, number, name)
    else:
        places = list(range(number))
        _check_columns(name, names, rows[has_header:], number)
    if has_header:
        lines.drop_first()
    blocks = _Parser(lines, name, delimiter, number, places).blocks()
    return Source(name, "csv", blocks=blocks, shape=(None, len(places)), dtype=np.float64)


def _delimiter(given: str | None, lines: Sequence[str]) -> str | None:
    if given is not None:
        given = _NAMED.get(given, given)
        if len(given) != 1 or given in '"#\r\n0123456789.-+':
            raise UsageError(
                f"--delimiter must be one character, or tab or space, got {given!r}"
            )
        return None if given == " " else given
    for delimiter in _DELIMITERS:
        numbers = {len(_split(line, delimiter)) for line in lines}
        if len(numbers) == 1 and numbers != {1}:
            return delimiter
    # Lines of different lengths are an error, which the likeliest delimiter explains best.
    return next((mark for mark in _DELIMITERS[:3] if mark in lines[0]), None)


def _split(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    if '"' in line:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [""])
    return line.rstrip("\r\n").split(delimiter)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a column has a word in the first row and a number in the second."""
    words = [bool(field.strip()) and not _is_number(field) for field in rows[0]]
    words[0] = not _is_number(rows[0][0])  # an index often has no name
    if len(rows) == 1:
        return all(words)
    return any(word and _is_number(field) for word, field in zip(words, rows[1]))


def _check_columns(
    name: str, names: Sequence[str], rows: Sequence[Sequence[str]], number: int
) -> None:
    """Refuse columns of words, which --column has to leave out."""
    for place in range(number):
        fields = [row[place] for row in rows if len(row) == number]
        if fields and not any(_is_number(field) for field in fields):
            title = f" ({names[place]!r})" if names else ""
            hint = ""
            if fields[0].replace(",", ".", 1) != fields[0] and _is_number(
                fields[0].replace(",", ".", 1)
            ):
                hint = "; decimal commas aren't read: write points"
            raise Failure(
                f"{name}: column {place}{title} has {fields[0].strip()!r}, which is no number: "
                f"choose columns with --column{hint}"
            )
    if names and names[0] == "" and number > 1:
        raise Failure(
            f"{name}: column 0 has no name, as if it were an index: choose columns with "
            f"--column, 1:{number - 1} to leave it out, 0:{number - 1} for all"
        )


class _Lines:
    """The lines of a text, in blocks, with the number of the first, from 1."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline=None)
        self._name = name
        self._start: list[str] = []
        self._skip: int | None = None

    def first(self, count: int) -> list[str]:
        """Up to `count` of the first lines that are rows; `blocks` has them, too."""
        found: list[str] = []
        while len(found) < count:
            line = self._read(self._text.readline, -1)
            if not line:
                break
            self._start.append(line)
            if _is_row(line):
                found.append(line)
        return found

    def drop_first(self) -> None:
        """Leave the first line that is a row, the header, out of `blocks`."""
        self._skip = next(i for i, line in enumerate(self._start) if _is_row(line))

    def blocks(self) -> Iterator[tuple[int, list[str]]]:
        number = 1
        if self._skip is not None:
            number += self._skip + 1
            del self._start[: self._skip + 1]
        lines = self._start + self._read(self._text.readlines, _BLOCK_CHARACTERS)
        self._start = []
        while lines:
            yield number, lines
            number += len(lines)
            lines = self._read(self._text.readlines, _BLOCK_CHARACTERS)

    def _read(self, read: Any, size: int) -> Any:
        try:
            return read(size)
        except UnicodeError as error:
            raise Failure(
                f"{self._name} is no text in UTF-8 ({error}): convert it, or give --format"
            ) from None


def _is_row(line: str) -> bool:
    return line[:1] != "#" and not line.isspace()


class _Parser:
    """Lines to numbers: a block at once, and line by line to tell which one is wrong."""

    def __init__(
        self,
        lines: _Lines,
        name: str,
        delimiter: str | None,
        number: int,
        places: Sequence[int],
    ) -> None:
        self._lines = lines
        self._name = name
        self._delimiter = delimiter
        self._number = number
        self._places = list(places)

    def blocks(self) -> Iterator[np.ndarray]:
        has_rows = False
        for number, lines in self._lines.blocks():
            rows = [line for line in lines if _is_row(line)]
            if not rows:
                continue
            has_rows = True
            array = self._at_once(rows)
            yield self._one_by_one(number, lines) if array is None else array

        if not has_rows:
            raise Failure(
                f"{self._name} has no rows but a line of names; if it is a row, say --no-header"
            )

    def _at_once(self, rows: list[str]) -> np.ndarray | None:
        """None where a line needs a closer look."""
        delimiter = self._delimiter
        marks = self._number - 1
        if delimiter is not None and any(line.count(delimiter) != marks for line in rows):
            return None
        if delimiter is None and any(len(line.split()) != self._number for line in rows):
            return None
        if any('"' in line or "_" in line for line in rows):  # float() takes 1_000
            return None
        try:
            array = np.loadtxt(
                rows,
                dtype=np.float64,
                comments=None,
                delimiter=delimiter,
                usecols=self._places,
                ndmin=2,
            )
        except (ValueError, OverflowError):
            return None
        return array if array.shape == (len(rows), len(self._places)) else None

    def _one_by_one(self, number: int, lines: Sequence[str]) -> np.ndarray:
        values: list[list[float]] = []
        for count, line in zip(itertools.count(number), lines):
            if not _is_row(line):
                continue
            fields = _split(line, self._delimiter)
            if len(fields) != self._number:
                raise Failure(
                    f"{self._name}, line {count}: {len(fields)} columns, and {self._number} in "
                    "the first line"
                )
            for place in self._places:
                if not _is_number(fields[place]):
                    raise Failure(
                        f"{self._name}, line {count}, column {place}: "
                        f"{fields[place].strip()!r} is no number"
                    )
            values.append([float(fields[place]) for place in self._places])
        return np.array(values)
