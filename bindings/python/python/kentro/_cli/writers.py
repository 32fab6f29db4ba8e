"""Rows to files, some at a time, in the format that the name says."""

from __future__ import annotations

import contextlib
import os
from contextlib import ExitStack
from importlib import import_module
from typing import Any

import numpy as np

from .arrays import VECTORS
from .failures import Failure, UsageError
from .opening import FORMATS
from .output import Output
from .tables import arrow

WRITTEN = ["npy", "csv", "parquet", "arrow", "feather", "fvecs", "bvecs", "ivecs"]
_NPY_HEADER = 128
_TEXT_VALUES = 1 << 16  # at once: as text they take many times the room


def form_to_write(path: str, given: str | None) -> str:
    """The format for a path, or the error that there is none."""
    if given is not None:
        return "arrow" if given == "feather" else given
    if path == "-":
        return "csv"
    suffix = os.path.splitext(path)[1].lower()
    form = FORMATS.get(suffix)
    if form is None or form not in WRITTEN:
        known = ", ".join(f".{name}" for name in WRITTEN)
        raise UsageError(f"{path}: what to write is told by {known}, or by --to")
    if form in ("parquet", "arrow"):
        arrow(form)
    return form


class Writer:
    """Blocks of rows to one file: `write` as often as need be, then `commit`."""

    def __init__(
        self, path: str, form: str, stack: ExitStack, *, title: str, rows: int | None = None
    ) -> None:
        """`title`: of the column, where there are such; `rows`: how many will come."""
        self.output = Output(path, stack)
        self._form = form
        self._title = title
        self._expected = rows
        self._stack = stack
        self._delimiter = "\t" if path.lower().endswith(".tsv") else ","
        self._shape: tuple[int, ...] | None = None
        self._dtype = np.dtype(np.float32)
        self._table: Any = None
        self.rows = 0
        if form == "npy" and not self.output.can_seek and rows is None:
            raise UsageError(
                f"{path}: a .npy begins with the number of rows, which isn't known before "
                "they are read; write to a file, or --to csv"
            )

    def write(self, block: np.ndarray) -> None:
        """Append the rows, or single values, of `block`."""
        if self._shape is None:
            self._shape, self._dtype = block.shape[1:], _written_type(block.dtype, self._form)
            self._begin()
        self.rows += len(block)
        if self._form == "csv":
            step = max(1, _TEXT_VALUES // max(1, block[:1].size))
            for first in range(0, len(block), step):
                self.output.file.write(_text(block[first : first + step], self._delimiter))
        elif self._form == "npy":
            self.output.file.write(np.ascontiguousarray(block, self._dtype).data)
        elif self._form in VECTORS:
            self.output.file.write(_vectors(block, self._form))
        else:
            self._table.write(self._batch(block))

    def commit(self) -> None:
        """Finish the file and give it its name."""
        if self._shape is None:
            self._shape = ()
            self._begin()
        if self._table is not None:
            self._table.close()
            self._table = None
        if self._form == "npy" and self.output.can_seek:
            self.output.file.seek(0)
            self.output.file.write(self._npy_header(self.rows))
        self.output.commit()

    def _begin(self) -> None:
        if self._form == "npy":
            self.output.file.write(self._npy_header(self._expected or 0))
        elif self._form in ("parquet", "arrow"):
            self._table = self._begin_table()
            self._stack.callback(self._abandon)

    def _abandon(self) -> None:
        """End the table of a file that will not be kept, while the file is open."""
        if self._table is not None:
            with contextlib.suppress(Exception):
                self._table.close()

    def _npy_header(self, rows: int) -> bytes:
        shape = (rows, *(self._shape or ()))
        text = f"{{'descr': {self._dtype.str!r}, 'fortran_order': False, 'shape': {shape}, }}"
        start = b"\x93NUMPY\x01\x00" + (_NPY_HEADER - 10).to_bytes(2, "little")
        return start + text.ljust(_NPY_HEADER - 11).encode() + b"\n"

    def _begin_table(self) -> Any:
        pyarrow = arrow(self._form)
        of = pyarrow.from_numpy_dtype(self._dtype)
        if self._shape:
            of = pyarrow.list_(of, self._shape[0])
        schema = pyarrow.schema([pyarrow.field(self._title, of, nullable=False)])
        if self._form == "arrow":
            return pyarrow.ipc.new_file(self.output.file, schema)
        return import_module("pyarrow.parquet").ParquetWriter(self.output.file, schema)

    def _batch(self, block: np.ndarray) -> Any:
        pyarrow = arrow(self._form)
        values = pyarrow.array(np.ascontiguousarray(block, self._dtype).ravel())
        if self._shape:
            values = pyarrow.FixedSizeListArray.from_arrays(values, self._shape[0])
        schema = pyarrow.schema([pyarrow.field(self._title, values.type, nullable=False)])
        return pyarrow.record_batch([values], schema=schema)


def _written_type(dtype: np.dtype, form: str) -> np.dtype:
    is_table = form in ("parquet", "arrow")
    return np.dtype(dtype.newbyteorder("=")) if is_table else dtype


def _text(block: np.ndarray, delimiter: str) -> bytes:
    if block.dtype == bool:
        block = block.view(np.uint8)
    if block.ndim == 1:
        block = block[:, None]
    # Floats as NumPy writes them: the fewest digits that bring back their bits.
    texts = (block if block.dtype.kind in "iu" else block.astype(str)).tolist()
    lines = [delimiter.join(map(str, row)) for row in texts]
    lines.append("")
    return "\n".join(lines).encode()


def _vectors(block: np.ndarray, form: str) -> bytes:
    if block.ndim == 1:
        block = block[:, None]
    dtype = VECTORS[form]
    with np.errstate(all="ignore"):
        values = block.astype(dtype)
        if form == "fvecs":
            wrong = np.isinf(values) & np.isfinite(block)
        else:
            wrong = values.astype(block.dtype) != block
            wrong |= (block < 0) & (values > 0)
    if wrong.any():
        value = block[wrong].ravel()[0]
        raise Failure(f"a .{form} holds {_RANGES[form]}, got {value}: write .npy")
    rows, columns = values.shape
    out = np.empty((rows, 4 + columns * dtype.itemsize), np.uint8)
    out[:, :4] = np.frombuffer(columns.to_bytes(4, "little"), np.uint8)
    out[:, 4:] = values.view(np.uint8).reshape(rows, -1)
    return out.tobytes()


_RANGES = {
    "fvecs": "float32",
    "ivecs": "whole numbers of 32 bits",
    "bvecs": "whole numbers from 0 to 255",
}
