"""Columns of .parquet and .arrow (.feather) files, by pyarrow where it is installed."""

from __future__ import annotations

from contextlib import ExitStack
from importlib import import_module
from typing import Any, Iterator, Sequence

import numpy as np

from .failures import Failure, UsageError
from .source import Source
from .values import columns

_BLOCK_VALUES = 4 << 20


def arrow(form: str) -> Any:
    """The module pyarrow, or an error that says how to get it."""
    try:
        return import_module("pyarrow")
    except ImportError:
        raise Failure(
            f"{form} needs pyarrow: python -m pip install pyarrow, or use .npy"
        ) from None


def read_table(
    path: str, name: str, form: str, wanted: Sequence[str] | None, stack: ExitStack
) -> Source:
    """A column of vectors, or several of numbers, read batch by batch."""
    pyarrow = arrow(form)
    try:
        file = _Parquet(path) if form == "parquet" else _Arrow(path, stack)
        names = file.schema.names
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        raise Failure(f"{name} is no {form} file: {' '.join(str(error).split())}") from None
    places = _choose(file.schema, wanted, name)
    chosen = [names[place] for place in places]
    for title in chosen:
        if names.count(title) > 1:
            raise Failure(f"{name} has several columns {title!r}: rename them")
    batches = _caught(file.batches(places), name, pyarrow)
    first = next(batches, None)
    if first is None:
        raise Failure(f"{name} has no rows")
    start = _numbers(first, chosen, name, 0)

    def blocks() -> Iterator[np.ndarray]:
        yield start
        row = len(start)
        for batch in batches:
            block = _numbers(batch, chosen, name, row)
            if block.shape[1] != start.shape[1]:
                raise Failure(
                    f"{name} has {block.shape[1]} values in row {row}, and {start.shape[1]} in "
                    "row 0: all rows must be of one length"
                )
            yield block
            row += len(block)

    shape = (file.rows, start.shape[1])
    return Source(name, form, blocks=blocks(), shape=shape, dtype=start.dtype)


class _Parquet:
    def __init__(self, path: str) -> None:
        self._file: Any = import_module("pyarrow.parquet").ParquetFile(path)
        self.schema = self._file.schema_arrow
        self.rows: int | None = self._file.metadata.num_rows

    def batches(self, places: Sequence[int]) -> Iterator[Any]:
        # By name a column of lists is chosen whole; the lengths of lists aren't known yet.
        names = [self.schema.names[place] for place in places]
        size = max(1, min(1 << 16, _BLOCK_VALUES // _width(self.schema, places)))
        for batch in self._file.iter_batches(batch_size=size, columns=names):
            if batch.num_rows:
                yield batch.select([batch.schema.get_field_index(name) for name in names])


class _Arrow:
    def __init__(self, path: str, stack: ExitStack) -> None:
        pyarrow: Any = import_module("pyarrow")
        ipc: Any = import_module("pyarrow.ipc")
        memory = stack.enter_context(pyarrow.memory_map(path))
        try:
            self._reader: Any = stack.enter_context(ipc.open_file(memory))
            self._is_file = True
        except pyarrow.ArrowInvalid:
            memory.seek(0)
            self._reader = stack.enter_context(ipc.open_stream(memory))
            self._is_file = False
        self.schema = self._reader.schema
        self.rows: int | None = None

    def batches(self, places: Sequence[int]) -> Iterator[Any]:
        reader = self._reader
        whole = (
            map(reader.get_batch, range(reader.num_record_batches)) if self._is_file else reader
        )
        size = max(1, _BLOCK_VALUES // _width(self.schema, places))
        for batch in whole:
            batch.validate(full=True)  # else damage ends the process
            for first in range(0, batch.num_rows, size):
                yield batch.slice(first, size).select(list(places))


def _width(schema: Any, places: Sequence[int]) -> int:
    sizes = [getattr(schema.field(place).type, "list_size", 256) for place in places]
    return max(1, *sizes) if len(sizes) == 1 else len(sizes)


def _caught(batches: Iterator[Any], name: str, pyarrow: Any) -> Iterator[Any]:
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except (pyarrow.ArrowException, OSError, UnicodeError) as error:
            text = " ".join(str(error).split())
            raise Failure(f"{name} can't be read: {text}") from None
        yield batch


def _choose(schema: Any, wanted: Sequence[str] | None, name: str) -> list[int]:
    kinds = [_kind(field.type) for field in schema]
    if wanted:
        places = columns(wanted, schema.names, len(kinds), name)
        for place in places:
            if kinds[place] == "other" or (kinds[place] == "vectors" and len(places) > 1):
                why = "one column of vectors" if kinds[place] == "vectors" else "no numbers"
                raise UsageError(
                    f"--column {schema.names[place]}: {schema.field(place).type} is {why}; "
                    "choose one column of vectors or columns of numbers"
                )
        return places
    vectors = [place for place, kind in enumerate(kinds) if kind == "vectors"]
    if len(vectors) == 1:
        return vectors
    if kinds and all(kind == "number" for kind in kinds):
        return list(range(len(kinds)))
    known = ", ".join(f"{field.name} ({field.type})" for field in list(schema)[:20])
    raise UsageError(f"{name} has the columns {known or 'none'}: choose with --column")


def _kind(of: Any) -> str:
    types: Any = import_module("pyarrow.types")
    of = getattr(of, "storage_type", of)  # an extension, such as that of tensors
    if _is_number(of):
        return "number"
    is_list = types.is_list(of) or types.is_large_list(of) or types.is_fixed_size_list(of)
    return "vectors" if is_list and _is_number(of.value_type) else "other"


def _is_number(of: Any) -> bool:
    types: Any = import_module("pyarrow.types")
    return bool(types.is_integer(of) or types.is_floating(of) or types.is_boolean(of))


def _numbers(batch: Any, names: Sequence[str], name: str, row: int) -> np.ndarray:
    """The chosen columns of a batch, whose first row is `row`, as an array."""
    arrays = [getattr(column, "storage", column) for column in batch.columns]
    for array, title in zip(arrays, names):
        if array.null_count:
            where = row + int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))
            raise Failure(f"{name}: column {title!r} is null in row {where}: leave it out")
    if _kind(arrays[0].type) == "number":
        return np.column_stack([array.to_numpy(zero_copy_only=False) for array in arrays])
    return _vectors(arrays[0], names[0], name, row)


def _vectors(array: Any, title: str, name: str, row: int) -> np.ndarray:
    values = array.flatten()
    length = getattr(array.type, "list_size", None)
    if length is None:
        lengths = np.asarray(array.value_lengths().to_numpy(zero_copy_only=False))
        length = int(lengths[0])
        wrong = np.flatnonzero(lengths != length)
        if wrong.size:
            raise Failure(
                f"{name}: column {title!r} has {lengths[wrong[0]]} values in row "
                f"{row + wrong[0]}, and {length} in row {row}: all rows must be of one length"
            )
    if length == 0:
        raise Failure(f"{name}: column {title!r} has no values in row {row}")
    if values.null_count:
        where = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False))) // length
        raise Failure(
            f"{name}: column {title!r} has a null within row {row + where}: leave the row out"
        )
    flat: np.ndarray = values.to_numpy(zero_copy_only=False)
    return flat.reshape(len(array), length)
