"""Balanced K-means as an estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._library import SIZE_MAX
from .._random import seed
from ._base import Clusterer, Model

if TYPE_CHECKING:
    from numpy.typing import NDArray


class BalancedKMeans(Clusterer):
    """K-means whose clusters have about the same size, or sizes between given bounds.

    max_balance_diff : the largest difference of the sizes of two clusters, at least 1
        (default 16).
    min_size, max_size : in its place, how many samples a cluster has at least and at most
        (default None: no such bound).
    n_clusters, max_iter, random_state, verbose, metric, quality : as in `KMeans`.
    n_init : starts, of which the best is kept (default 1).

    The bounds hold for `labels_`, whatever the data. `predict` gives other samples to the
    nearest centre, like `KMeans`, and so may give those of the training data to another
    cluster than `labels_`; `model_.predict(X, balanced=True)` spreads them about as evenly.

    Attributes: `cluster_centers_`, `labels_`, `inertia_`, `n_iter_`, `n_features_in_`,
    `feature_names_in_`; `cluster_sizes_`; `balance_gap_`, how far the assignment may be from
    the best one, relative to the inertia; `model_`, the `kentro.KMeans` of the result.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        max_balance_diff: int = 16,
        min_size: int | None = None,
        max_size: int | None = None,
        n_init: int = 1,
        max_iter: int = 300,
        verbose: int | bool = 0,
        random_state: Any = None,
        metric: Literal["euclidean", "cosine"] = "euclidean",
        quality: Literal["fast", "default", "best"] = "default",
    ) -> None:
        self.n_clusters = n_clusters
        self.max_balance_diff = max_balance_diff
        self.min_size = min_size
        self.max_size = max_size
        self.n_init = n_init
        self.max_iter = max_iter
        self.verbose = verbose
        self.random_state = random_state
        self.metric = metric
        self.quality: Any = quality

    def fit(self, X: Any, y: Any = None) -> BalancedKMeans:
        """Cluster the rows of `X`, array-like (n_samples, n_features); `y` is ignored."""
        return self._fit(X)

    def fit_predict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, X: Any, y: Any = None
    ) -> NDArray[Any]:
        """Return `fit(X).labels_`."""
        return self.fit(X).labels_

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the sum over `X` of what `inertia_` sums up, to the nearest centres."""
        check_is_fitted(self)
        return self.model_.score(self._checked(X, reset=False))

    def _configured(self, model: Model, n_features: int) -> Model:
        model = (
            model.with_balanced(True)
            .with_max_balance_diff(self.max_balance_diff)
            .with_quality(self.quality)
            .with_n_init(self.n_init)
            .with_seed(seed(self.random_state))
        )
        if self.min_size is None and self.max_size is None:
            return model
        least = 0 if self.min_size is None else self.min_size
        most = SIZE_MAX if self.max_size is None else self.max_size
        return model.with_size_bounds(least, most)

    def _keep(self, model: Model, labels: NDArray[Any], dtype: np.dtype[Any]) -> None:
        super()._keep(model, labels, dtype)
        self.cluster_sizes_ = model.cluster_sizes
        self.balance_gap_ = model.balance_gap
