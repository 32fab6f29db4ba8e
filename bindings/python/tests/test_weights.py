"""Weights of points: what is refused, and what they mean."""

import numpy as np
import pytest

from kentro import KMeans, KMeansError


@pytest.mark.parametrize("train", ["train", "train_labels"])
def test_bad_weights_are_named(blobs, train):
    def error(weights):
        with pytest.raises(KMeansError) as raised:
            getattr(KMeans(2), train)(blobs[:4], sample_weight=weights)
        return str(raised.value)

    assert "must have shape (4,), one weight for each point, got shape (3,)" in error([1, 1, 1])
    assert "got shape (4, 1)" in error(np.ones((4, 1)))
    assert "the weight of row 1 is -1" in error([1, -1, 1, 1])
    assert "the weight of row 3 is NaN" in error(np.array([1, 0, 2, np.nan], dtype=np.float32))
    assert "the weight of row 0 is inf" in error([np.inf, 1, 1, 1])
    assert "the weights of all rows, 0 to 3, are zero" in error([0, 0, 0, 0])
    assert "Number of points (1) must be at least" in error([0, 0, 0.5, 0])
    with pytest.raises(TypeError, match="sample_weight must be numbers"):
        getattr(KMeans(2), train)(blobs[:4], sample_weight=["a", "b", "c", "d"])


def test_weights_may_be_of_any_number_type(blobs):
    weights = np.tile([1, 2, 3], 200)
    expected = KMeans(6).with_use_medoids(True).train_labels(blobs, sample_weight=weights)
    for other in (
        weights.tolist(),
        weights.astype(np.float32),
        weights.astype(">f8"),
        weights[::-1][::-1],
    ):
        model = KMeans(6).with_use_medoids(True)
        assert (model.train_labels(blobs, sample_weight=other) == expected).all()


@pytest.mark.parametrize("euclidean", [True, False])
@pytest.mark.parametrize("limit", [None, 100_000])
def test_weights_of_medoids_are_repeated_rows(blobs, euclidean, limit):
    weights = np.arange(len(blobs)) % 4
    rows = np.repeat(np.arange(len(blobs)), weights)
    model = KMeans(5).with_use_medoids(True).with_euclidean(euclidean)
    if limit is not None:
        model = model.with_memory_limit(limit)
    by_rows, by_weights = model.with_seed(3), model.with_seed(3)
    expected = by_rows.train_labels(blobs[rows])
    labels = by_weights.train_labels(blobs, sample_weight=weights)
    assert (labels[rows] == expected).all()
    assert (rows[by_rows.medoid_indices] == by_weights.medoid_indices).all()
    assert by_rows.inertia == by_weights.inertia


@pytest.mark.parametrize("euclidean", [True, False])
@pytest.mark.parametrize("init", ["auto", "random", "k-means++", "k-means||"])
@pytest.mark.parametrize("quality", ["fast", "best"])
def test_weights_are_repeated_rows(blobs, euclidean, init, quality):
    weights = np.arange(len(blobs)) % 4
    rows = np.repeat(np.arange(len(blobs)), weights)
    model = KMeans(7).with_euclidean(euclidean).with_init(init).with_quality(quality)
    by_rows, by_weights = model.untrained(), model.untrained()
    expected = by_rows.train_labels(blobs[rows])
    labels = by_weights.train_labels(blobs, sample_weight=weights)
    assert (labels[rows] == expected).all()
    assert (by_weights.predict(blobs) == labels).all()
    assert (by_weights.centroids == by_rows.centroids).all()
    assert by_weights.inertia == by_rows.inertia
    sums = np.bincount(labels, weights, minlength=7)
    assert (by_weights.cluster_weights == sums).all()
    assert (by_rows.cluster_weights == sums).all()
    assert by_weights.cluster_sizes.tolist() == np.bincount(labels, minlength=7).tolist()
    loaded = KMeans.from_bytes(by_weights.to_bytes())
    assert (loaded.cluster_weights == sums).all()


def test_weighted_means_are_those_of_scikit_learn(blobs):
    cluster = pytest.importorskip("sklearn.cluster")
    rng = np.random.default_rng(3)
    weights = rng.exponential(size=len(blobs)) * (rng.random(len(blobs)) < 0.8)
    data = blobs.astype(np.float64)
    for start in (blobs[:5], blobs[100:109]):
        expected = cluster.KMeans(len(start), init=start, n_init=1, max_iter=100, tol=0).fit(
            data, sample_weight=weights
        )
        model = KMeans(len(start)).with_euclidean(True).with_init(start).with_iterations(100)
        labels = model.train_labels(blobs, sample_weight=weights)
        assert (labels == expected.labels_).all()
        assert np.allclose(model.centroids, expected.cluster_centers_, atol=1e-5)
        assert model.inertia == pytest.approx(expected.inertia_, rel=1e-6)


def test_weighted_balanced_clusters_cost_least(blobs):
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(4)
    data = blobs[:120].astype(np.float64)
    weights = rng.exponential(size=120) * (rng.random(120) < 0.9)
    model = KMeans(6).with_euclidean(True).with_size_bounds(20, 20)
    labels = model.train_labels(blobs[:120], sample_weight=weights)
    assert model.cluster_sizes.tolist() == [20] * 6
    squares = ((data[:, None] - model.centroids.astype(np.float64)[None]) ** 2).sum(axis=2)
    costs = weights[:, None] * squares
    rows, places = optimize.linear_sum_assignment(np.repeat(costs, 20, axis=1))
    assert model.inertia == pytest.approx(costs[rows, places // 20].sum(), rel=1e-9)
    assert model.inertia == pytest.approx(costs[np.arange(120), labels].sum(), rel=1e-9)
    assert model.balance_gap <= 1e-9
