"""Arrays in files: .npy, and .fvecs, .bvecs, .ivecs; mapped where they can be."""

from __future__ import annotations

import os
import zipfile
import zlib
from typing import Any, BinaryIO, Iterator, Sequence

import numpy as np

from .failures import Failure
from .source import Source, is_number

_BLOCK_BYTES = 16 << 20
VECTORS: dict[str, np.dtype] = {
    "fvecs": np.dtype("<f4"),
    "ivecs": np.dtype("<i4"),
    "bvecs": np.dtype("u1"),
}


# What reading from an archive raises if the archive is damaged.
DAMAGE = (EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)


def npy_header(
    stream: Any, name: str, words: bool = False
) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and type, of a .npy; bytes only as `words`."""
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise Failure(f"{name} has records or a later format of .npy: save plain numbers")
        shape, fortran, dtype = read(stream)
    except Failure:
        raise
    except Exception as error:  # NumPy parses Python: any of its errors may come
        raise Failure(f"{name} is no .npy: {one_line(error)}") from None
    if dtype.hasobject:
        raise Failure(
            f"{name} holds Python objects, which only pickle reads, and a pickle can run any "
            "program. Save numbers: numpy.save(path, numpy.stack(array).astype('float32'))"
        )
    if not is_number(dtype) and not (words and dtype.kind in "SU"):
        raise Failure(f"{name} must be float16 to float64, integers or bool, got {dtype}")
    if any(length < 0 for length in shape):
        raise Failure(f"{name} is no .npy: its shape is {shape}")
    return shape, fortran, dtype


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _bytes(shape: Sequence[int], dtype: np.dtype) -> int:
    size = dtype.itemsize
    for length in shape:
        size *= length
    return size


def map_npy(path: str, name: str) -> Source:
    """A .npy, mapped to memory."""
    with open(path, "rb") as file:
        shape, fortran, dtype = npy_header(file, name)
        return mapped(path, name, "npy", file.tell(), shape, fortran, dtype)


def mapped(
    path: str,
    name: str,
    form: str,
    offset: int,
    shape: tuple[int, ...],
    fortran: bool,
    dtype: np.dtype,
) -> Source:
    there = os.path.getsize(path) - offset
    if _bytes(shape, dtype) > there:
        raise Failure(
            f"{name} is cut off: {shape} of {dtype} are {_bytes(shape, dtype)} bytes, "
            f"there are {there}"
        )
    order: Any = "F" if fortran else "C"
    if 0 in shape:
        return Source(name, form, array=np.empty(shape, dtype))
    array = np.memmap(path, dtype, "r", offset, shape, order)
    return Source(name, form, array=array)


def npy_blocks(stream: BinaryIO, name: str, form: str, words: bool = False) -> Source:
    """A .npy that comes through a pipe."""
    shape, fortran, dtype = npy_header(stream, name, words)
    if not shape:
        value = np.frombuffer(_read(stream, dtype.itemsize).ljust(dtype.itemsize), dtype)
        return Source(name, form, array=value.reshape(()))
    if fortran and len(shape) == 2:
        turned = _blocks(stream, name, (shape[1], shape[0]), dtype)
        parts = list(turned)
        whole = np.concatenate(parts).T if parts else np.empty(shape, dtype)
        return Source(name, form, array=whole)
    return Source(
        name, form, blocks=_blocks(stream, name, shape, dtype), shape=shape, dtype=dtype
    )


def _blocks(
    stream: BinaryIO, name: str, shape: tuple[int, ...], dtype: np.dtype
) -> Iterator[np.ndarray]:
    rows = shape[0]
    row = max(1, _bytes(shape[1:], dtype))
    step = max(1, _BLOCK_BYTES // row)
    for first in range(0, rows, step):
        number = min(step, rows - first)
        data = _read(stream, number * row)
        if len(data) < number * row:
            raise Failure(f"{name} is cut off in row {first + len(data) // row} of {rows}")
        yield np.frombuffer(data, dtype).reshape((number, *shape[1:]))


def _read(stream: BinaryIO, size: int) -> bytearray:
    """`size` bytes or all that there are; memory is taken as they come."""
    data = bytearray()
    while len(data) < size:
        try:
            part = stream.read(min(size - len(data), 1 << 20))
        except DAMAGE:  # a member with a wrong checksum
            break
        if not part:
            break
        data += part
    return data


def map_vectors(path: str, name: str, form: str) -> Source:
    """.fvecs, .bvecs, .ivecs: before each row its length, as int32."""
    dtype = VECTORS[form]
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(4)
    columns = int.from_bytes(start, "little", signed=True)
    row = 4 + columns * dtype.itemsize
    if len(start) < 4 or columns < 1 or size % row:
        raise Failure(
            f"{name} is no whole .{form}: it has {size} bytes, and its first row says that "
            f"it has {columns} values"
        )
    lengths = np.memmap(path, "u1", "r", 0, (size // row, row))
    step = max(1, _BLOCK_BYTES // row)
    for first in range(0, len(lengths), step):
        part = np.ascontiguousarray(lengths[first : first + step, :4]).view("<i4").ravel()
        wrong = np.flatnonzero(part != columns)
        if wrong.size:
            raise Failure(
                f"{name} has {part[wrong[0]]} values in row {first + wrong[0]}, and "
                f"{columns} in row 0: all rows must be of one length"
            )
    if form == "bvecs":
        return Source(name, form, array=lengths[:, 4:])
    rows = np.memmap(path, dtype, "r", 0, (size // row, 1 + columns))
    return Source(name, form, array=rows[:, 1:])
