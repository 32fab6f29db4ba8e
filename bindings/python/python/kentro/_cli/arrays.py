"""Arrays in files: .npy, .npz, and .fvecs, .bvecs, .ivecs; mapped where they can be."""

from __future__ import annotations

import os
import zipfile
from contextlib import ExitStack
from typing import Any, BinaryIO, Iterator, Sequence

import numpy as np

from .failures import Failure, UsageError
from .source import Source, is_number

_BLOCK_BYTES = 16 << 20
_SPARSE = {"indices", "indptr", "format", "shape", "data"}
VECTORS: dict[str, np.dtype] = {
    "fvecs": np.dtype("<f4"),
    "ivecs": np.dtype("<i4"),
    "bvecs": np.dtype("u1"),
}


def _header(stream: Any, name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and type, of a .npy."""
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise Failure(f"{name} has records or a later format of .npy: save plain numbers")
        shape, fortran, dtype = read(stream)
    except (ValueError, SyntaxError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise Failure(f"{name} is no .npy: {_one_line(error)}") from None
    if dtype.hasobject:
        raise Failure(
            f"{name} holds Python objects, which only pickle reads, and a pickle can run any "
            "program. Save numbers: numpy.save(path, numpy.stack(array).astype('float32'))"
        )
    if not is_number(dtype):
        raise Failure(f"{name} must be float16 to float64, integers or bool, got {dtype}")
    if any(length < 0 for length in shape):
        raise Failure(f"{name} is no .npy: its shape is {shape}")
    return shape, fortran, dtype


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _bytes(shape: Sequence[int], dtype: np.dtype) -> int:
    size = dtype.itemsize
    for length in shape:
        size *= length
    return size


def map_npy(path: str, name: str) -> Source:
    """A .npy, mapped to memory."""
    with open(path, "rb") as file:
        shape, fortran, dtype = _header(file, name)
        return _mapped(path, name, "npy", file.tell(), shape, fortran, dtype)


def _mapped(
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


def npy_blocks(stream: BinaryIO, name: str, form: str) -> Source:
    """A .npy that comes through a pipe."""
    shape, fortran, dtype = _header(stream, name)
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
    rows = shape[0] if shape else 0
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
        except (zipfile.BadZipFile, EOFError):  # a member with a wrong checksum
            break
        if not part:
            break
        data += part
    return data


def read_npz(path: str, name: str, wanted: Sequence[str] | None, stack: ExitStack) -> Source:
    """One array of a .npz: mapped if it is stored as it is, else unpacked by blocks."""
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
    except (zipfile.BadZipFile, ValueError) as error:
        raise Failure(f"{name} is no .npz: {_one_line(error)}") from None
    members = {
        entry.filename[: -len(".npy")]: entry
        for entry in archive.infolist()
        if entry.filename.endswith(".npy")
    }
    if set(members) >= _SPARSE and not wanted:
        raise Failure(
            f"{name} holds sparse rows, which this version does not support yet; save them "
            "dense: numpy.save(path, scipy.sparse.load_npz(path).toarray())"
        )
    key = _member(list(members), wanted, name)
    entry = members[key]
    label = f"{name}, array {key!r},"
    if entry.flag_bits & 1:
        raise Failure(f"{label} is encrypted: save it without a password")
    try:
        stream = stack.enter_context(archive.open(entry))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Failure(f"{label} can't be unpacked: {_one_line(error)}") from None
    if entry.compress_type != zipfile.ZIP_STORED:
        return npy_blocks(stream, label, "npz")  # type: ignore[arg-type]
    shape, fortran, dtype = _header(stream, label)
    with open(path, "rb") as file:
        # The local header's name and extra field may be of other lengths than the directory's.
        file.seek(entry.header_offset + 26)
        lengths = np.frombuffer(file.read(4), "<u2").sum(dtype=int)
        file.seek(entry.header_offset + 30 + int(lengths))
        _header(file, label)
        return _mapped(path, label, "npz", file.tell(), shape, fortran, dtype)


def _member(names: list[str], wanted: Sequence[str] | None, name: str) -> str:
    known = ", ".join(map(repr, names[:20])) or "nothing"
    if not wanted:
        if len(names) == 1:
            return names[0]
        raise UsageError(f"{name} holds {known}: choose an array with --column")
    if len(wanted) > 1 or wanted[0] not in names:
        raise UsageError(f"--column {','.join(wanted)}: {name} holds {known}")
    return wanted[0]


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
