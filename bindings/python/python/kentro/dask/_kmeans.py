# ruff: noqa: N803, N806 - X is scikit-learn's name for data
# mypy: disable-error-code="no-untyped-call,attr-defined,import-not-found"
"""K-means as an estimator of Dask's collections."""

from __future__ import annotations

from functools import partial as bind
from typing import TYPE_CHECKING, Any, Callable, Literal

import dask
import dask.array as da
import numpy as np

from .._random import seed
from .._rounds import METRICS, Settings, train
from . import _tasks
from ._parts import connect

if TYPE_CHECKING:
    from .. import CancelToken, Progress
    from .._rounds import Trained


class KMeans:
    """K-means over arrays and frames of Dask: the names are those of dask-ml.

    n_clusters : number of clusters.
    metric : "euclidean" or "cosine", for which centres are unit vectors and `inertia_` is
        the sum of 1 - cosine.
    init : "k-means||", or an array of n_clusters x n_features.
    max_iter : iterations at most.
    tol : stop when an iteration lowers the inertia by less than the fraction
        `tol / (n_clusters * n_features)`, as `kentro.sklearn`; 0: when no label changes.
    random_state : None, an int, or a generator of NumPy's.
    progress : a callable that gets a `kentro.Progress` now and then, and cancels by
        returning False; or "bar".
    cancel : a `kentro.CancelToken`.

    Attributes: `cluster_centers_` (n_clusters x n_features; float32, or float64 where wide
    numbers far from 0 lost an offset), `labels_` (a lazy array of Dask's, int32),
    `inertia_`, `n_iter_`, `n_features_in_`.

    Labels and centres are those of `kentro.KMeans` in memory with quality "fast", bit for
    bit, from the same first centres or with the same seed, however rows are cut, wherever
    blocks are. Each iteration is one task a partition, and partials are merged by workers;
    drawing first centres takes some 13. A worker that is lost costs time.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        metric: Literal["euclidean", "cosine"] = "euclidean",
        init: Any = "k-means||",
        max_iter: int = 300,
        tol: float = 1e-4,
        random_state: Any = None,
        progress: Callable[[Progress], Any] | Literal["bar"] | None = None,
        cancel: CancelToken | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.metric = metric
        self.init = init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.progress = progress
        self.cancel = cancel

    _PARAMETERS = (
        "n_clusters",
        "metric",
        "init",
        "max_iter",
        "tol",
        "random_state",
        "progress",
        "cancel",
    )

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name."""
        return {name: getattr(self, name) for name in self._PARAMETERS}

    def set_params(self, **params: Any) -> KMeans:
        """Set parameters by name."""
        for name, value in params.items():
            if name not in self._PARAMETERS:
                known = ", ".join(self._PARAMETERS)
                raise ValueError(f"KMeans has no parameter {name!r}; there are {known}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"KMeans({shown})"

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> KMeans:
        """Cluster the rows of `X`: an array or frame of Dask's, or what is in memory.

        `y` is ignored. `sample_weight`: a number of at least 0 for each row, in partitions
        like those of `X`, or in memory.
        """
        X = _rows(X)
        settings = Settings(
            n_clusters=self.n_clusters,
            metric=self.metric,
            init=self.init,
            max_iter=self.max_iter,
            tolerance=float(self.tol) / max(1, self.n_clusters * X.shape[1]),
            seed=seed(self.random_state),
        )
        settings.check()
        partitions = list(X.to_delayed().ravel())
        weights = _weights(sample_weight, X, len(partitions))
        make = bind(connect, partitions, weights, METRICS[self.metric])
        trained = train(make, settings, self.progress, self.cancel)
        self._result = trained
        self.cluster_centers_ = trained.places
        self.inertia_ = trained.inertia
        self.n_iter_ = trained.n_iter
        self.n_features_in_ = int(X.shape[1])
        self.labels_ = self.predict(X)
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Return `fit(X, sample_weight=sample_weight).labels_`."""
        return self.fit(X, sample_weight=sample_weight).labels_

    def predict(self, X: Any) -> Any:
        """Return the nearest centre of each row, int32: lazily for a collection of Dask's."""
        trained, euclidean = self._trained()
        if not dask.is_dask_collection(X):
            return _tasks.labels(X, trained, euclidean)
        X = _rows(X)
        return X.map_blocks(
            _tasks.labels,
            trained,
            euclidean,
            drop_axis=1,
            dtype=np.int32,
            meta=np.empty(0, dtype=np.int32),
        )

    def transform(self, X: Any) -> Any:
        """Return the distance of each row to each centre, float64: not squared."""
        trained, euclidean = self._trained()
        if not dask.is_dask_collection(X):
            return _tasks.distances(X, trained, euclidean)
        X = _rows(X)
        return X.map_blocks(
            _tasks.distances,
            trained,
            euclidean,
            chunks=(X.chunks[0], (len(trained.centroids),)),
            dtype=np.float64,
            meta=np.empty((0, 0)),
        )

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return minus the sum over `X` that `inertia_` is of the training data."""
        trained, euclidean = self._trained()
        X = _rows(X)
        partitions = list(X.to_delayed().ravel())
        weights = _weights(sample_weight, X, len(partitions))
        score = dask.delayed(_tasks.score)
        pairs = zip(partitions, weights)
        scores = dask.compute(*(score(*pair, trained, euclidean) for pair in pairs))
        return float(sum(scores))

    def _trained(self) -> tuple[Trained, bool]:
        if not hasattr(self, "cluster_centers_"):
            raise ValueError("this KMeans is not fitted yet; call fit first")
        return self._result, METRICS[self.metric]


def _rows(X: Any) -> Any:
    """An array of Dask's, of two dimensions, with whole rows in each chunk."""
    if hasattr(X, "to_dask_array"):
        X = X.to_dask_array()
    elif not isinstance(X, da.Array):
        X = da.from_array(np.asarray(X), chunks=("auto", -1))
    if X.ndim != 2:
        raise ValueError(f"X must have 2 dimensions (rows x columns), got {X.ndim}")
    return X if X.numblocks[1] == 1 else X.rechunk({1: -1})


def _weights(weights: Any, X: Any, partitions: int) -> list[Any]:
    """What each partition of the rows weighs; None where that is not told."""
    if weights is None:
        return [dask.delayed(None)] * partitions
    if hasattr(weights, "to_dask_array"):
        weights = weights.to_dask_array()
    elif not isinstance(weights, da.Array):
        weights = da.from_array(np.asarray(weights), chunks=-1)
    if weights.ndim != 1:
        raise ValueError(f"sample_weight must have 1 dimension, got {weights.ndim}")
    known = not any(np.isnan(array.shape[0]) for array in (weights, X))
    if known:
        if weights.shape[0] != X.shape[0]:
            raise ValueError(f"{weights.shape[0]} weights for {X.shape[0]} rows")
        weights = weights.rechunk((X.chunks[0],))
    elif weights.numblocks[0] != partitions:
        raise ValueError(
            f"sample_weight has {weights.numblocks[0]} partitions, X has {partitions}; where "
            "their lengths are not known they must match"
        )
    return list(weights.to_delayed().ravel())
