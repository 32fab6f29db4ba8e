"""The class `KMeans`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Callable, Iterator, Literal, TypeVar, overload

import numpy as np

from ._arguments import flag, integer, path_bytes, threads
from ._arrays import Points, label_buffer, lists, plain, plain_rows
from ._errors import KMeansError, KMeansWarning, call, fail
from ._handle import made
from ._library import ffi, lib
from ._names import tells_names
from ._results import Results, labels_of
from ._run import run, run_briefly
from ._settings import Settings
from ._sources import Source, blocks_of, points_of
from ._watching import watched

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Multiply-adds of a call that takes some milliseconds at most.
_BRIEF = 10**8

Outcome = TypeVar("Outcome")


class KMeans(Settings, Results):
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

    __slots__ = ()

    # What warnings are, and how far up is the call that they are about.
    _warning: type[Warning] = KMeansWarning
    _stacklevel = 4

    @tells_names
    def __init__(self, n_clusters: int) -> None:
        """A model of `n_clusters` clusters, at least 1."""
        count = integer(n_clusters, "n_clusters")
        self._handle = made(lib.kentro_kmeans_new, count)
        self._progress = None
        self._cancel = None
        self._clusters = None
        self._trained = False
        self._curve = ()

    # Training and assignment

    @tells_names
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

        return self._train(lib.kentro_kmeans_train, (points.handle, count), members)

    @tells_names
    def train_labels(
        self,
        data: Any,
        num_threads: int | None = None,
        *,
        sample_weight: Any = None,
        out: NDArray[np.uint32] | None = None,
    ) -> NDArray[np.uint32]:
        """Train like `train`, but return the cluster of each point (uint32).

        `out`: an array to write the labels to.
        """
        points, count = self._training_input(data, num_threads, sample_weight)
        labels = label_buffer(out, (points.rows,))

        def fill(handle: Any) -> NDArray[np.uint32]:
            labels[:] = labels_of(handle)
            return labels

        return self._train(lib.kentro_kmeans_train, (points.handle, count), fill)

    @tells_names
    def train_source(self, source: Any, num_threads: int | None = None) -> NDArray[np.uint32]:
        """Train on rows that come block by block, and return the cluster of each (uint32).

        `source`: an object whose iteration yields blocks of rows anew each time, the
        same rows in the same order: arrays, CSR matrices or whatever `train` takes, of
        one number type; or tuples of such a block and its weights. A list will do; a
        generator can be read only once. The result is that of `train_labels` on all rows
        together, bit for bit, unless init "auto" takes a tree of these; not for quality
        "best", medoids and bounds on sizes. What the iteration raises comes out, and the
        model stays as it was.
        """
        if self.is_trained:
            fail(lib.KENTRO_STATUS_ALREADY_TRAINED)
        count = threads(num_threads)
        rows = Source(source)
        arguments = (rows.record, count)
        try:
            return self._train(
                lib.kentro_kmeans_train_source,
                arguments,
                lambda handle: labels_of(handle).copy(),
            )
        except KMeansError:
            rows.reraise()
            raise

    @tells_names
    def predict_source(
        self, source: Any, num_threads: int | None = None
    ) -> Iterator[NDArray[np.uint32]]:
        """Yield the nearest cluster of each point (uint32), a block of a source at a time.

        `source`: see `train_source`; it is read once.
        """
        self._require_trained()
        count = threads(num_threads)
        return (self._labels(points_of(block), count) for block in blocks_of(source))

    def _labels(self, points: Points, count: int) -> NDArray[np.uint32]:
        labels = label_buffer(None, (points.rows,))
        out = (ffi.from_buffer("uint32_t[]", labels), labels.size, ffi.NULL, 0, ffi.NULL)
        arguments = (self._handle, points.handle, 1, count)
        run(None, self._cancel, lib.kentro_kmeans_predict, arguments, out)
        return labels

    @tells_names
    def partial_fit(
        self,
        data: Any,
        sample_weight: Any = None,
        num_threads: int | None = None,
        *,
        forgetting: float = 0.0,
    ) -> KMeans:
        """Learn from one more block of rows, and return self: mini-batch K-means.

        Nothing of the block is kept but what it did to the centroids. The first one
        trains the model by its settings; blocks before there are as many points as
        clusters are collected. After that each centroid moves to the mean of all points
        that it has got. A trained model goes on from its centroids and
        `cluster_weights`. `forgetting`: what fraction of these weights is forgotten
        before the block counts, 0 to 1. Labels and inertia are None afterwards, sizes
        add up, and `n_iter` counts blocks. Where the data can be read again, training
        on all of it finds better centroids.
        """
        count = threads(num_threads)
        points = Points(data, weights=sample_weight)
        handle, before = self._clone(), self._handle
        arguments = (handle, points.handle, float(forgetting), count)
        with watched(self._progress, self.iterations) as watcher:
            messages = run(watcher, self._cancel, lib.kentro_kmeans_partial_fit, arguments)
        for message in messages:
            warnings.warn(message, self._warning, stacklevel=self._stacklevel)
        if self._handle is not before:
            raise RuntimeError("another thread changed the model meanwhile; call one at a time")
        self._handle = handle
        self._curve = ()
        return self

    @tells_names
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

    @overload
    def predict(
        self,
        data: Any,
        num_threads: int | None = None,
        *,
        k: int = 1,
        out: NDArray[np.uint32] | None = None,
        balanced: bool = False,
        return_distances: Literal[False] = False,
    ) -> NDArray[np.uint32]: ...

    @overload
    def predict(
        self,
        data: Any,
        num_threads: int | None = None,
        *,
        k: int = 1,
        out: NDArray[np.uint32] | None = None,
        balanced: bool = False,
        return_distances: Literal[True],
    ) -> tuple[NDArray[np.uint32], NDArray[np.float64]]: ...

    @overload
    def predict(
        self,
        data: Any,
        num_threads: int | None = None,
        *,
        k: int = 1,
        out: NDArray[np.uint32] | None = None,
        balanced: bool = False,
        return_distances: bool,
    ) -> NDArray[np.uint32] | tuple[NDArray[np.uint32], NDArray[np.float64]]: ...

    @tells_names
    def predict(
        self,
        data: Any,
        num_threads: int | None = None,
        *,
        k: int = 1,
        out: NDArray[np.uint32] | None = None,
        balanced: bool = False,
        return_distances: bool = False,
    ) -> NDArray[np.uint32] | tuple[NDArray[np.uint32], NDArray[np.float64]]:
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
        arguments: tuple[Any, ...]
        numbers: tuple[int, ...]
        width: tuple[Any, ...]
        values = None if balanced else plain_rows(data)
        if values is not None:
            rows, dims = values[1:]
            is_brief = rows * dims * self.n_clusters <= _BRIEF
            function, arguments = lib.kentro_kmeans_predict_f32, (self._handle, *values)
        else:
            points = Points(data)
            rows, is_brief = points.rows, False
            function, arguments = lib.kentro_kmeans_predict, (self._handle, points.handle)
        if balanced:
            function, numbers, width = lib.kentro_kmeans_predict_balanced, (count,), ()
        else:
            numbers, width = (nearest, count), (ffi.NULL,)
        arguments += numbers
        shape: tuple[int, ...] = (rows,)
        if nearest > 1:
            shape = (rows, min(nearest, self.n_clusters))
        labels = label_buffer(out, shape)
        pointer = ffi.from_buffer("uint32_t[]", labels)
        distances = np.empty(shape) if with_distances else None
        lengths: tuple[Any, int]
        if distances is None:
            lengths = (ffi.NULL, 0)
        else:
            lengths = (ffi.from_buffer("double[]", distances), distances.size)
        outputs = (pointer, labels.size, *lengths, *width)
        if is_brief:
            run_briefly(self._cancel, function, arguments, outputs)
        else:
            run(None, self._cancel, function, arguments, outputs)
        return labels if distances is None else (labels, distances)

    @tells_names
    def transform(self, data: Any, num_threads: int | None = None) -> NDArray[np.float64]:
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

    @tells_names
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
        return float(value[0])

    @tells_names
    def representatives(
        self, data: Any, m: int, num_threads: int | None = None
    ) -> list[list[int]]:
        """For each cluster the `m` points of `data` nearest to its centroid, nearest first.

        No two have the same values (of equals the first counts); fewer where a cluster has
        fewer. Points are in the cluster whose centroid is nearest to them.
        """
        self._require_trained()
        wanted = integer(m, "m")
        count = threads(num_threads)
        points = Points(data)
        clusters = ffi.new("kentro_clusters **")
        arguments = (self._handle, points.handle, wanted, count)
        run(None, self._cancel, lib.kentro_kmeans_representatives, arguments, (clusters,))
        return lists(clusters)

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
        cls,
        centroids: Any,
        euclidean: bool = False,
        prices: Any = None,
        *,
        offset: Any = None,
    ) -> KMeans:
        """Return a trained model of these centroids (n_clusters x n_dimensions).

        It predicts, assigns and can be saved. For cosine the centroids are made
        unit vectors. `prices`, one for each, are what `predict` adds to distances
        with `balanced=True`. `offset`: what Euclidean centroids have lost in each column,
        as those of blocks have (`Block.offset`), and data to predict will; None where they
        are told whole. Labels, sizes, medoids and inertia are None, `n_iter` is 0.
        """
        if offset is not None:
            if not euclidean or prices is not None:
                raise KMeansError("offset is for euclidean=True, and without prices")
            return cls._less(centroids, offset)
        points = Points(centroids, "centroids")
        pointer, length = ffi.NULL, 0
        if prices is not None:
            values = np.ascontiguousarray(prices, dtype=np.float64)
            if values.shape != (points.rows,):
                raise KMeansError(
                    f"prices must have shape ({points.rows},), one for each centroid, "
                    f"got {values.shape}"
                )
            pointer, length = ffi.from_buffer("double[]", values), values.size
        arguments = (points.handle, flag(euclidean, "euclidean"), pointer, length)
        return cls._new(lib.kentro_kmeans_from_centroids, *arguments)

    @classmethod
    def _less(cls, centroids: Any, offset: Any) -> KMeans:
        values = plain(np.asarray(centroids, dtype=np.float32))
        lost = np.ascontiguousarray(offset, dtype=np.float64)
        if values.ndim != 2 or lost.shape != values.shape[1:]:
            raise KMeansError(
                "offset must be a number for each column of centroids, "
                f"got shapes {lost.shape} and {values.shape}"
            )
        buffers = ffi.from_buffer("float[]", values), ffi.from_buffer("double[]", lost)
        arguments = (buffers[0], *values.shape, buffers[1])
        return cls._new(lib.kentro_kmeans_from_centroids_less, *arguments)

    def untrained(self) -> KMeans:
        """Return a model that can be trained, with the same settings.

        Settings that were changed after training are among them.
        """
        new = self._new(lib.kentro_kmeans_clone_untrained, self._handle)
        new._progress = self._progress
        new._cancel = self._cancel
        return new

    def __repr__(self) -> str:
        text, length = ffi.new("char[1024]"), ffi.new("size_t *")
        call(lib.kentro_kmeans_describe, self._handle, text, len(text), length)
        return str(ffi.string(text).decode())

    def _repr_html_(self) -> str:
        """What a notebook shows: sizes, and how the inertia fell where it was trained."""
        from ._card import card  # which most programs never need

        return card(self, self._curve)

    def __reduce__(self) -> Any:
        # The callable of with_progress belongs to this process.
        return (type(self).from_bytes, (self.to_bytes(),))

    def _training_input(
        self, data: Any, num_threads: int | None, sample_weight: Any
    ) -> tuple[Points, int]:
        if self.is_trained:
            fail(lib.KENTRO_STATUS_ALREADY_TRAINED)
        count = threads(num_threads)
        return Points(data, weights=sample_weight), count

    def _train(
        self,
        function: Callable[..., int],
        arguments: tuple[Any, ...],
        read: Callable[[Any], Outcome],
    ) -> Outcome:
        """Train a clone, and become it once its result has been read.

        Whatever goes wrong before leaves the model as it was.
        """
        untrained, handle = self._handle, self._clone()
        with watched(self._progress, self.iterations) as watcher:
            messages = run(watcher, self._cancel, function, (handle, *arguments))
        for message in messages:
            warnings.warn(message, self._warning, stacklevel=self._stacklevel)
        result = read(handle)
        if self._handle is not untrained:  # another thread was faster
            fail(lib.KENTRO_STATUS_ALREADY_TRAINED)
        self._handle = handle
        self._curve = () if watcher is None else watcher.best()
        return result


def _nearest_count(k: Any, balanced: Any) -> int:
    nearest = integer(k, "k")
    if nearest == 0:
        raise KMeansError("Invalid parameter: k must be positive")
    if flag(balanced, "balanced") and nearest != 1:
        raise KMeansError(f"k must be 1 when balanced is True, got {k}")
    return nearest


def load(path: Any) -> KMeans:
    """Read a model from a file that `KMeans.save` wrote.

    It is as it was, but for what `with_progress` and `with_cancel` set and, if they were
    left out, the labels. `KMeansError` if the file is not whole or no model, or
    was saved in a later version of the format; `OSError` if it can't be read.
    """
    name, encoded = path_bytes(path)
    return _with_path(name, KMeans._new, lib.kentro_kmeans_load, encoded)


def _with_path(path: Any, function: Callable[..., Outcome], *arguments: Any) -> Outcome:
    """`function(*arguments)`, whose error of the system gets the path."""
    try:
        return function(*arguments)
    except OSError as error:
        error.filename = path
        raise
