"""Known optima on published sets, and scikit-learn as the reference.

The sets of Fränti & Sieranoja (2018) are not part of the project; without them
their tests are skipped.
"""

import local_minima
import numpy as np
import pytest

DATA = local_minima.ROOT / "../shared/data"
SETS = ["a1", "a2", "a3", "s1", "s2", "s3", "s4", "unbalance", "d31"]

needs_sets = pytest.mark.skipif(
    not (DATA / "sipu.npz").exists(), reason="needs ../shared/data/sipu.npz"
)


@needs_sets
@pytest.mark.parametrize("name", SETS)
def test_best_finds_all_true_clusters(name):
    data, truth = local_minima.load(name, DATA)
    fit = local_minima.kentro("best")
    centroids = [fit(data, local_minima.CLUSTERS[name], seed) for seed in range(20)]
    found = [local_minima.centroid_index(found, truth) == 0 for found in centroids]
    assert sum(found) >= 19


@pytest.mark.parametrize("name", ["digits", *(pytest.param(n, marks=needs_sets) for n in SETS)])
def test_no_higher_than_scikit_learn(name):
    """`best` than ten starts, `default` than one, in the median."""
    data, _ = local_minima.load(name, DATA)

    def median(fit, seeds):
        fits = (fit(data, local_minima.CLUSTERS[name], seed) for seed in range(seeds))
        return np.median([local_minima.inertia(data, centroids) for centroids in fits])

    best = median(local_minima.kentro("best"), 5)
    assert best <= median(local_minima.sklearn(10), 3) * (1 + 1e-9)
    default = median(local_minima.kentro("default"), 9)
    assert default <= median(local_minima.sklearn(1), 9) * (1 + 1e-5)
