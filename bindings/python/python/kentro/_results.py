"""What training leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._arrays import from_native
from ._errors import call
from ._handle import Handle, read_array, read_size, read_value
from ._library import ffi, lib

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Results(Handle):
    """The results of `KMeans`, None until it is trained."""

    __slots__ = ()

    @property
    def n_dimensions(self) -> int | None:
        """Number of columns of the data."""
        return (
            read_size(lib.kentro_kmeans_n_dimensions, self._handle) if self.is_trained else None
        )

    @property
    def n_points(self) -> int | None:
        """Number of training points; None also in a model made of centroids."""
        if not self.is_trained:
            return None
        return read_size(lib.kentro_kmeans_n_points, self._handle) or None

    @property
    def prices(self) -> NDArray[np.float64] | None:
        """What balancing has learnt to add to the distance to each centroid, float64.

        None unless trained and balanced.
        """
        if not self.is_trained:
            return None
        pointer, length = ffi.new("const double **"), ffi.new("size_t *")
        call(lib.kentro_kmeans_prices, self._handle, pointer, length)
        return from_native(pointer[0], length[0], np.float64).copy() if length[0] else None

    @property
    def centroids(self) -> NDArray[np.float32] | None:
        """n_clusters x n_dimensions, float32: means, unit vectors (cosine) or medoids.

        A model of sparse rows makes them when they are first asked for, and keeps them.
        """
        if not self.is_trained:
            return None
        pointer = ffi.new("const float **")
        rows, cols = ffi.new("size_t *"), ffi.new("size_t *")
        call(lib.kentro_kmeans_centroids, self._handle, pointer, rows, cols)
        return from_native(pointer[0], (rows[0], cols[0]), np.float32).copy()

    @property
    def centroids_f64(self) -> NDArray[np.float64] | None:
        """The centroids with more digits, float64.

        They differ from `centroids` where the data are of a wide number type and
        lie far from 0: see `offset`.
        """
        centroids = self.centroids
        if centroids is None:
            return None
        values = np.empty(centroids.shape)
        pointer = ffi.from_buffer("double[]", values)
        call(lib.kentro_kmeans_centroids_f64, self._handle, pointer, values.size)
        return values

    @property
    def offset(self) -> NDArray[np.float64] | None:
        """What was subtracted from each column before it was rounded to float32.

        `None` if nothing was. With the Euclidean distance a column of float64 or
        of 32- or 64-bit integers whose largest magnitude is more than four times
        its range loses the middle of its range.
        """
        if not self.is_trained:
            return None
        values = read_array(lib.kentro_kmeans_offset, self._handle, "double", np.float64)
        return values.copy() if values.size else None

    @property
    def medoid_indices(self) -> list[int] | None:
        """The row of the training data that is each cluster's medoid, if medoids are used."""
        if not self.is_trained:
            return None
        rows = read_array(lib.kentro_kmeans_medoid_indices, self._handle, "size_t", np.uintp)
        return rows.tolist() if rows.size else None

    @property
    def cluster_parents(self) -> NDArray[np.uint32] | None:
        """The coarse cluster that each cluster is in, uint32, numbered from 0.

        Where the first centroids came from a tree (`with_init("tree")`, or "auto" where
        it takes one); else None.
        """
        if not self.is_trained:
            return None
        parents = read_array(
            lib.kentro_kmeans_cluster_parents, self._handle, "uint32_t", np.uint32
        )
        return parents.copy() if parents.size else None

    @property
    def labels(self) -> NDArray[np.uint32] | None:
        """The cluster of each training point, uint32.

        None also in a model that was saved without them or made of centroids.
        """
        if not self.is_trained:
            return None
        labels = labels_of(self._handle)
        return labels.copy() if labels.size else None

    @property
    def inertia(self) -> float | None:
        """The objective that training reached; None also in a model made of centroids.

        The sum over all training points of the squared Euclidean distance, of
        1 - cosine, or with medoids of the (non-squared) distance.
        """
        if not self.is_trained:
            return None
        value = read_value(lib.kentro_kmeans_inertia, "double", self._handle)
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
        return read_size(lib.kentro_kmeans_n_iter, self._handle) if self.is_trained else None

    @property
    def cluster_sizes(self) -> NDArray[np.int64] | None:
        """Number of training points in each cluster."""
        if not self.is_trained:
            return None
        sizes = read_array(lib.kentro_kmeans_cluster_sizes, self._handle, "size_t", np.uintp)
        return sizes.astype(np.int64) if sizes.size else None

    @property
    def cluster_weights(self) -> NDArray[np.float64] | None:
        """What the training points of each cluster weigh together (float64).

        Their number where `sample_weight` was not given.
        """
        if not self.is_trained:
            return None
        weights = read_array(
            lib.kentro_kmeans_cluster_weights, self._handle, "double", np.float64
        )
        return weights.copy() if weights.size else None


def labels_of(handle: Any) -> NDArray[np.uint32]:
    """A view that is valid for as long as `handle` lives."""
    return read_array(lib.kentro_kmeans_labels, handle, "uint32_t", np.uint32)
