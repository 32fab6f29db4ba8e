"""The class `KMeans`."""

from __future__ import annotations

import warnings
from typing import Any, Callable, TypeVar

import numpy as np

from ._arguments import flag, integer, path_bytes, real, threads
from ._arrays import Points, from_native, label_buffer, lists, matrix
from ._errors import KMeansError, KMeansWarning, call, fail
from ._library import SIZE_MAX, ffi, lib
from ._run import CancelToken, Progress, run

_INITS = {
    "auto": lib.KENTRO_INIT_AUTO,
    "k-means++": lib.KENTRO_INIT_KMEANS_PLUS_PLUS,
    "k-means||": lib.KENTRO_INIT_KMEANS_PARALLEL,
    "random": lib.KENTRO_INIT_RANDOM,
}
_QUALITIES = {
    "fast": lib.KENTRO_QUALITY_FAST,
    "default": lib.KENTRO_QUALITY_DEFAULT,
    "best": lib.KENTRO_QUALITY_BEST,
}

Result = TypeVar("Result")


class KMeans:
    """A clustering model: K-means, balanced K-means or K-medoids.

    The `with_*` methods return a configured copy and leave the receiver as it
    is; `train` trains a model once. A copy of a trained model is trained, too.

    Data are points x dimensions: a NumPy array or anything that can be read
    as one. float32 arrays of any layout are used where they are; other number
    types are converted to float32 a block at a time.

    A model can be used from several threads at the same time, and computing
    releases the GIL. Ctrl-C stops a call and leaves the model as it was.

    >>> data = [[0.0, 0.1], [0.2, 0.0], [5.0, 5.1], [5.2, 5.0]]
    >>> kmeans = KMeans(2).with_euclidean(True)
    >>> kmeans.train(data)
    [[0, 1], [2, 3]]
    >>> kmeans.assign([[4.0, 4.0]])
    [[], [0]]
    """

    __slots__ = ("__weakref__", "_cancel", "_handle", "_progress")

    def __init__(self, n_clusters: int) -> None:
        """A model of `n_clusters` clusters, at least 1."""
        count = integer(n_clusters, "n_clusters")
        self._handle = _made(lib.kentro_kmeans_new, count)
        self._progress: Callable[[Progress], Any] | None = None
        self._cancel: CancelToken | None = None

    # Settings

    def with_iterations(self, iters: int) -> KMeans:
        """Iterations at most, at least 1; default 25.

        Training stops earlier when no assignment changes.
        """
        return self._with(lib.kentro_kmeans_set_iterations, integer(iters, "iters"))

    def with_euclidean(self, euclidean: bool) -> KMeans:
        """Euclidean distance; default False: cosine similarity."""
        return self._with(lib.kentro_kmeans_set_euclidean, flag(euclidean, "euclidean"))

    def with_balanced(self, balanced: bool) -> KMeans:
        """Bound cluster sizes, as one of the next two says; default False."""
        return self._with(lib.kentro_kmeans_set_balanced, flag(balanced, "balanced"))

    def with_max_balance_diff(self, max_balance_diff: int) -> KMeans:
        """Set the largest difference of cluster sizes when balanced, at least 1; default 16.

        Takes the place of `with_size_bounds`.
        """
        diff = integer(max_balance_diff, "max_balance_diff")
        return self._with(lib.kentro_kmeans_set_max_balance_diff, diff)

    def with_size_bounds(self, min_size: int, max_size: int) -> KMeans:
        """Balanced, with `min_size` to `max_size` points in every cluster.

        0 means 1, for no cluster is empty. Takes the place of
        `with_max_balance_diff`.
        """
        bounds = integer(min_size, "min_size", 0), integer(max_size, "max_size")
        return self._with(lib.kentro_kmeans_set_size_bounds, *bounds)

    def with_verbose(self, verbose: bool) -> KMeans:
        """Print a line an iteration to `sys.stdout`; default False."""
        return self._with(lib.kentro_kmeans_set_verbose, flag(verbose, "verbose"))

    def with_use_medoids(self, use_medoids: bool) -> KMeans:
        """Centres are data points (K-medoids); default False."""
        return self._with(lib.kentro_kmeans_set_use_medoids, flag(use_medoids, "use_medoids"))

    def with_seed(self, seed: int) -> KMeans:
        """Seed of every random choice, from 0; default 0, so that two runs agree."""
        return self._with(lib.kentro_kmeans_set_seed, integer(seed, "seed", 0, 2**64 - 1))

    def with_tolerance(self, tolerance: float) -> KMeans:
        """Stop when an iteration lowers the inertia by less than this fraction.

        At least 0; default 0: stop only when no assignment changes.
        """
        return self._with(lib.kentro_kmeans_set_tolerance, real(tolerance, "tolerance"))

    def with_init(self, init: str | np.ndarray) -> KMeans:
        """Where the first centroids come from.

        "auto" (default), "k-means++", "k-means||", "random", or the centroids
        themselves (n_clusters x n_dimensions).
        """
        if isinstance(init, str):
            return self._with(lib.kentro_kmeans_set_init, _choice(init, "init", _INITS))
        array = matrix(init, "init")
        is_wide = array.dtype.itemsize > 2 and array.dtype.name != "float32"
        array = np.ascontiguousarray(array, dtype=np.float64 if is_wide else np.float32)
        code = lib.KENTRO_DTYPE_F64 if is_wide else lib.KENTRO_DTYPE_F32
        pointer = ffi.cast("void *", array.ctypes.data)
        return self._with(lib.kentro_kmeans_set_init_centroids, pointer, code, *array.shape)

    def with_n_init(self, n_init: int) -> KMeans:
        """Run from this many starts and keep the best, at least 1; default 1."""
        return self._with(lib.kentro_kmeans_set_n_init, integer(n_init, "n_init"))

    def with_quality(self, quality: str) -> KMeans:
        """How much time to spend for a lower inertia: "fast", "default" or "best"."""
        choice = _choice(quality, "quality", _QUALITIES)
        return self._with(lib.kentro_kmeans_set_quality, choice)

    def with_memory_limit(self, limit: int) -> KMeans:
        """Bytes that training may use beside the data.

        Default: the smaller of 2 GB and a quarter of the machine's memory.
        K-medoids takes a sample where all distances exceed the limit; by
        default, 2 GB on every machine.
        """
        number = integer(limit, "limit", highest=2**64 - 1)
        return self._with(lib.kentro_kmeans_set_memory_limit, number)

    def with_progress(self, progress: Callable[[Progress], Any] | None) -> KMeans:
        """Call `progress(p)` while training; None removes it.

        That is after each iteration, and about every 0.1 s between. `p` has the
        fields of `kentro.Progress`. If `progress` returns "stop", training ends
        within one further iteration and keeps the model: labels are those of
        its centroids, and bounds on cluster sizes hold. If it returns False,
        `train` raises `kentro.Cancelled`; an exception comes out of `train` as
        it is. In both cases the model stays untrained.
        """
        if progress is not None and not callable(progress):
            raise TypeError(f"progress must be callable or None, got {progress!r}")
        new = self.__copy__()
        new._progress = progress
        return new

    def with_cancel(self, token: CancelToken | None) -> KMeans:
        """End calls once `token.request()` is called, on whatever thread; None removes it.

        They raise `kentro.Cancelled`, and the model stays as it was.
        """
        if token is not None and not isinstance(token, CancelToken):
            raise TypeError(f"token must be a CancelToken or None, got {token!r}")
        new = self.__copy__()
        new._cancel = token
        return new

    # Training and assignment

    def train(
        self,
        data: Any,
        num_threads: int | None = None,
        *,
        sample_weight: Any = None,
    ) -> list[list[int]]:
        """Cluster the rows of `data`: for each cluster the ascending indices of its points.

        `num_threads`: from 1; default: all cores. It has no influence on the
        result. `sample_weight`: a number of at least 0 for each point; weight 2
        is a point that is there twice, weight 0 one that is not there. Raises
        `ValueError` if the model is trained already, there are fewer points than
        clusters, or a value is not finite.
        """
        points, count = self._training_input(data, num_threads, sample_weight)

        def members(handle: Any) -> list[list[int]]:
            clusters = ffi.new("kentro_clusters **")
            call(lib.kentro_kmeans_clusters, handle, clusters)
            return lists(clusters)

        return self._train(points, count, members)

    def train_labels(
        self,
        data: Any,
        num_threads: int | None = None,
        *,
        sample_weight: Any = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Train like `train`, but return the cluster of each point (uint32).

        `out`: an array to write the labels to.
        """
        points, count = self._training_input(data, num_threads, sample_weight)
        labels = label_buffer(out, (points.rows,))

        def fill(handle: Any) -> np.ndarray:
            labels[:] = _labels(handle)
            return labels

        return self._train(points, count, fill)

    def assign(
        self,
        data: Any,
        k: int = 1,
        num_threads: int | None = None,
        *,
        balanced: bool = False,
    ) -> list[list[int]]:
        """Assign every point to its `k` nearest clusters: for each cluster its points.

        A `k` beyond `n_clusters` means all of them. Raises `ValueError` if the
        model is not trained, `k` is 0, or the dimensions differ. For `balanced`
        see `predict`; it takes no other `k` than 1.
        """
        self._require_trained()
        nearest = _nearest_count(k, balanced)
        if balanced:
            labels = self.predict(data, num_threads, balanced=True)
            order = np.argsort(labels, kind="stable")
            bounds = np.cumsum(np.bincount(labels, minlength=self.n_clusters))[:-1]
            return [members.tolist() for members in np.split(order, bounds)]
        count = threads(num_threads)
        points = Points(data)
        clusters = ffi.new("kentro_clusters **")
        arguments = (self._handle, points.handle, nearest, count)
        run(None, self._cancel, lib.kentro_kmeans_assign, arguments, (clusters,))
        return lists(clusters)

    def predict(
        self,
        data: Any,
        num_threads: int | None = None,
        *,
        k: int = 1,
        out: np.ndarray | None = None,
        balanced: bool = False,
        return_distances: bool = False,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """The nearest cluster of each point (uint32).

        `k`: above 1 an array of points x min(k, n_clusters), nearest first.
        `out`: an array to write the labels to. `balanced`: assign by the prices
        that a balanced model has learnt, so that points like the training data
        spread over the clusters as evenly; nothing bounds the sizes here. It
        takes no other `k` than 1. `return_distances`: also the distances to them
        (float64), squared Euclidean or 1 - cosine, of the same shape.
        """
        self._require_trained()
        nearest = _nearest_count(k, balanced)
        with_distances = flag(return_distances, "return_distances")
        count = threads(num_threads)
        points = Points(data)
        shape = (points.rows,)
        if nearest > 1:
            shape += (min(nearest, self.n_clusters),)
        labels = label_buffer(out, shape)
        pointer = ffi.from_buffer("uint32_t[]", labels)
        if balanced:
            function, numbers, width = lib.kentro_kmeans_predict_balanced, (count,), ()
        else:
            function, numbers, width = lib.kentro_kmeans_predict, (nearest, count), (ffi.NULL,)
        arguments = (self._handle, points.handle, *numbers)
        distances = np.empty(shape) if with_distances else None
        if distances is None:
            lengths = (ffi.NULL, 0)
        else:
            lengths = (ffi.from_buffer("double[]", distances), distances.size)
        outputs = (pointer, labels.size, *lengths, *width)
        run(None, self._cancel, function, arguments, outputs)
        return labels if distances is None else (labels, distances)

    def transform(self, data: Any, num_threads: int | None = None) -> np.ndarray:
        """The distance of each point to each centroid: points x n_clusters, float64.

        Squared Euclidean, or 1 - cosine.
        """
        self._require_trained()
        count = threads(num_threads)
        points = Points(data)
        distances = np.empty((points.rows, self.n_clusters))
        pointer = ffi.from_buffer("double[]", distances)
        arguments = (self._handle, points.handle, count)
        run(
            None,
            self._cancel,
            lib.kentro_kmeans_transform,
            arguments,
            (pointer, distances.size, ffi.NULL),
        )
        return distances

    def score(
        self, data: Any, sample_weight: Any = None, num_threads: int | None = None
    ) -> float:
        """Minus the sum over `data` that `inertia` is of the training points.

        Of the squared Euclidean distance to the nearest centroid, of 1 - cosine,
        or with medoids of the (non-squared) distance; each times the point's
        weight. The more, the better.
        """
        self._require_trained()
        count = threads(num_threads)
        points = Points(data, weights=sample_weight)
        value = ffi.new("double *")
        arguments = (self._handle, points.handle, count)
        run(None, self._cancel, lib.kentro_kmeans_score, arguments, (value,))
        return value[0]

    # Saving, loading, models of given centroids

    def save(self, path: Any, *, labels: bool = True) -> None:
        """Write the model to a file, in the place of any that is there.

        Settings and, of a trained model, all results; of `labels` only if True.
        The file is one of safetensors, which readers of many languages open. After
        an error, or if the process is killed, the old file or the new one is
        there, whole.
        """
        name, encoded = path_bytes(path)
        arguments = self._handle, encoded, flag(labels, "labels")
        _with_path(name, call, lib.kentro_kmeans_save, *arguments)

    def to_bytes(self, *, labels: bool = True) -> bytes:
        """Return the model as the bytes of a file: see `save`."""
        with_labels = flag(labels, "labels")
        size = ffi.new("size_t *")
        call(lib.kentro_kmeans_serialized_size, self._handle, with_labels, size)
        buffer = bytearray(size[0])
        out = ffi.from_buffer("uint8_t[]", buffer, require_writable=True)
        call(lib.kentro_kmeans_serialize, self._handle, with_labels, out, size[0], size)
        return bytes(buffer)

    @classmethod
    def from_bytes(cls, data: Any) -> KMeans:
        """Return the model that `to_bytes` gave these bytes for, or of a file's bytes."""
        buffer = ffi.from_buffer("uint8_t[]", data)
        return cls._new(lib.kentro_kmeans_deserialize, buffer, len(buffer))

    @classmethod
    def from_centroids(
        cls, centroids: Any, euclidean: bool = False, prices: Any = None
    ) -> KMeans:
        """Return a trained model of these centroids (n_clusters x n_dimensions).

        It predicts, assigns and can be saved. For cosine the centroids are made
        unit vectors. `prices`, one for each, are what `predict` adds to distances
        with `balanced=True`. Labels, sizes, medoids and inertia are None, `n_iter`
        is 0.
        """
        points = Points(centroids, "centroids")
        pointer = ffi.NULL
        if prices is not None:
            values = np.ascontiguousarray(prices, dtype=np.float64)
            if values.shape != (points.rows,):
                raise KMeansError(
                    f"prices must have shape ({points.rows},), one for each centroid, "
                    f"got {values.shape}"
                )
            pointer = ffi.from_buffer("double[]", values)
        metric = flag(euclidean, "euclidean")
        return cls._new(lib.kentro_kmeans_from_centroids, points.handle, metric, pointer)

    def untrained(self) -> KMeans:
        """Return a model that can be trained, with the same settings.

        Settings that were changed after training are among them.
        """
        new = self._new(lib.kentro_kmeans_clone_untrained, self._handle)
        new._progress = self._progress
        new._cancel = self._cancel
        return new

    # Settings and results; results are None until the model is trained

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return _size(lib.kentro_kmeans_n_clusters, self._handle)

    @property
    def iterations(self) -> int:
        """Iterations at most."""
        return _size(lib.kentro_kmeans_iterations, self._handle)

    @property
    def is_euclidean(self) -> bool:
        """Whether the distance is Euclidean rather than cosine."""
        return _bool(lib.kentro_kmeans_is_euclidean, self._handle)

    @property
    def is_balanced(self) -> bool:
        """Whether the difference of cluster sizes is bounded."""
        return _bool(lib.kentro_kmeans_is_balanced, self._handle)

    @property
    def max_balance_diff(self) -> int:
        """The largest difference of cluster sizes when balanced, without `size_bounds`."""
        return _size(lib.kentro_kmeans_max_balance_diff, self._handle)

    @property
    def size_bounds(self) -> tuple[int, int] | None:
        """What `with_size_bounds` was given, if it was the last to be set."""
        least = _size(lib.kentro_kmeans_min_size, self._handle)
        most = _size(lib.kentro_kmeans_max_size, self._handle)
        return None if (least, most) == (0, SIZE_MAX) else (least, most)

    @property
    def is_use_medoids(self) -> bool:
        """Whether centres are data points."""
        return _bool(lib.kentro_kmeans_is_use_medoids, self._handle)

    @property
    def is_verbose(self) -> bool:
        """Whether training prints a line an iteration."""
        return _bool(lib.kentro_kmeans_is_verbose, self._handle)

    @property
    def seed(self) -> int:
        """Seed of every random choice."""
        return _value(lib.kentro_kmeans_seed, "uint64_t", self._handle)

    @property
    def tolerance(self) -> float:
        """The fraction of the inertia that an iteration must gain."""
        return _value(lib.kentro_kmeans_tolerance, "double", self._handle)

    @property
    def init(self) -> str | np.ndarray:
        """Where the first centroids come from; given ones as float64."""
        code = _value(lib.kentro_kmeans_init, "int32_t", self._handle)
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
        return _size(lib.kentro_kmeans_n_init, self._handle)

    @property
    def quality(self) -> str:
        """How much time to spend for a lower inertia."""
        code = _value(lib.kentro_kmeans_quality, "int32_t", self._handle)
        return next(name for name, value in _QUALITIES.items() if value == code)

    @property
    def memory_limit(self) -> int | None:
        """Bytes that training may use beside the data; None: not set."""
        limit, is_set = ffi.new("uint64_t *"), ffi.new("int32_t *")
        call(lib.kentro_kmeans_memory_limit, self._handle, limit, is_set)
        return limit[0] if is_set[0] else None

    @property
    def progress(self) -> Callable[[Progress], Any] | None:
        """The callable that training calls after each iteration."""
        return self._progress

    @property
    def is_trained(self) -> bool:
        """Whether the model is trained."""
        return _bool(lib.kentro_kmeans_is_trained, self._handle)

    @property
    def n_dimensions(self) -> int | None:
        """Number of columns of the data."""
        return _size(lib.kentro_kmeans_n_dimensions, self._handle) if self.is_trained else None

    @property
    def n_points(self) -> int | None:
        """Number of training points; None also in a model made of centroids."""
        if not self.is_trained:
            return None
        return _size(lib.kentro_kmeans_n_points, self._handle) or None

    @property
    def prices(self) -> np.ndarray | None:
        """What balancing has learnt to add to the distance to each centroid, float64.

        None unless trained and balanced.
        """
        if not self.is_trained:
            return None
        pointer, length = ffi.new("const double **"), ffi.new("size_t *")
        call(lib.kentro_kmeans_prices, self._handle, pointer, length)
        return from_native(pointer[0], length[0], np.float64).copy() if length[0] else None

    @property
    def centroids(self) -> np.ndarray | None:
        """n_clusters x n_dimensions, float32: means, unit vectors (cosine) or medoids."""
        if not self.is_trained:
            return None
        pointer = ffi.new("const float **")
        rows, cols = ffi.new("size_t *"), ffi.new("size_t *")
        call(lib.kentro_kmeans_centroids, self._handle, pointer, rows, cols)
        return from_native(pointer[0], (rows[0], cols[0]), np.float32).copy()

    @property
    def centroids_f64(self) -> np.ndarray | None:
        """The centroids with more digits, float64.

        They differ from `centroids` where the data are of a wide number type and
        lie far from 0: see `offset`.
        """
        if not self.is_trained:
            return None
        values = np.empty(self.centroids.shape)
        pointer = ffi.from_buffer("double[]", values)
        call(lib.kentro_kmeans_centroids_f64, self._handle, pointer, values.size)
        return values

    @property
    def offset(self) -> np.ndarray | None:
        """What was subtracted from each column before it was rounded to float32.

        `None` if nothing was. With the Euclidean distance a column of float64 or
        of 32- or 64-bit integers whose largest magnitude is more than four times
        its range loses the middle of its range.
        """
        if not self.is_trained:
            return None
        values = _lent(lib.kentro_kmeans_offset, self._handle, "double", np.float64)
        return values.copy() if values.size else None

    @property
    def medoid_indices(self) -> list[int] | None:
        """The row of the training data that is each cluster's medoid, if medoids are used."""
        if not self.is_trained:
            return None
        rows = _lent(lib.kentro_kmeans_medoid_indices, self._handle, "size_t", np.uintp)
        return rows.tolist() if rows.size else None

    @property
    def labels(self) -> np.ndarray | None:
        """The cluster of each training point, uint32.

        None also in a model that was saved without them or made of centroids.
        """
        if not self.is_trained:
            return None
        labels = _labels(self._handle)
        return labels.copy() if labels.size else None

    @property
    def inertia(self) -> float | None:
        """The objective that training reached; None also in a model made of centroids.

        The sum over all training points of the squared Euclidean distance, of
        1 - cosine, or with medoids of the (non-squared) distance.
        """
        if not self.is_trained:
            return None
        value = _value(lib.kentro_kmeans_inertia, "double", self._handle)
        return None if np.isnan(value) else value

    @property
    def balance_gap(self) -> float | None:
        """How far the balanced assignment may be from optimal, relative to the inertia.

        A bound by linear programming duality; `None` unless trained and balanced.
        """
        if not self.is_trained:
            return None
        value = ffi.new("double *")
        call(lib.kentro_kmeans_balance_gap, self._handle, value)
        return None if np.isnan(value[0]) else value[0]

    @property
    def info(self) -> str | None:
        """How the result was found, where there is more than one way (medoids)."""
        if not self.is_trained:
            return None
        text = ffi.new("const char **")
        call(lib.kentro_kmeans_info, self._handle, text)
        return ffi.string(text[0]).decode() or None

    @property
    def n_iter(self) -> int | None:
        """Iterations that ran."""
        return _size(lib.kentro_kmeans_n_iter, self._handle) if self.is_trained else None

    @property
    def cluster_sizes(self) -> np.ndarray | None:
        """Number of training points in each cluster."""
        if not self.is_trained:
            return None
        sizes = _lent(lib.kentro_kmeans_cluster_sizes, self._handle, "size_t", np.uintp)
        return sizes.astype(np.int64) if sizes.size else None

    def __repr__(self) -> str:
        text, length = ffi.new("char[1024]"), ffi.new("size_t *")
        call(lib.kentro_kmeans_describe, self._handle, text, len(text), length)
        return ffi.string(text).decode()

    def __copy__(self) -> KMeans:
        new = type(self).__new__(type(self))
        new._handle = self._clone()
        new._progress = self._progress
        new._cancel = self._cancel
        return new

    def __deepcopy__(self, _memo: Any) -> KMeans:
        return self.__copy__()

    def __reduce__(self) -> Any:
        # The callable of with_progress belongs to this process.
        return (type(self).from_bytes, (self.to_bytes(),))

    @classmethod
    def _new(cls, maker: Callable[..., int], *values: Any) -> KMeans:
        """What a native function that makes a model makes."""
        new = cls.__new__(cls)
        new._handle = _made(maker, *values)
        new._progress = None
        new._cancel = None
        return new

    def _with(self, setter: Callable[..., int], *values: Any) -> KMeans:
        new = self.__copy__()
        call(setter, new._handle, *values)
        return new

    def _clone(self) -> Any:
        return _made(lib.kentro_kmeans_clone, self._handle)

    def _require_trained(self) -> None:
        if not self.is_trained:
            fail(lib.KENTRO_STATUS_NOT_TRAINED)

    def _training_input(
        self, data: Any, num_threads: int | None, sample_weight: Any
    ) -> tuple[Points, int]:
        if self.is_trained:
            fail(lib.KENTRO_STATUS_ALREADY_TRAINED)
        count = threads(num_threads)
        return Points(data, weights=sample_weight), count

    def _train(self, points: Points, count: int, read: Callable[[Any], Result]) -> Result:
        """Train a clone, and become it once its result has been read.

        Whatever goes wrong before leaves the model as it was.
        """
        untrained, handle = self._handle, self._clone()
        arguments = (handle, points.handle, count)
        messages = run(self._progress, self._cancel, lib.kentro_kmeans_train, arguments)
        for message in messages:
            warnings.warn(message, KMeansWarning, stacklevel=3)
        result = read(handle)
        if self._handle is not untrained:  # another thread was faster
            fail(lib.KENTRO_STATUS_ALREADY_TRAINED)
        self._handle = handle
        return result


def _made(maker: Callable[..., int], *values: Any) -> Any:
    """The handle of a model that a native function makes."""
    model = ffi.new("kentro_kmeans **")
    call(maker, *values, model)
    return ffi.gc(model[0], lib.kentro_kmeans_free)


def _nearest_count(k: Any, balanced: Any) -> int:
    nearest = integer(k, "k")
    if nearest == 0:
        raise KMeansError("Invalid parameter: k must be positive")
    if flag(balanced, "balanced") and nearest != 1:
        raise KMeansError(f"k must be 1 when balanced is True, got {k}")
    return nearest


def _choice(value: str, name: str, choices: dict) -> int:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {value!r}")
    if value not in choices:
        known = ", ".join(map(repr, choices))
        raise KMeansError(f"{name} must be one of {known}, got {value!r}")
    return choices[value]


def load(path: Any) -> KMeans:
    """Read a model from a file that `KMeans.save` wrote.

    It is as it was, but for what `with_progress` and `with_cancel` set and, if they were
    left out, the labels. `KMeansError` if the file is not whole or no model, or
    was saved in a later version of the format; `OSError` if it can't be read.
    """
    name, encoded = path_bytes(path)
    return _with_path(name, KMeans._new, lib.kentro_kmeans_load, encoded)


def _with_path(path: Any, function: Callable[..., Result], *arguments: Any) -> Result:
    """`function(*arguments)`, whose error of the system gets the path."""
    try:
        return function(*arguments)
    except OSError as error:
        error.filename = path
        raise


def _value(getter: Callable[..., int], type_name: str, handle: Any) -> Any:
    value = ffi.new(f"{type_name} *")
    call(getter, handle, value)
    return value[0]


def _size(getter: Callable[..., int], handle: Any) -> int:
    value = ffi.new("size_t *")
    call(getter, handle, value)
    return value[0]


def _bool(getter: Callable[..., int], handle: Any) -> bool:
    value = ffi.new("int32_t *")
    call(getter, handle, value)
    return bool(value[0])


def _labels(handle: Any) -> np.ndarray:
    """A view that is valid for as long as `handle` lives."""
    return _lent(lib.kentro_kmeans_labels, handle, "uint32_t", np.uint32)


def _lent(getter: Callable[..., int], handle: Any, name: str, dtype: Any) -> np.ndarray:
    """A view of values that `getter` lends, for as long as `handle` lives."""
    pointer, length = ffi.new(f"const {name} **"), ffi.new("size_t *")
    call(getter, handle, pointer, length)
    return from_native(pointer[0], length[0], dtype)
