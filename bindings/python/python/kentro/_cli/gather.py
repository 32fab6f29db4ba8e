"""All the rows of a source as one array, or a sample of them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from .failures import Failure
from .output import temporary_file
from .progress import Display
from .source import Source

_HELD_BYTES = 1 << 30
_ALL = np.uint64(2**64 - 1)


def whole(
    source: Source, held_bytes: int | None, beside: str, stack: ExitStack, display: Display
) -> Any:
    """The rows as an array: mapped, in memory, or in a temporary file mapped to memory.

    The last where they are more than `held_bytes` (default 1 GiB), in the folder
    `beside`, until the stack ends.
    """
    if source.array is not None:
        return source.array
    limit = _HELD_BYTES if held_bytes is None else held_bytes
    if source.rows is not None and source.bytes <= limit:
        return _filled(source, display)
    held: list[np.ndarray] = []
    size = rows = 0
    file = None
    path = ""
    dtype = source.dtype
    with display.phase("reading", source.rows, "rows") as phase:
        for block in source.blocks():
            dtype = block.dtype
            size += block.nbytes
            rows += len(block)
            held.append(block)
            phase.update(len(block))
            if size <= limit:
                continue
            if file is None:
                display.note(
                    f"more than {limit} bytes: rows go to a temporary file in {beside}"
                )
                file, path = temporary_file(stack, beside)
            for part in held:
                file.write(np.ascontiguousarray(part).data)
            held.clear()
    shape = (rows, *(length or 0 for length in source.shape[1:]))
    if not rows:
        return np.empty(shape, dtype)
    if file is None:
        return held[0] if len(held) == 1 else np.concatenate(held)
    file.flush()
    return np.memmap(path, dtype, "r", 0, shape)


def _filled(source: Source, display: Display) -> np.ndarray:
    """The rows of a source that tells how many they are."""
    array = np.empty([length or 0 for length in source.shape], source.dtype)
    rows = 0
    with display.phase("reading", source.rows, "rows") as phase:
        for block in source.blocks():
            if rows + len(block) > len(array):
                raise Failure(f"{source.name} has more rows than the {len(array)} it says")
            array[rows : rows + len(block)] = block
            rows += len(block)
            phase.update(len(block))
    return array[:rows]


class Sample(NamedTuple):
    """Rows by chance: their values and their numbers, of how many."""

    points: Any
    rows: np.ndarray
    of: int


class _Lowest:
    """The rows with the lowest numbers of a seeded stream: so many, whatever comes."""

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        with np.errstate(over="ignore"):
            self._start = _mixed(np.array([seed], np.uint64))
        self._limit = _ALL
        self.keys = np.empty(0, np.uint64)
        self.rows = np.empty(0, np.int64)

    def among(self, first: int, number: int) -> np.ndarray:
        """Which of `number` rows from the row `first` may be of the sample."""
        rows = np.arange(first, first + number, dtype=np.int64)
        with np.errstate(over="ignore"):
            keys = _mixed(self._start + rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
        chosen: np.ndarray = keys <= self._limit
        self.keys = np.concatenate([self.keys, keys[chosen]])
        self.rows = np.concatenate([self.rows, rows[chosen]])
        return chosen

    @property
    def is_full(self) -> bool:
        """Whether it is time to `keep`."""
        return len(self.rows) >= 2 * self._count + 65536

    def keep(self) -> np.ndarray:
        """Forget all but the lowest; which are left, in the order of the rows."""
        if len(self.rows) <= self._count:
            return np.arange(len(self.rows))
        left: np.ndarray = np.sort(np.argpartition(self.keys, self._count - 1)[: self._count])
        self.keys, self.rows = self.keys[left], self.rows[left]
        self._limit = self.keys.max()
        return left


def _mixed(values: np.ndarray) -> np.ndarray:
    """SplitMix64's output function (Steele, Lea and Flood, 2014): one-to-one."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = values ^ (values >> np.uint64(31))
    return mixed


def sample(source: Source, count: int, seed: int, display: Display) -> Sample:
    """`count` rows without replacement, ascending, and their numbers.

    A function of the seed and the number of rows alone: the same rows of every
    format, and those of a smaller sample are among those of a larger one.
    """
    lowest = _Lowest(count, seed)
    pieces: list[np.ndarray] = []
    first = 0
    with display.phase("sampling", source.rows, "rows") as phase:
        if source.array is not None:
            rows = len(source.array)
            for first in range(0, rows, 1 << 20):
                lowest.among(first, min(1 << 20, rows - first))
                if lowest.is_full:
                    lowest.keep()
                phase.update(min(1 << 20, rows - first))
            lowest.keep()
            return Sample(_taken(source.array, lowest.rows), lowest.rows, rows)
        for block in source.blocks():
            pieces.append(block[lowest.among(first, len(block))])
            first += len(block)
            phase.update(len(block))
            if lowest.is_full:
                pieces = [np.concatenate(pieces)[lowest.keep()]]
    if not pieces:
        raise Failure(f"{source.name} has no rows")
    return Sample(np.concatenate(pieces)[lowest.keep()], lowest.rows, first)


def _taken(array: Any, rows: np.ndarray) -> Any:
    return array if len(rows) == len(array) else array[rows]
