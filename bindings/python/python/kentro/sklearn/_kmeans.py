"""K-means as an estimator."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils import check_array, check_random_state, check_scalar

from .._random import seed
from ._base import Model, WeightedClusterer

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What `n_init="auto"` means where starts differ more.
_SEVERAL = 10


class KMeans(WeightedClusterer):
    """K-means: `sklearn.cluster.KMeans`, with exact labels and better minima.

    The parameters and defaults are those of scikit-learn. What is different or new:

    init : "k-means++" (default), "random", an array of n_clusters x n_features, a callable
        `init(X, n_clusters, random_state=...)`; and "k-means||", "auto" and "tree", which are
        much faster for many clusters.
    tol : stop when an iteration lowers the inertia by less than the fraction
        `tol / (n_clusters * n_features)`: what scikit-learn's rule for the moves of centres
        comes to in clusters of equal size. 0: stop when no label changes.
    metric : "euclidean" (default) or "cosine", for which centres are unit vectors and
        `inertia_` is the sum of 1 - cosine.
    quality : "fast", "default" or "best": how much time to spend for a lower inertia.
    copy_x, algorithm : accepted and without effect. Data are never changed, and results
        are exact whatever the algorithm.

    Attributes are those of scikit-learn (`cluster_centers_` in the number type of X,
    `labels_`, `inertia_`, `n_iter_`, `n_features_in_`, `feature_names_in_`), and
    `model_`, the `kentro.KMeans` of the result, which saves itself.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Any = "k-means++",
        n_init: int | Literal["auto"] = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int | bool = 0,
        random_state: Any = None,
        copy_x: bool = True,
        algorithm: Literal["lloyd", "elkan"] = "lloyd",
        metric: Literal["euclidean", "cosine"] = "euclidean",
        quality: Literal["fast", "default", "best"] = "default",
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init: Any = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm
        self.metric = metric
        self.quality: Any = quality

    def _trained(self, model: Model, X: Any, sample_weight: Any) -> tuple[Model, NDArray[Any]]:
        if not callable(self.init):
            return model, model.train_labels(X, sample_weight=sample_weight)
        random_state = check_random_state(self.random_state)
        trained = []
        for _ in range(_SEVERAL if self.n_init == "auto" else self.n_init):
            centres = self.init(X, self.n_clusters, random_state=random_state)
            start = model.with_init(check_array(centres))
            trained.append((start, start.train_labels(X, sample_weight=sample_weight)))
        return min(trained, key=lambda pair: pair[0].inertia or 0.0)

    def _configured(self, model: Model, n_features: int) -> Model:
        check_scalar(self.tol, "tol", Real, min_val=0)
        if self.n_init != "auto":
            check_scalar(self.n_init, "n_init", Integral, min_val=1)
        if self.algorithm not in ("lloyd", "elkan"):
            raise ValueError(
                f"algorithm must be one of 'lloyd', 'elkan', got {self.algorithm!r}"
            )
        model = model.with_quality(self.quality).with_tolerance(
            float(self.tol) / (self.n_clusters * n_features)
        )
        if callable(self.init):
            return model
        model = model.with_seed(seed(self.random_state))
        if isinstance(self.init, str):
            several = _SEVERAL if self.init == "random" else 1
            n_init = several if self.n_init == "auto" else self.n_init
            name: Any = self.init  # the core knows the names
            return model.with_init(name).with_n_init(n_init)
        if self.n_init not in ("auto", 1):
            warnings.warn(
                "Explicit initial center position passed: performing only one init in "
                f"{type(self).__name__} instead of n_init={self.n_init}.",
                RuntimeWarning,
                stacklevel=5,
            )
        floats: Any = [np.float64, np.float32]
        return model.with_init(check_array(self.init, dtype=floats))
