"""Rows of numbers, as an array or in blocks."""

from __future__ import annotations

from typing import Any, Iterable, Iterator

import numpy as np

from .failures import Failure

_BLOCK_BYTES = 64 << 20  # of values at once, where a caller has no wish


class Source:
    """Rows of numbers: `array` if they are one, or `blocks` that can be read once.

    An array of `SparseRows` is one, too.
    """

    def __init__(
        self,
        name: str,
        form: str,
        *,
        array: Any = None,
        blocks: Iterable[np.ndarray] = (),
        shape: tuple[int | None, ...] = (),
        dtype: Any = None,
    ) -> None:
        self.name = name
        self.form = form
        self.array = array
        self.shape: tuple[int | None, ...] = shape if array is None else array.shape
        self.dtype = np.dtype(dtype if array is None else array.dtype)
        self._blocks = blocks

    @property
    def rows(self) -> int | None:
        """Number of rows; None where the end of the file tells it."""
        return self.shape[0] if self.shape else None

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.shape[1] or 0)

    @property
    def bytes(self) -> int:
        """Of all rows, as far as is known."""
        size = int(self.dtype.itemsize)
        for length in self.shape:
            size *= length or 0
        return size

    def blocks(self) -> Iterator[np.ndarray]:
        """The rows, some at a time; nothing larger than a block is held."""
        if self.array is None:
            yield from self._blocks
            return
        row = 8
        for length in self.array.shape[1:]:
            row *= max(1, length)
        step = max(1, _BLOCK_BYTES // row)
        for first in range(0, len(self.array), step):
            yield self.array[first : first + step]

    def check_points(self) -> Source:
        """Refuse whatever is not points x dimensions."""
        if len(self.shape) == 2 and self.columns:
            return self
        hint = ""
        if len(self.shape) == 1:
            hint = "; save points of one dimension with reshape(-1, 1)"
        raise Failure(
            f"{self.name} must have 2 dimensions (points x dimensions), got shape "
            f"{self.shape}{hint}"
        )


def is_number(dtype: Any) -> bool:
    """Whether the library takes numbers of this type."""
    return dtype.kind in "biuf" and dtype.itemsize <= 8
