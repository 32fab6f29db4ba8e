"""Arrays in archives, .npz: dense ones, and sparse rows as SciPy saves them."""

from __future__ import annotations

import zipfile
from contextlib import ExitStack
from typing import Any, Sequence

import numpy as np

from .arrays import DAMAGE, mapped, npy_blocks, npy_header, one_line
from .failures import Failure, UsageError
from .source import Source
from .sparse import MEMBERS, read_sparse


def read_npz(path: str, name: str, wanted: Sequence[str] | None, stack: ExitStack) -> Source:
    """One array of a .npz: mapped if it is stored as it is, else unpacked by blocks."""
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
    except (ValueError, *DAMAGE) as error:
        raise Failure(f"{name} is no .npz: {one_line(error)}") from None
    members = {
        entry.filename[: -len(".npy")]: entry
        for entry in archive.infolist()
        if entry.filename.endswith(".npy")
    }

    def member(key: str, words: bool = False) -> Source:
        label = f"{name}, array {key!r},"
        return _read(archive, members[key], path, label, stack, words)

    if set(members) >= MEMBERS and not wanted:
        found: dict[str, np.ndarray] = {
            key: _whole(member(key, words=key == "format"))
            for key in ("format", "shape", "data", "indices", "indptr")
            if key in members
        }
        rows = read_sparse(found, name, path)
        return Source(name, "npz, sparse", array=rows)
    return member(_choose(list(members), wanted, name))


def _choose(names: list[str], wanted: Sequence[str] | None, name: str) -> str:
    known = ", ".join(map(repr, names[:20])) or "nothing"
    if not wanted:
        if len(names) == 1:
            return names[0]
        raise UsageError(f"{name} holds {known}: choose an array with --column")
    if len(wanted) > 1 or wanted[0] not in names:
        raise UsageError(f"--column {','.join(wanted)}: {name} holds {known}")
    return wanted[0]


def _whole(source: Source) -> np.ndarray:
    if source.array is not None:
        return np.asarray(source.array)
    shape = [length or 0 for length in source.shape]
    return np.concatenate([np.empty([0, *shape[1:]], source.dtype), *source.blocks()])


def _read(
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    path: str,
    label: str,
    stack: ExitStack,
    words: bool,
) -> Source:
    if entry.flag_bits & 1:
        raise Failure(f"{label} is encrypted: save it without a password")
    try:
        stream: Any = stack.enter_context(archive.open(entry))
    except (RuntimeError, *DAMAGE) as error:
        raise Failure(f"{label} can't be unpacked: {one_line(error)}") from None
    if entry.compress_type == zipfile.ZIP_STORED:
        with open(path, "rb") as file:
            # Where the directory of the archive says; the name and the extra field that
            # come before the array may be of other lengths there.
            file.seek(entry.header_offset + 26)
            lengths = np.frombuffer(file.read(4).ljust(4), "<u2").sum(dtype=int)
            file.seek(entry.header_offset + 30 + int(lengths))
            shape, fortran, dtype = npy_header(file, label, words)
            if file.tell() % dtype.alignment == 0:  # which is a matter of luck
                return mapped(path, label, "npz", file.tell(), shape, fortran, dtype)
    return npy_blocks(stream, label, "npz", words)
