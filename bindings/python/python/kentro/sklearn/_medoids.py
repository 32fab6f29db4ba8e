"""K-medoids as an estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._random import seed
from ._base import Model, WeightedClusterer

if TYPE_CHECKING:
    from numpy.typing import NDArray


class KMedoids(WeightedClusterer):
    """K-medoids: centres are samples, and `inertia_` is a sum of distances, not squared.

    n_clusters, metric, max_iter, random_state, verbose : as in `KMeans`.

    Attributes: `cluster_centers_`, `medoid_indices_` (the row of each centre), `labels_`,
    `inertia_`, `n_iter_`, `n_features_in_`, `feature_names_in_`; `model_`, the
    `kentro.KMeans` of the result.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        metric: Literal["euclidean", "cosine"] = "euclidean",
        max_iter: int = 300,
        verbose: int | bool = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.metric = metric
        self.max_iter = max_iter
        self.verbose = verbose
        self.random_state = random_state

    def _configured(self, model: Model, n_features: int) -> Model:
        return model.with_use_medoids(True).with_seed(seed(self.random_state))

    def _keep(self, model: Model, labels: NDArray[Any], dtype: np.dtype[Any]) -> None:
        super()._keep(model, labels, dtype)
        self.medoid_indices_ = np.array(model.medoid_indices, dtype=np.intp)
