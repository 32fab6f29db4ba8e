"""Mini-batch K-means as an estimator."""

from __future__ import annotations

from copy import copy
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils import check_array, check_scalar
from sklearn.utils.validation import check_is_fitted

from .._random import seed
from ._base import Model, WeightedClusterer

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MiniBatchKMeans(WeightedClusterer):
    """K-means that reads a few rows at a time: `sklearn.cluster.MiniBatchKMeans`.

    `partial_fit` learns from one block of a stream; `fit` reads X in batches of random rows,
    again and again. Each centre is the mean of all samples that it got. `KMeans` finds
    better centres and mostly is as fast; this one is for data that cannot be read at once.

    n_clusters, init, random_state, verbose, metric : as in `KMeans`, without a callable.
    max_iter : how often `fit` reads X at most (default 100).
    batch_size : samples of a batch (default 1024).
    tol : `fit` ends once reading X again lowers the inertia by less than this fraction
        (default 1e-3).
    compute_labels : whether `fit` leaves `labels_` and `inertia_` (default True).

    Attributes: `cluster_centers_`, `labels_`, `inertia_`, `n_iter_` (how often X was read),
    `n_steps_` (batches), `n_features_in_`, `feature_names_in_`; `model_`, the
    `kentro.KMeans` that goes on learning.
    """

    n_steps_: int

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Any = "k-means++",
        max_iter: int = 100,
        batch_size: int = 1024,
        verbose: int | bool = 0,
        compute_labels: bool = True,
        random_state: Any = None,
        tol: float = 1e-3,
        metric: Literal["euclidean", "cosine"] = "euclidean",
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.verbose = verbose
        self.compute_labels = compute_labels
        self.random_state = random_state
        self.tol = tol
        self.metric = metric

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> MiniBatchKMeans:
        """Learn from one more block, {array-like, sparse matrix} (n_samples, n_features).

        `y` is ignored. The first block finds the first centres, and needs `n_clusters`
        samples.
        """
        known: Any = getattr(self, "model_", None)
        is_first = known is None
        X = self._checked(X, reset=is_first)
        model: Model = self._settings(X) if is_first else copy(known)
        model.partial_fit(X, sample_weight)
        self._keep_centers(model, X.dtype)
        self.n_steps_ = 1 if is_first else self.n_steps_ + 1
        if self.compute_labels:
            self._label(X, sample_weight)
        return self

    def _fit(self: Any, X: Any, sample_weight: Any = None) -> Any:
        X = self._checked(X, reset=True)
        model = self._settings(X)
        rows = X.shape[0]
        weights = None if sample_weight is None else np.asarray(sample_weight)
        if weights is not None and weights.shape != (rows,):
            raise ValueError(f"sample_weight must have shape ({rows},), got {weights.shape}")
        order = np.random.default_rng(model.seed)
        before, self.n_steps_ = np.inf, 0
        for reading in range(1, self.max_iter + 1):
            self.n_iter_ = reading
            drawn = order.permutation(rows)
            size = max(self.batch_size, self.n_clusters)
            for first in range(0, rows, size):
                batch = drawn[first : first + size]
                model.partial_fit(X[batch], None if weights is None else weights[batch])
                self.n_steps_ += 1
            if not model.is_trained:
                count = np.count_nonzero(np.asarray(weights))
                raise ValueError(
                    f"{count} samples have a sample_weight that is not zero, fewer than "
                    f"n_clusters={self.n_clusters}; ask for fewer clusters"
                )
            inertia = -model.score(X, weights)
            if not inertia < before * (1 - self.tol):
                break
            before = inertia
        self._keep_centers(model, X.dtype)
        if self.compute_labels:
            self._label(X, weights)
        return self

    def _keep_centers(self, model: Model, dtype: np.dtype[Any]) -> None:
        wide = dtype.itemsize > 2 and dtype != np.float32
        self.cluster_centers_ = model.centroids_f64 if wide else model.centroids
        self._n_features_out = self.n_clusters
        self.model_ = model

    def _label(self, X: Any, weights: Any) -> None:
        check_is_fitted(self)
        labels: NDArray[np.uint32] = self.model_.predict(X)
        self.labels_ = labels.view(np.int32)
        self.inertia_ = -self.model_.score(X, weights)

    def _configured(self, model: Model, n_features: int) -> Model:
        check_scalar(self.batch_size, "batch_size", Integral, min_val=1)
        check_scalar(self.tol, "tol", Real, min_val=0)
        init: Any = self.init
        if not isinstance(init, str):
            init = check_array(init)
        return model.with_seed(seed(self.random_state)).with_init(init)
