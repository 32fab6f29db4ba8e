"""Known optima on published sets, and scikit-learn as the reference.

The sets of Fränti & Sieranoja (2018) are not part of the project; without them
their tests are skipped.
"""

from pathlib import Path

import numpy as np
import pytest
from sklearn import cluster
from sklearn.datasets import load_digits

from kentro import KMeans

SETS = Path(__file__).parents[3] / "../shared/data/sipu.npz"
CLUSTERS = {
    "a1": 20,
    "a2": 35,
    "a3": 50,
    "s1": 15,
    "s2": 15,
    "s3": 15,
    "s4": 15,
    "unbalance": 8,
    "d31": 31,
}

needs_sets = pytest.mark.skipif(not SETS.exists(), reason="needs ../shared/data/sipu.npz")


def load(name):
    """Rows, and the mean of each true cluster."""
    sets = np.load(SETS)
    data, truth = sets[name + ".X"].astype(np.float32), sets[name + ".y0"]
    return data, np.array([data[truth == kind].mean(0) for kind in np.unique(truth[truth > 0])])


def inertia(data, centroids):
    rows, centroids = data.astype(float), centroids.astype(float)
    return min_squares(rows, centroids).sum()


def min_squares(rows, centroids):
    parts = np.array_split(rows, max(1, len(rows) // 1000))
    tables = (((part[:, None] - centroids[None]) ** 2).sum(2) for part in parts)
    return np.concatenate([table.min(1) for table in tables])


def centroid_index(a, b):
    """How many clusters one has and the other lacks (Fränti, Rezaei & Zhao, 2014)."""

    def orphans(a, b):
        distances = ((a[:, None].astype(float) - b[None]) ** 2).sum(2)
        return len(b) - len(np.unique(distances.argmin(1)))

    return max(orphans(a, b), orphans(b, a))


def kentro(data, k, quality, seed):
    model = KMeans(k).with_euclidean(True).with_seed(seed).with_quality(quality)
    model.train_labels(data)
    return model.centroids


def reference(data, k, n_init, seeds):
    """scikit-learn's median inertia."""
    models = (cluster.KMeans(k, n_init=n_init, random_state=seed) for seed in range(seeds))
    return np.median([inertia(data, model.fit(data).cluster_centers_) for model in models])


@needs_sets
@pytest.mark.parametrize("name", CLUSTERS)
def test_best_finds_all_true_clusters(name):
    data, truth = load(name)
    k = CLUSTERS[name]
    found = [centroid_index(kentro(data, k, "best", seed), truth) == 0 for seed in range(20)]
    assert sum(found) >= 19


@needs_sets
@pytest.mark.parametrize("name", CLUSTERS)
def test_no_higher_than_scikit_learn(name):
    data, _ = load(name)
    compare(data, CLUSTERS[name])


def test_no_higher_than_scikit_learn_on_digits():
    compare(load_digits().data.astype(np.float32), 100)


def compare(data, k):
    """`best` with ten starts of scikit-learn, `default` with one."""
    best = np.median([inertia(data, kentro(data, k, "best", seed)) for seed in range(5)])
    assert best <= reference(data, k, n_init=10, seeds=3) * (1 + 1e-9)
    default = np.median([inertia(data, kentro(data, k, "default", seed)) for seed in range(9)])
    assert default <= reference(data, k, n_init=1, seeds=9) * (1 + 1e-5)
