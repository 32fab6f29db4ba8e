# mypy: disable-error-code="import-not-found,import-untyped"
"""What executors do: functions over batches of Arrow's."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from typing import Any, Callable, Iterator, NamedTuple

import numpy as np
import pyarrow as pa

from .. import Block
from .._rounds import Spread, wide

ANSWER = "part int, answer binary"
PLACES = "part int, path string, weights string, column string, first long, last long"


class Place(NamedTuple):
    """Where the rows of a block are: a file that its executor can read."""

    part: int
    path: str
    """A .npy file, or .parquet."""
    weights: str
    """A .npy file, or a column of the .parquet; empty: none."""
    column: str
    """That of the vectors, in a .parquet."""
    first: int
    last: int
    """Rows of the .npy, or groups of rows of the .parquet."""


# Blocks of this process, of one training. A cache: it may lose what it knows.
_blocks: dict[Place, Block] = {}
_training = ""


def spill(
    training: str, weighted: bool, euclidean: bool
) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """A function that writes the rows of a partition to a file of its executor's."""

    def run(batches: Iterator[Any]) -> Iterator[Any]:
        from pyspark import TaskContext

        context = TaskContext.get()
        part = context.partitionId() if context else 0
        rows, weights = [], []
        for batch in batches:
            rows.append(vectors(batch.column(0)))
            if weighted:
                weights.append(batch.column(1).to_numpy(zero_copy_only=False))
        count = sum(len(block) for block in rows)
        if count == 0:
            return
        folder = _folder(training)
        os.makedirs(folder, exist_ok=True)
        path, own, weight = os.path.join(folder, f"{part}.npy"), "", None
        if weighted:
            own = os.path.join(folder, f"{part}.weights.npy")
            weight = np.concatenate(weights).astype(np.float64)
            _save(own, weight)
        _save(path, narrow(np.concatenate(rows), weight, euclidean))
        yield places([Place(part, path, own, "", 0, count)])

    return run


def places(all_places: list[Place]) -> Any:
    """Places as a batch."""
    columns = list(zip(*all_places))
    types = [pa.int32(), pa.string(), pa.string(), pa.string(), pa.int64(), pa.int64()]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types)]
    return pa.RecordBatch.from_arrays(arrays, names=list(Place._fields))


def ask(
    training: str, euclidean: bool, ranges: Any, step: str, message: Any, num_threads: int
) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """A function that asks the blocks at places for a "partial" of centroids.

    Or to "seed", given candidates and questions: one for all, or by number of the part; or
    for their "spread", before there are `ranges` of all.
    """

    def run(batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            for row in batch.to_pylist():
                place = Place(**row)
                block = _block(training, place, euclidean, ranges)
                if step == "spread":
                    answer = pickle.dumps(Spread.of(block, num_threads))
                elif step == "seed":
                    candidates, questions = message
                    whole = isinstance(questions, bytes)
                    question = questions if whole else questions[place.part]
                    answer = block.seed(candidates, question, num_threads)
                else:
                    answer = block.partial(message, num_threads).to_bytes()
                arrays = [pa.array([place.part], pa.int32()), pa.array([answer], pa.binary())]
                yield pa.RecordBatch.from_arrays(arrays, names=["part", "answer"])

    return run


def clean(training: str) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """A function that removes what `spill` has written."""

    def run(batches: Iterator[Any]) -> Iterator[Any]:
        for _ in batches:
            pass
        _blocks.clear()
        shutil.rmtree(_folder(training), ignore_errors=True)
        yield from ()

    return run


def vectors(column: Any) -> Any:
    """A column of lists of equal lengths as an array."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if column.null_count:
        raise ValueError(f"the column of features has {column.null_count} nulls; drop them")
    if len(column) == 0:
        return np.empty((0, 0), dtype=np.float32)
    values = column.flatten().to_numpy(zero_copy_only=False)
    if values.size % len(column):
        raise ValueError("the vectors of the column of features have different lengths")
    if not pa.types.is_fixed_size_list(column.type):
        lengths = np.diff(column.offsets.to_numpy())
        if (lengths != lengths[0]).any():
            raise ValueError("the vectors of the column of features have different lengths")
    return values.reshape(len(column), -1)


def narrow(rows: Any, weights: Any, euclidean: bool) -> Any:
    """Rows as float32, but those that may have to lose an offset before."""
    if wide(rows.dtype) and Spread.of(Block(rows, euclidean, sample_weight=weights), 1):
        return rows
    return rows.astype(np.float32, copy=False)


def _block(training: str, place: Place, euclidean: bool, ranges: Any) -> Block:
    global _training
    if training != _training:
        _blocks.clear()
        _training = training
    if place not in _blocks:
        rows, weights = read(place)
        if place.path.endswith(".parquet"):
            rows = narrow(rows, weights, euclidean)
        _blocks[place] = Block(rows, euclidean, sample_weight=weights)
    block = _blocks[place]
    if ranges is not None and block._ranges is None:
        block.set_ranges(ranges)
    return block


def read(place: Place) -> tuple[Any, Any]:
    """The rows at a place, and their weights."""
    if not place.path.endswith(".parquet"):
        rows = np.load(place.path, mmap_mode="r")[place.first : place.last]
        if not place.weights:
            return rows, None
        return rows, np.load(place.weights, mmap_mode="r")[place.first : place.last]
    import pyarrow.parquet as pq

    columns = [place.column] + ([place.weights] if place.weights else [])
    with pq.ParquetFile(place.path) as file:
        table = file.read_row_groups(range(place.first, place.last), columns=columns)
    own = table.column(place.weights).to_numpy() if place.weights else None
    return vectors(table.column(place.column)), own


def _folder(training: str) -> str:
    return os.path.join(tempfile.gettempdir(), f"kentro-{training}")


def _save(path: str, values: Any) -> None:
    """Write a file as a whole, for a task may run twice at once."""
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), delete=False) as file:
        np.save(file, values)
    os.replace(file.name, path)
