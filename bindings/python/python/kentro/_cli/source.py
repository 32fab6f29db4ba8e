"""A file of rows: found out what it is, opened, and read as an array or in blocks."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import Any, BinaryIO, Iterable, Iterator

import numpy as np

from .failures import Failure, UsageError

FORMATS = {
    ".npy": "npy",
    ".npz": "npz",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".fvecs": "fvecs",
    ".bvecs": "bvecs",
    ".ivecs": "ivecs",
}
NAMES = ["npy", "npz", "csv", "parquet", "arrow", "feather", "fvecs", "bvecs", "ivecs"]
_MAGICS = {
    b"\x93NUMPY": "npy",
    b"PK\x03\x04": "npz",
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow",  # the stream form
}
_PACKED = {
    b"\x1f\x8b": "zcat",
    b"BZh": "bzcat",
    b"\xfd7zXZ": "xzcat",
    b"\x28\xb5\x2f\xfd": "zstdcat",
}
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
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


def form_of(path: str, given: str | None, head: bytes = b"") -> str:
    """The format of a file by wish, by its name, or by its first bytes."""
    if given is not None:
        return "arrow" if given == "feather" else given
    suffix = os.path.splitext(path)[1].lower()
    if suffix in FORMATS:
        return FORMATS[suffix]
    for magic, form in _MAGICS.items():
        if head.startswith(magic):
            return form
    for magic, tool in _PACKED.items():
        if head.startswith(magic):
            raise Failure(f"{path} is compressed: unpack it, or pipe it: {tool} FILE | kentro")
    if head[8:10] == b'{"':
        raise Failure(
            f"{path} is a file of safetensors, such as a model, not of rows: kentro info FILE "
            "tells what is in it, kentro convert FILE -o centroids.npy takes the centroids out"
        )
    if suffix in _PICKLES or head.startswith(b"\x80"):
        raise Failure(
            f"{path} is a pickle, which can run any program: it isn't read. "
            "Save the array with numpy.save"
        )
    if b"\0" in head:
        raise Failure(f"{path} is of no format that its name or its start tells: give --format")
    return "csv"


def open_source(path: str, options: Any, stack: ExitStack, beside: str) -> Source:
    """The rows of the file `path`, `-` for stdin.

    What must be a file for its format to be read, but comes from a pipe, is first
    written to a file in the folder `beside`.
    """
    stream, head = _open(path, stack)
    name = "standard input" if path == "-" else path
    form = form_of(name, options.form, head)
    _check_options(form, options)
    is_file = path != "-" and os.path.isfile(path)
    if form == "csv":
        from .text import read_csv

        return read_csv(stream, name, options)
    if form == "npy" and not is_file:
        from .arrays import npy_blocks

        return npy_blocks(stream, name, form)
    if not is_file:
        path = _copy(stream, stack, beside)
    if form in ("parquet", "arrow"):
        from .tables import read_table

        return read_table(path, name, form, options.column, stack)
    if form == "npz":
        from .archives import read_npz

        return read_npz(path, name, options.column, stack)
    from .arrays import map_npy, map_vectors

    if form == "npy":
        return map_npy(path, name)
    return map_vectors(path, name, form)


def open_stream(path: str) -> Any:
    """The bytes of a file, or of standard input."""
    if path == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("- reads standard input, which is no file and no pipe")
        return sys.stdin.buffer
    if os.path.isdir(path):
        raise Failure(f"{path} is a folder: give a file in it")
    return open(path, "rb")


def _open(path: str, stack: ExitStack) -> tuple[BinaryIO, bytes]:
    """A stream and its first bytes, which it still has."""
    stream = open_stream(path)
    if path != "-":
        stack.callback(stream.close)
    head = stream.peek(64)[:64] if hasattr(stream, "peek") else b""
    if not head:
        raise Failure(f"{'standard input' if path == '-' else path} is empty")
    return stream, head


def _check_options(form: str, options: Any) -> None:
    if form != "csv" and (options.delimiter is not None or options.header is not None):
        raise UsageError("--delimiter, --header and --no-header are for .csv alone")
    if options.column and form not in ("csv", "npz", "parquet", "arrow"):
        raise UsageError(f"--column is for .csv, .npz, .parquet and .arrow, not for {form}")


def _copy(stream: BinaryIO, stack: ExitStack, beside: str) -> str:
    """The path of a temporary file with all that `stream` has."""
    from .output import temporary_file

    file, path = temporary_file(stack, beside)
    while True:
        part = stream.read(1 << 20)
        if not part:
            break
        file.write(part)
    file.flush()
    return path
