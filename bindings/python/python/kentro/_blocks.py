"""Blocks of rows that need not be together, and statistics of them that merge."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._arguments import flag, threads
from ._arrays import Points, plain
from ._errors import KMeansError, call
from ._library import ffi, lib
from ._run import run


class Update(NamedTuple):
    """The next centroids, and what the rows said of the ones before."""

    centroids: np.ndarray
    """n_clusters x n_dimensions, float32: the means of the clusters, with cosine directions."""
    inertia: float
    """The sum of weighted distances to the centroids before."""
    changed: int | None
    """Rows that changed their cluster; None where a block knew of no labels before."""
    converged: bool
    """Whether the centroids are those before, bit for bit."""


class Partial:
    """What the rows of one block, or of several, come to for given centroids.

    Nothing in it is rounded, so the order of merging changes no bit. It can be
    pickled.
    """

    __slots__ = ("__weakref__", "_handle")

    _handle: Any

    def __init__(self) -> None:
        raise TypeError("ask a Block for a partial, or use Partial.from_bytes")

    @classmethod
    def _of(cls, handle: Any) -> Partial:
        new = cls.__new__(cls)
        new._handle = ffi.gc(handle, lib.kentro_partial_free)
        return new

    @classmethod
    def from_bytes(cls, data: Any) -> Partial:
        """Return the partial that `to_bytes` gave these bytes for.

        They may be anything: a `ValueError` says what no partial has.
        """
        buffer, partial = ffi.from_buffer("uint8_t[]", data), ffi.new("kentro_partial **")
        call(lib.kentro_partial_deserialize, buffer, len(buffer), partial)
        return cls._of(partial[0])

    def to_bytes(self) -> bytes:
        """Return the partial as bytes: see docs/format.md."""
        size = ffi.new("size_t *")
        call(lib.kentro_partial_serialized_size, self._handle, size)
        buffer = bytearray(size[0])
        out = ffi.from_buffer("uint8_t[]", buffer, require_writable=True)
        call(lib.kentro_partial_serialize, self._handle, out, size[0], size)
        return bytes(buffer)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self).from_bytes, (self.to_bytes(),))

    def merge(self, other: Partial) -> Partial:
        """Add what other rows come to for the same centroids, and return self."""
        if not isinstance(other, Partial):
            raise TypeError(f"other must be a Partial, got {type(other).__name__}")
        call(lib.kentro_partial_merge, self._handle, other._handle)
        return self

    def finalize(self, centroids: Any) -> Update:
        """Return the next centroids, given those that the blocks got.

        Clusters that had no rows get the farthest ones.
        """
        new, converged = self._next(lib.kentro_partial_finalize, centroids)
        return Update(new, self.inertia, self.changed, converged)

    def place_empty(self, centroids: Any) -> np.ndarray | None:
        """Return these centroids, with those of empty clusters on the farthest rows.

        None if no cluster is empty, or no row may be there. Training ends so: after the
        last iteration it does this again as long as the inertia falls.
        """
        new, placed = self._next(lib.kentro_partial_place_empty, centroids)
        return new if placed else None

    def _next(self, function: Any, centroids: Any) -> tuple[np.ndarray, bool]:
        """What the library makes of the centroids that the blocks got."""
        shape = self._shape()
        given = _centroids(centroids)
        if given.shape != shape:
            raise KMeansError(
                f"centroids must have shape {shape}, as the blocks got them, got {given.shape}"
            )
        new, answer = np.empty(shape, dtype=np.float32), ffi.new("int32_t *")
        pointers = (ffi.from_buffer("float[]", given), ffi.from_buffer("float[]", new))
        call(function, self._handle, *pointers, new.size, answer)
        return new, bool(answer[0])

    def _shape(self) -> tuple[int, int]:
        clusters, dims = ffi.new("size_t *"), ffi.new("size_t *")
        call(lib.kentro_partial_shape, self._handle, clusters, dims)
        return clusters[0], dims[0]

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return self._shape()[0]

    @property
    def n_dimensions(self) -> int:
        """Number of columns."""
        return self._shape()[1]

    @property
    def cluster_sizes(self) -> np.ndarray:
        """The number of rows of each cluster."""
        pointer, length = ffi.new("const uint64_t **"), ffi.new("size_t *")
        call(lib.kentro_partial_cluster_sizes, self._handle, pointer, length)
        return np.frombuffer(ffi.buffer(pointer[0], 8 * length[0]), dtype=np.uint64).copy()

    @property
    def inertia(self) -> float:
        """The sum of weighted distances to the centroids, squared Euclidean or 1 - cosine."""
        value = ffi.new("double *")
        call(lib.kentro_partial_inertia, self._handle, value)
        return float(value[0])

    @property
    def changed(self) -> int | None:
        """Rows that changed their cluster since the partial before.

        None where a block knew of no labels.
        """
        value = ffi.new("int64_t *")
        call(lib.kentro_partial_changed, self._handle, value)
        return None if value[0] < 0 else value[0]

    def __repr__(self) -> str:
        rows = int(self.cluster_sizes.sum())
        return f"Partial(n_clusters={self.n_clusters}, rows={rows}, inertia={self.inertia!r})"


class Block:
    """Rows that are one part of the data, and what searches among them have found out.

    All that is a cache: losing it costs time, never a result. `data` is as for
    `KMeans.train`, is not copied, and must not change; `euclidean`: the metric,
    default cosine. Pickled, a block takes its rows and its ranges along and forgets the
    rest.

    >>> import numpy as np, kentro
    >>> data = np.array([[0], [1], [8], [9], [10]], dtype=np.float32)
    >>> blocks = [kentro.Block(part, euclidean=True) for part in (data[:2], data[2:])]
    >>> centroids, converged = data[:2], False
    >>> while not converged:
    ...     first, second = [block.partial(centroids) for block in blocks]
    ...     update = first.merge(second).finalize(centroids)
    ...     centroids, converged = update.centroids, update.converged
    >>> centroids
    array([[0.5],
           [9. ]], dtype=float32)
    """

    __slots__ = (
        "__weakref__",
        "_data",
        "_euclidean",
        "_handle",
        "_points",
        "_ranges",
        "_weights",
    )

    def __init__(
        self, data: Any, euclidean: bool = False, *, sample_weight: Any = None
    ) -> None:
        self._data, self._weights = data, sample_weight
        self._ranges: np.ndarray | None = None
        self._euclidean = bool(flag(euclidean, "euclidean"))
        self._points = Points(data, weights=sample_weight)
        block = ffi.new("kentro_block **")
        call(lib.kentro_block_new, self._points.handle, self._euclidean, block)
        self._handle = ffi.gc(block[0], lib.kentro_block_free)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_block, (self._data, self._euclidean, self._weights, self._ranges))

    def __len__(self) -> int:
        return int(self._points.rows)

    def ranges(self, num_threads: int | None = None) -> np.ndarray:
        """Return the least number of each column, and the greatest (2 x n_dimensions).

        Of the rows that weigh something; infinity and -infinity where there are none.
        One pass; `np.minimum` of the first rows and `np.maximum` of the second merge the
        ranges of blocks. See `set_ranges`.
        """
        out = np.empty((2, self._points.cols))
        pointer = ffi.from_buffer("double[]", out)
        arguments = (self._handle, threads(num_threads))
        run(None, None, lib.kentro_block_ranges, arguments, (pointer, out.size))
        return out

    def set_ranges(self, ranges: Any) -> None:
        """Take the `ranges` of all blocks together, and the offset that these call for.

        With `euclidean`, numbers wider than float32 that lie far from 0 lose what training
        on all rows would subtract: see `offset`. All blocks must get the same ranges, before
        the first partial. Centroids are then those less the offset.
        """
        array = plain(np.asarray(ranges, dtype=np.float64))
        if array.shape != (2, self._points.cols):
            raise KMeansError(
                f"ranges must have shape (2, {self._points.cols}), the least number of each "
                f"column and the greatest, got {array.shape}"
            )
        pointer = ffi.from_buffer("double[]", array)
        call(lib.kentro_block_set_ranges, self._handle, pointer, array.shape[1])
        self._ranges = array

    @property
    def offset(self) -> np.ndarray | None:
        """What each column loses before it is rounded to float32; None if nothing.

        `centroids + offset`, in float64, is where centroids are.
        """
        offset = np.empty(self._points.cols)
        pointer = ffi.from_buffer("double[]", offset)
        call(lib.kentro_block_offset, self._handle, pointer, offset.size)
        return offset if offset.any() else None

    def partial(self, centroids: Any, num_threads: int | None = None) -> Partial:
        """Return what the rows come to for these centroids (n_clusters x n_dimensions).

        With cosine they are made unit vectors first. `num_threads` has no influence
        on the result.
        """
        given = _centroids(centroids)
        partial = ffi.new("kentro_partial **")
        pointer = ffi.from_buffer("float[]", given)
        arguments = (self._handle, pointer, *given.shape, threads(num_threads))
        run(None, None, lib.kentro_block_partial, arguments, (partial,))
        return Partial._of(partial[0])

    def seed(self, candidates: Any, question: Any, num_threads: int | None = None) -> bytes:
        """Return the answer to a question of a `Seeding`, given its candidates."""
        given = _centroids(candidates)
        pointer = ffi.from_buffer("float[]", given) if given.size else ffi.NULL
        asked, answer = ffi.from_buffer("uint8_t[]", question), ffi.new("kentro_message **")
        arguments = (self._handle, pointer, *given.shape, asked, len(asked))
        arguments = (*arguments, threads(num_threads))
        run(None, None, lib.kentro_block_seed, arguments, (answer,))
        return message(answer)

    @property
    def labels(self) -> np.ndarray:
        """The cluster of each row (uint32), as of the last partial."""
        labels = np.empty(self._points.rows, dtype=np.uint32)
        pointer = ffi.from_buffer("uint32_t[]", labels)
        call(lib.kentro_block_labels, self._handle, pointer, labels.size)
        return labels

    def forget(self) -> None:
        """Forget labels and sums."""
        call(lib.kentro_block_forget, self._handle)


def message(out: Any) -> bytes:
    """The bytes of a message, which is freed."""
    owned = ffi.gc(out[0], lib.kentro_message_free)
    values, size = ffi.new("const uint8_t **"), ffi.new("size_t *")
    call(lib.kentro_message_bytes, owned, values, size)
    return bytes(ffi.buffer(values[0], size[0]))


def _block(data: Any, euclidean: bool, weights: Any, ranges: Any) -> Block:
    block = Block(data, euclidean, sample_weight=weights)
    if ranges is not None:
        block.set_ranges(ranges)
    return block


def _centroids(centroids: Any) -> np.ndarray:
    array = plain(np.asarray(centroids, dtype=np.float32))
    if array.ndim != 2:
        raise KMeansError(
            "centroids must have 2 dimensions (n_clusters x n_dimensions), "
            f"got shape {array.shape}"
        )
    return array
