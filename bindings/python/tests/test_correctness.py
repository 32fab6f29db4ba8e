"""Against float64 brute force and scikit-learn."""

import numpy as np
import pytest
from conftest import make_blobs
from reference import assert_nearest, distances, labels_of

from kentro import KMeans


def data_sets():
    rng = np.random.default_rng(9)
    duplicates = make_blobs(rows=40, dims=5)[rng.integers(40, size=3000)]
    return {
        "random": rng.normal(size=(3000, 16)).astype(np.float32),
        "clustered": make_blobs(rows=3000, dims=32, clusters=20),
        "duplicates": duplicates,
        "offset": (1e4 + rng.uniform(-1, 1, size=(3000, 12))).astype(np.float32),
        "low-dimensional": rng.uniform(size=(3000, 2)).astype(np.float32),
        "long": rng.normal(size=(300, 1537)).astype(np.float32),
    }


DATA = data_sets()
CASES = [
    pytest.param(name, euclidean, id=f"{name}-{'euclidean' if euclidean else 'cosine'}")
    for name in DATA
    for euclidean in (True, False)
    if euclidean or name != "offset"  # see test_cosine_far_from_the_origin
]


@pytest.mark.parametrize(("name", "euclidean"), CASES)
def test_labels_equal_float64_brute_force(name, euclidean):
    data = DATA[name]
    kmeans = KMeans(20).with_euclidean(euclidean).with_iterations(8)
    labels = labels_of(kmeans.train(data), len(data))
    # The labels belong to the returned centroids.
    assert_nearest(labels, data, kmeans.centroids, euclidean)
    queries = data[::-1][:500] * np.float32(1.0001)
    assert_nearest(kmeans.predict(queries), queries, kmeans.centroids, euclidean)


@pytest.mark.parametrize(("name", "euclidean"), CASES)
def test_inertia_is_that_of_the_labels(name, euclidean):
    data = DATA[name]
    kmeans = KMeans(20).with_euclidean(euclidean).with_iterations(8)
    labels = kmeans.train_labels(data)
    table = distances(data, kmeans.centroids, euclidean)
    expected = table[np.arange(len(data)), labels].sum()
    assert kmeans.inertia == pytest.approx(expected, rel=1e-4)


def test_cosine_far_from_the_origin():
    data = DATA["offset"]
    kmeans = KMeans(20).with_iterations(8)
    labels = labels_of(kmeans.train(data), len(data))
    assert min(kmeans.cluster_sizes) > 0
    assert_nearest(labels, data, kmeans.centroids, euclidean=False)


@pytest.mark.parametrize("name", DATA)
def test_inertia_is_that_of_scikit_learn(name):
    cluster = pytest.importorskip("sklearn.cluster")
    data = DATA[name]
    start = data[np.random.default_rng(10).choice(len(data), 20, replace=False)]
    if name == "duplicates":
        start = np.unique(data, axis=0)[:20]
    for iterations in (1, 5, 25):
        ours = KMeans(20).with_euclidean(True).with_init(start).with_iterations(iterations)
        ours.train(data)
        theirs = cluster.KMeans(20, init=start, n_init=1, max_iter=iterations, tol=0).fit(data)
        assert ours.inertia == pytest.approx(theirs.inertia_, rel=0.01)


def test_own_start_is_no_worse_than_that_of_scikit_learn():
    cluster = pytest.importorskip("sklearn.cluster")
    data = DATA["clustered"]

    def ours(seed):
        kmeans = KMeans(20).with_euclidean(True).with_seed(seed)
        kmeans.train(data)
        return kmeans.inertia

    def theirs(seed):
        return cluster.KMeans(20, n_init=1, max_iter=25, random_state=seed).fit(data).inertia_

    seeds = range(15)
    assert np.median([ours(s) for s in seeds]) <= np.median([theirs(s) for s in seeds]) * 1.001


@pytest.mark.parametrize("settings", ["plain", "balanced", "medoids"])
def test_same_bits_at_any_number_of_threads(settings, euclidean):
    data = np.random.default_rng(11).normal(size=(4000, 24)).astype(np.float32)
    kmeans = KMeans(30).with_euclidean(euclidean).with_iterations(6)
    kmeans = kmeans.with_balanced(settings == "balanced")
    kmeans = kmeans.with_use_medoids(settings == "medoids")
    results = []
    for num_threads in (1, 2, 8, None):
        model = kmeans.with_seed(3)
        model.train(data, num_threads=num_threads)
        nearest = model.assign(data[:500], 3, num_threads)
        results.append(
            (model.centroids.tobytes(), model.labels.tobytes(), model.inertia, nearest)
        )
    assert all(result == results[0] for result in results)
