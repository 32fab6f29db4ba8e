"""What the estimators have in common."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

import kentro

if TYPE_CHECKING:
    from numpy.typing import NDArray

Self = TypeVar("Self", bound="Clusterer")

METRICS = {"euclidean": True, "cosine": False}


class FewerClustersWarning(ConvergenceWarning, kentro.KMeansWarning):
    """The result is usable, but perhaps not what was expected."""


class Model(kentro.KMeans):
    """A model whose warnings are those of scikit-learn, too."""

    __slots__ = ()

    _warning = FewerClustersWarning
    _stacklevel = 7  # whoever called `fit` of an estimator


class Clusterer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """An estimator of clusters with centres.

    A subclass has the parameters `n_clusters`, `metric`, `max_iter`, `verbose` and
    `random_state`, and says in `_configured` what else is set on a model.
    """

    n_clusters: int
    metric: str
    max_iter: int
    verbose: int | bool

    def _configured(self, model: Model, n_features: int) -> Model:
        """`model` with the settings of the subclass."""
        raise NotImplementedError

    def _fit(self: Self, X: Any, sample_weight: Any = None) -> Self:
        X = self._checked(X, reset=True)
        model, labels = self._trained(self._settings(X), X, sample_weight)
        self._keep(model, labels, X.dtype)
        return self

    def _trained(self, model: Model, X: Any, sample_weight: Any) -> tuple[Model, NDArray[Any]]:
        """The model and its labels, once it is trained."""
        return model, model.train_labels(X, sample_weight=sample_weight)

    def _settings(self, X: Any) -> Model:
        """An untrained model with all settings."""
        check_scalar(self.n_clusters, "n_clusters", Integral, min_val=1)
        check_scalar(self.max_iter, "max_iter", Integral, min_val=1)
        if self.metric not in METRICS:
            known = ", ".join(map(repr, METRICS))
            raise ValueError(f"metric must be one of {known}, got {self.metric!r}")
        if X.shape[0] < self.n_clusters:
            raise ValueError(
                f"n_samples={X.shape[0]} should be >= n_clusters={self.n_clusters}; "
                "ask for fewer clusters"
            )
        model = (
            Model(self.n_clusters)
            .with_euclidean(METRICS[self.metric])
            .with_iterations(self.max_iter)
            .with_verbose(bool(self.verbose))
        )
        return self._configured(model, X.shape[1])

    def _keep(self, model: Model, labels: NDArray[Any], dtype: np.dtype[Any]) -> None:
        """Make attributes of what training has left."""
        wide = dtype.itemsize > 2 and dtype != np.float32
        self.cluster_centers_ = model.centroids_f64 if wide else model.centroids
        self.labels_ = labels.view(np.int32)
        self.inertia_ = model.inertia
        self.n_iter_ = model.n_iter
        self._n_features_out = self.n_clusters
        # The labels are kept once.
        self.model_ = kentro.KMeans.from_bytes(model.to_bytes(labels=False))

    def _checked(self, X: Any, *, reset: bool) -> Any:
        # The core looks for NaN and infinity itself, and takes numbers as they are.
        return validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr",
            accept_large_sparse=True,
            dtype="numeric",
            ensure_all_finite=False,
        )

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the nearest cluster of each row of `X`, int32 (n_samples,)."""
        check_is_fitted(self)
        return self.model_.predict(self._checked(X, reset=False)).view(np.int32)

    def transform(self, X: Any) -> NDArray[Any]:
        """Return the distance of each row of `X` to each centre.

        (n_samples, n_clusters); Euclidean, not squared, or 1 - cosine.
        """
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        distances = self.model_.transform(X)
        if METRICS[self.metric]:
            np.sqrt(distances, out=distances)
        return distances.astype(np.float32 if X.dtype == np.float32 else np.float64, copy=False)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class WeightedClusterer(Clusterer):
    """A `Clusterer` that takes a weight for each sample."""

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Cluster the rows of `X`, {array-like, sparse matrix} (n_samples, n_features).

        `y` is ignored. `sample_weight`: a number of at least 0 for each sample; default:
        all the same.
        """
        return self._fit(X, sample_weight)

    def fit_predict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, X: Any, y: Any = None, sample_weight: Any = None
    ) -> NDArray[Any]:
        """Return `fit(X, sample_weight=sample_weight).labels_`."""
        labels: NDArray[np.int32] = self.fit(X, sample_weight=sample_weight).labels_
        return labels

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return minus the sum over `X` that `inertia_` is of the training data."""
        check_is_fitted(self)
        return self.model_.score(self._checked(X, reset=False), sample_weight)
