"""First centroids of rows in blocks."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from ._arguments import flag, integer, threads
from ._blocks import message
from ._errors import call
from ._library import ffi, lib
from ._run import run


class Seeding:
    """First centroids of rows in blocks: those of `with_init("k-means||")` of all rows.

    With the same seed they are the same bit for bit, however rows are cut. Blocks are
    asked some 13 times; each answer holds sums and about as many rows as clusters. Blocks
    keep nothing that matters from one question to the next.

    >>> import numpy as np, kentro
    >>> data = np.array([[0], [1], [8], [9], [10]], dtype=np.float32)
    >>> blocks = [kentro.Block(part, euclidean=True) for part in (data[:2], data[2:])]
    >>> seeding = kentro.Seeding(2, euclidean=True, seed=42)
    >>> while seeding.centroids is None:
    ...     candidates = seeding.candidates  # to all blocks; a question to each
    ...     questions = [seeding.question(number) for number in range(2)]
    ...     asked = zip(blocks, questions)
    ...     seeding.take([block.seed(candidates, question) for block, question in asked])
    >>> seeding.centroids.shape
    (2, 1)
    """

    __slots__ = ("__weakref__", "_handle")

    def __init__(self, n_clusters: int, euclidean: bool = False, seed: int = 42) -> None:
        seeding = ffi.new("kentro_seeding **")
        clusters = integer(n_clusters, "n_clusters")
        metric, number = bool(flag(euclidean, "euclidean")), integer(seed, "seed", 0, 2**64 - 1)
        call(lib.kentro_seeding_new, clusters, metric, number, seeding)
        self._handle = ffi.gc(seeding[0], lib.kentro_seeding_free)

    @property
    def candidates(self) -> np.ndarray:
        """The rows that were drawn so far, float32: at first there are none."""
        rows = self._lent(lib.kentro_seeding_candidates)
        return np.empty((0, 0), dtype=np.float32) if rows is None else rows

    def question(self, block: int) -> bytes:
        """Return what to ask the block of this number, in the order of rows."""
        question = ffi.new("kentro_message **")
        call(lib.kentro_seeding_question, self._handle, integer(block, "block", 0), question)
        return message(question)

    def take(self, answers: Sequence[Any], num_threads: int | None = None) -> None:
        """Take the answers of all blocks (`Block.seed`), in the order of their rows."""
        self._take(None, answers, num_threads)

    def _take(self, cancel: Any, answers: Sequence[Any], num_threads: int | None) -> None:
        buffers = [ffi.from_buffer("uint8_t[]", answer) for answer in answers]
        pointers = ffi.new("const uint8_t *[]", buffers)
        sizes = ffi.new("size_t[]", [len(buffer) for buffer in buffers])
        arguments = (self._handle, pointers, sizes, len(buffers), threads(num_threads))
        run(None, cancel, lib.kentro_seeding_take, arguments)

    @property
    def centroids(self) -> np.ndarray | None:
        """n_clusters x n_dimensions, float32; None while there are more questions."""
        return self._lent(lib.kentro_seeding_centroids)

    def _lent(self, function: Any) -> np.ndarray | None:
        values = ffi.new("const float **")
        shape = ffi.new("size_t *"), ffi.new("size_t *")
        call(function, self._handle, values, *shape)
        rows, cols = shape[0][0], shape[1][0]
        if values[0] == ffi.NULL or rows * cols == 0:
            return None
        buffer = ffi.buffer(values[0], 4 * rows * cols)
        return np.frombuffer(buffer, dtype=np.float32).reshape(rows, cols).copy()
