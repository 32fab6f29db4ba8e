"""Blocks of files that executors read."""

from __future__ import annotations

import glob
import os
import pickle
import uuid
from typing import Any, Sequence

import numpy as np

from .._blocks import Partial
from .._rounds import Spread, Watch
from .._seeding import Seeding
from . import _tasks
from ._tasks import ANSWER, PLACES, Place


class Blocks:
    """Blocks at the places that a data frame tells."""

    def __init__(
        self, places: Any, training: str, euclidean: bool, is_wide: bool, watch: Watch
    ) -> None:
        self._places, self._training = places, training
        self._euclidean, self._watch = euclidean, watch
        self._is_wide = is_wide and euclidean
        self._ranges: Any = None
        self._parts: list[int] = []

    def spread(self) -> list[Spread | None]:
        if not self._is_wide:
            return []
        return [pickle.loads(answer) for _, answer in self._ask("spread", None)]

    def set_ranges(self, ranges: Any) -> None:
        self._ranges = ranges

    def seed(self, seeding: Seeding) -> list[bytes]:
        questions: Any = seeding.question(0)  # the first is the same for all
        if self._parts:
            questions = {part: seeding.question(i) for i, part in enumerate(self._parts)}
        answers = self._ask("seed", (seeding.candidates, questions))
        self._parts = [part for part, _ in answers]
        return [answer for _, answer in answers]

    def partial(self, centroids: Any) -> Partial:
        answers = self._ask("partial", centroids)
        first, *others = (Partial.from_bytes(answer) for _, answer in answers)
        for other in others:
            first.merge(other)
        return first

    def _ask(self, step: str, message: Any) -> list[tuple[int, bytes]]:
        """The answers of all blocks with their numbers, in order."""
        self._watch.check()
        blocks = self._training, self._euclidean, self._ranges
        task = _tasks.ask(*blocks, step, message, 1)
        rows = self._places.mapInArrow(task, ANSWER).collect()
        if not rows:
            raise ValueError("there are no rows; pass some")
        return sorted((row["part"], bytes(row["answer"])) for row in rows)

    def close(self) -> None:
        pass


class Spilled(Blocks):
    """The rows of a data frame, once written to files of the executors that have them.

    A frame of their places is kept in memory, where it draws tasks to those executors.
    What is lost with an executor Spark makes anew.
    """

    def __init__(
        self, frame: Any, weighted: bool, euclidean: bool, is_wide: bool, watch: Watch
    ) -> None:
        training = uuid.uuid4().hex
        spill = _tasks.spill(training, weighted, euclidean)
        super().__init__(
            frame.mapInArrow(spill, PLACES).persist(), training, euclidean, is_wide, watch
        )

    def close(self) -> None:
        self._places.mapInArrow(_tasks.clean(self._training), ANSWER).collect()
        self._places.unpersist()


def of_files(
    spark: Any,
    paths: Any,
    column: str,
    weights: str,
    euclidean: bool,
    is_wide: bool,
    watch: Watch,
) -> Blocks:
    """Blocks of ranges of files."""
    slots = spark.sparkContext.defaultParallelism
    places = ranges(paths, column, weights, slots)
    rows = [tuple(place) for place in places]
    frame = spark.createDataFrame(rows, PLACES).repartitionByRange(len(rows), "part")
    frame = frame.persist()
    return Blocks(frame, uuid.uuid4().hex, euclidean, is_wide, watch)


def ranges(paths: Any, column: str, weights: str, slots: int) -> list[Place]:
    """Pieces of files, in order: at least as many as can be worked on at a time."""
    files = _files(paths)
    each = -(-slots // len(files))
    places: list[Place] = []
    for path in files:
        if path.endswith(".parquet"):
            import pyarrow.parquet as pq

            with pq.ParquetFile(path) as file:
                count = file.metadata.num_row_groups
            own = weights
        else:
            if weights:
                raise ValueError("weightCol is for .parquet files; a .npy has no columns")
            count, own = np.load(path, mmap_mode="r").shape[0], ""
        cuts = np.linspace(0, count, min(each, count) + 1).astype(int).tolist()
        for first, last in zip(cuts, cuts[1:]):
            places.append(Place(len(places), path, own, column, first, last))
    return places


def _files(paths: Any) -> Sequence[str]:
    """Names of files; those of a folder by name."""
    if isinstance(paths, (str, os.PathLike)):
        name = os.path.abspath(os.fspath(paths))
        found = [name]
        if os.path.isdir(name):
            found = sorted(glob.glob(os.path.join(glob.escape(name), "*")))
        paths = [path for path in found if path.endswith((".npy", ".parquet"))]
        if not paths:
            raise ValueError(f"{name} is no .npy or .parquet, and has none")
    files = [os.path.abspath(os.fspath(path)) for path in paths]
    for path in files:
        if not path.endswith((".npy", ".parquet")):
            raise ValueError(f"{path} must be a .npy or .parquet file")
    return files
