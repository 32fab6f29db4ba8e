"""What can be set on a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Sequence

import numpy as np

from ._arguments import choice, flag, integer, real
from ._arrays import matrix
from ._errors import call
from ._handle import Handle, Model, read_bool, read_size, read_value
from ._library import SIZE_MAX, ffi, lib
from ._run import CancelToken
from ._watching import Watcher, checked

if TYPE_CHECKING:
    from numpy.typing import NDArray

InitName = Literal["auto", "k-means++", "k-means||", "random", "tree"]
Quality = Literal["fast", "default", "best"]

_INITS: dict[InitName, int] = {
    "auto": lib.KENTRO_INIT_AUTO,
    "k-means++": lib.KENTRO_INIT_KMEANS_PLUS_PLUS,
    "k-means||": lib.KENTRO_INIT_KMEANS_PARALLEL,
    "random": lib.KENTRO_INIT_RANDOM,
    "tree": lib.KENTRO_INIT_TREE,
}
_QUALITIES: dict[Quality, int] = {
    "fast": lib.KENTRO_QUALITY_FAST,
    "default": lib.KENTRO_QUALITY_DEFAULT,
    "best": lib.KENTRO_QUALITY_BEST,
}


class Settings(Handle):
    """The settings of `KMeans`: `with_*` methods, and what was set."""

    __slots__ = ()

    def with_iterations(self: Model, iters: int) -> Model:
        """Iterations at most, at least 1; default 25.

        Training stops earlier when no assignment changes.
        """
        return self._with(lib.kentro_kmeans_set_iterations, integer(iters, "iters"))

    def with_euclidean(self: Model, euclidean: bool) -> Model:
        """Euclidean distance; default False: cosine similarity."""
        return self._with(lib.kentro_kmeans_set_euclidean, flag(euclidean, "euclidean"))

    def with_balanced(self: Model, balanced: bool) -> Model:
        """Bound cluster sizes, as one of the next two says; default False."""
        return self._with(lib.kentro_kmeans_set_balanced, flag(balanced, "balanced"))

    def with_max_balance_diff(self: Model, max_balance_diff: int) -> Model:
        """Set the largest difference of cluster sizes when balanced, at least 1; default 16.

        Takes the place of `with_size_bounds`.
        """
        diff = integer(max_balance_diff, "max_balance_diff")
        return self._with(lib.kentro_kmeans_set_max_balance_diff, diff)

    def with_size_bounds(self: Model, min_size: int, max_size: int) -> Model:
        """Balanced, with `min_size` to `max_size` points in every cluster.

        0 means 1, for no cluster is empty. Takes the place of
        `with_max_balance_diff`.
        """
        bounds = integer(min_size, "min_size", 0), integer(max_size, "max_size")
        return self._with(lib.kentro_kmeans_set_size_bounds, *bounds)

    def with_verbose(self: Model, verbose: bool) -> Model:
        """Print a line an iteration to `sys.stdout`; default False."""
        return self._with(lib.kentro_kmeans_set_verbose, flag(verbose, "verbose"))

    def with_use_medoids(self: Model, use_medoids: bool) -> Model:
        """Centres are data points (K-medoids); default False."""
        return self._with(lib.kentro_kmeans_set_use_medoids, flag(use_medoids, "use_medoids"))

    def with_seed(self: Model, seed: int) -> Model:
        """Seed of every random choice, from 0; default 0, so that two runs agree."""
        if seed is None:
            raise TypeError(
                "seed must be an int, got None; leave with_seed out for the default of 0, or "
                "give it secrets.randbits(64) for another result each time"
            )
        return self._with(lib.kentro_kmeans_set_seed, integer(seed, "seed", 0, 2**64 - 1))

    def with_tolerance(self: Model, tolerance: float) -> Model:
        """Stop when an iteration lowers the inertia by less than this fraction.

        At least 0; default 0: stop only when no assignment changes.
        """
        return self._with(lib.kentro_kmeans_set_tolerance, real(tolerance, "tolerance"))

    def with_init(
        self: Model, init: InitName | NDArray[Any] | Sequence[Sequence[float]]
    ) -> Model:
        """Where the first centroids come from.

        "auto" (default), "k-means++", "k-means||", "random", "tree" (clusters of coarse
        clusters, for very many of them), or the centroids themselves (n_clusters x
        n_dimensions).

        "auto" is k-means++ on a sample for up to 500 clusters, random rows for more, and
        "tree" from 8,192 clusters on where rows x clusters x dimensions are 2^38 or more,
        with 16 to 2,048 dimensions; random rows there from a source or if balanced.
        """
        if isinstance(init, str):
            return self._with(lib.kentro_kmeans_set_init, choice(init, "init", _INITS))
        array = matrix(init, "init")
        is_wide = array.dtype.itemsize > 2 and array.dtype.name != "float32"
        array = np.ascontiguousarray(array, dtype=np.float64 if is_wide else np.float32)
        code = lib.KENTRO_DTYPE_F64 if is_wide else lib.KENTRO_DTYPE_F32
        pointer = ffi.cast("void *", array.ctypes.data)
        return self._with(lib.kentro_kmeans_set_init_centroids, pointer, code, *array.shape)

    def with_n_init(self: Model, n_init: int) -> Model:
        """Run from this many starts and keep the best, at least 1; default 1."""
        return self._with(lib.kentro_kmeans_set_n_init, integer(n_init, "n_init"))

    def with_quality(self: Model, quality: Quality) -> Model:
        """How much time to spend for a lower inertia: "fast", "default" or "best"."""
        code = choice(quality, "quality", _QUALITIES)
        return self._with(lib.kentro_kmeans_set_quality, code)

    def with_memory_limit(self: Model, limit: int) -> Model:
        """Bytes that training may use beside the data.

        Default: the smaller of 2 GB and a quarter of the machine's memory.
        K-medoids takes a sample where all distances exceed the limit; by
        default, 2 GB on every machine.
        """
        number = integer(limit, "limit", highest=2**64 - 1)
        return self._with(lib.kentro_kmeans_set_memory_limit, number)

    def with_progress(self: Model, progress: Watcher) -> Model:
        """Call `progress(p)` while training; "bar" draws a bar of tqdm's; None: neither.

        That is after each iteration, and about every 0.1 s between. `p` has the
        fields of `kentro.Progress`. If `progress` returns "stop", training ends
        within one further iteration and keeps the model: labels are those of
        its centroids, and bounds on cluster sizes hold. If it returns False,
        `train` raises `kentro.Cancelled`; an exception comes out of `train` as
        it is. In both cases the model stays untrained.
        """
        watcher = checked(progress)
        new = self.__copy__()
        new._progress = watcher
        return new

    def with_cancel(self: Model, token: CancelToken | None) -> Model:
        """End calls once `token.request()` is called, on whatever thread; None removes it.

        They raise `kentro.Cancelled`, and the model stays as it was.
        """
        if token is not None and not isinstance(token, CancelToken):
            raise TypeError(f"token must be a CancelToken or None, got {token!r}")
        new = self.__copy__()
        new._cancel = token
        return new

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        if self._clusters is None:
            self._clusters = read_size(lib.kentro_kmeans_n_clusters, self._handle)
        return self._clusters

    @property
    def iterations(self) -> int:
        """Iterations at most."""
        return read_size(lib.kentro_kmeans_iterations, self._handle)

    @property
    def is_euclidean(self) -> bool:
        """Whether the distance is Euclidean rather than cosine."""
        return read_bool(lib.kentro_kmeans_is_euclidean, self._handle)

    @property
    def is_balanced(self) -> bool:
        """Whether the difference of cluster sizes is bounded."""
        return read_bool(lib.kentro_kmeans_is_balanced, self._handle)

    @property
    def max_balance_diff(self) -> int:
        """The largest difference of cluster sizes when balanced, without `size_bounds`."""
        return read_size(lib.kentro_kmeans_max_balance_diff, self._handle)

    @property
    def size_bounds(self) -> tuple[int, int] | None:
        """What `with_size_bounds` was given, if it was the last to be set."""
        least = read_size(lib.kentro_kmeans_min_size, self._handle)
        most = read_size(lib.kentro_kmeans_max_size, self._handle)
        return None if (least, most) == (0, SIZE_MAX) else (least, most)

    @property
    def is_use_medoids(self) -> bool:
        """Whether centres are data points."""
        return read_bool(lib.kentro_kmeans_is_use_medoids, self._handle)

    @property
    def is_verbose(self) -> bool:
        """Whether training prints a line an iteration."""
        return read_bool(lib.kentro_kmeans_is_verbose, self._handle)

    @property
    def seed(self) -> int:
        """Seed of every random choice."""
        return int(read_value(lib.kentro_kmeans_seed, "uint64_t", self._handle))

    @property
    def tolerance(self) -> float:
        """The fraction of the inertia that an iteration must gain."""
        return float(read_value(lib.kentro_kmeans_tolerance, "double", self._handle))

    @property
    def init(self) -> InitName | NDArray[np.float64]:
        """Where the first centroids come from; given ones as float64."""
        code = read_value(lib.kentro_kmeans_init, "int32_t", self._handle)
        if code != lib.KENTRO_INIT_CENTROIDS:
            return next(name for name, value in _INITS.items() if value == code)
        rows, cols = ffi.new("size_t *"), ffi.new("size_t *")
        call(lib.kentro_kmeans_init_centroids, self._handle, ffi.NULL, 0, rows, cols)
        values = np.empty((rows[0], cols[0]))
        out = ffi.from_buffer("double[]", values)
        call(lib.kentro_kmeans_init_centroids, self._handle, out, len(out), rows, cols)
        return values

    @property
    def n_init(self) -> int:
        """Starts, of which the best is kept."""
        return read_size(lib.kentro_kmeans_n_init, self._handle)

    @property
    def quality(self) -> Quality:
        """How much time to spend for a lower inertia."""
        code = read_value(lib.kentro_kmeans_quality, "int32_t", self._handle)
        return next(name for name, value in _QUALITIES.items() if value == code)

    @property
    def memory_limit(self) -> int | None:
        """Bytes that training may use beside the data; None: not set."""
        limit, is_set = ffi.new("uint64_t *"), ffi.new("int32_t *")
        call(lib.kentro_kmeans_memory_limit, self._handle, limit, is_set)
        return limit[0] if is_set[0] else None

    @property
    def progress(self) -> Watcher:
        """What `with_progress` was given."""
        return self._progress
