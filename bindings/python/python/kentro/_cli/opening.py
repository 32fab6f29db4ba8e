"""A file of rows: found out what it is, and opened."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import Any, BinaryIO

from .failures import Failure, UsageError
from .source import Source

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
