"""What training and assignment return: API.md, section 2."""

import warnings

import numpy as np
import pytest
from conftest import make_blobs
from reference import assert_nearest, labels_of, unit_rows

from kentro import KMeans, KMeansError, KMeansWarning


def test_train_returns_a_partition(blobs, euclidean):
    clusters = KMeans(6).with_euclidean(euclidean).train(blobs)
    assert len(clusters) == 6
    assert all(clusters)
    labels_of(clusters, len(blobs))


def test_assign_on_the_training_data_reproduces_train(euclidean):
    data = np.random.default_rng(5).normal(size=(2000, 10)).astype(np.float32)
    for iterations in (1, 3, 100):  # converged or not
        kmeans = KMeans(17).with_euclidean(euclidean).with_iterations(iterations)
        assert kmeans.train(data) == kmeans.assign(data, k=1)


def test_assign_to_several(trained, blobs):
    for k in (1, 2, 5, 6):
        clusters = trained.assign(blobs, k)
        assert len(clusters) == 6
        counts = np.bincount(np.concatenate(clusters).astype(int), minlength=len(blobs))
        assert (counts == k).all()
        order = ((blobs[:, None] - trained.centroids) ** 2).sum(axis=2).argsort(axis=1)
        for cluster, members in enumerate(clusters):
            assert members == np.flatnonzero((order[:, :k] == cluster).any(axis=1)).tolist()


def test_assign_to_more_than_all(trained, blobs):
    every = [list(range(len(blobs)))] * 6
    for k in (6, 7, 10**6, 2**63):
        assert trained.assign(blobs, k) == every


def test_assign_no_rows(trained):
    empty = np.empty((0, 8), dtype=np.float32)
    assert trained.assign(empty) == [[], [], [], [], [], []]
    assert trained.assign(empty, k=3) == [[], [], [], [], [], []]
    assert trained.predict(empty).shape == (0,)


def test_assign_defaults(trained, blobs):
    assert trained.assign(blobs) == trained.assign(blobs, 1) == trained.assign(data=blobs, k=1)
    assert trained.assign(blobs, num_threads=1) == trained.assign(blobs, 1, 2)


def test_ties_go_to_the_lowest_index():
    for ends in ([[-1, 0], [1, 0]], [[1, 0], [-1, 0]]):
        kmeans = KMeans(2).with_euclidean(True).with_init(ends)
        kmeans.train([[-1, 0], [1, 0]])
        assert kmeans.centroids.tolist() == ends
        assert kmeans.assign([[0, 0], [0, 7], [0, -3]]) == [[0, 1, 2], []]
        assert kmeans.assign([[0, 1]], k=1) == [[0], []]
    start = np.array([[3], [1], [-1], [-3]], dtype=np.float32)
    kmeans = KMeans(4).with_euclidean(True).with_init(start)
    kmeans.train(start)
    # 0 lies between clusters 1 and 2, 2 between 0 and 1.
    assert kmeans.predict([[0], [2], [-2]]).tolist() == [1, 0, 2]


def test_duplicate_centroids_tie_to_the_lowest_index():
    data = np.zeros((8, 3), dtype=np.float32)
    kmeans = KMeans(4).with_euclidean(True)
    with pytest.warns(KMeansWarning):
        kmeans.train(data)
    assert kmeans.assign([[1.0, 1.0, 1.0]]) == [[0], [], [], []]


def test_no_cluster_is_empty_while_there_are_distinct_points(euclidean):
    rng = np.random.default_rng(6)
    for case in range(150):
        distinct = int(rng.integers(1, 25))
        pool = rng.normal(size=(distinct, 3)).astype(np.float32)
        extra = pool[rng.zipf(1.5, size=int(rng.integers(0, 200))) % distinct]
        data = rng.permutation(np.concatenate([pool, extra]))
        clusters = int(rng.integers(1, distinct + 1))
        kmeans = KMeans(clusters).with_euclidean(euclidean).with_seed(case)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = kmeans.train(data, num_threads=1)
        assert all(result), f"case {case}: {distinct} distinct points, {clusters} clusters"
        labels_of(result, len(data))


@pytest.mark.parametrize("distinct", [1, 3])
def test_fewer_distinct_points_than_clusters(distinct, euclidean):
    pool = np.eye(3, dtype=np.float32)[:distinct]
    data = np.repeat(pool, 5, axis=0)
    kmeans = KMeans(5).with_euclidean(euclidean)
    with pytest.warns(KMeansWarning) as caught:
        clusters = kmeans.train(data)
    assert caught[0].filename == __file__
    assert sum(map(bool, clusters)) == distinct
    assert len(clusters) == 5
    labels_of(clusters, len(data))
    assert np.isfinite(kmeans.centroids).all()


def test_a_warning_made_an_error_leaves_the_model_untrained():
    kmeans = KMeans(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(KMeansWarning):
            kmeans.train(np.ones((5, 2)))
    assert not kmeans.is_trained


def test_as_many_clusters_as_points(euclidean):
    data = np.random.default_rng(7).normal(size=(30, 4)).astype(np.float32)
    kmeans = KMeans(30).with_euclidean(euclidean)
    assert sorted(kmeans.train(data)) == [[i] for i in range(30)]
    assert kmeans.inertia == pytest.approx(0, abs=1e-5)


def test_one_cluster(blobs):
    kmeans = KMeans(1).with_euclidean(True)
    assert kmeans.train(blobs) == [list(range(len(blobs)))]
    np.testing.assert_allclose(kmeans.centroids[0], blobs.mean(axis=0), rtol=1e-4, atol=1e-6)


def test_one_point():
    assert KMeans(1).train([[2.0, 1.0]]) == [[0]]


def test_one_dimension():
    data = np.array([[0.0], [0.1], [5.0], [5.1], [9.0]], dtype=np.float32)
    clusters = KMeans(3).with_euclidean(True).train(data)
    assert sorted(clusters) == [[0, 1], [2, 3], [4]]
    assert sorted(KMeans(2).train(data - 2.5)) == [[0, 1], [2, 3, 4]]


def test_cosine_treats_rows_as_unit_vectors(blobs):
    scales = np.random.default_rng(8).uniform(0.01, 100, size=(len(blobs), 1))
    start = blobs[:6]
    plain, scaled = (KMeans(6).with_init(start) for _ in range(2))
    assert plain.train(blobs) == scaled.train((blobs * scales).astype(np.float32))
    np.testing.assert_allclose(plain.centroids, scaled.centroids, atol=1e-5)
    assert plain.assign(blobs[:50] * 1000) == plain.assign(blobs[:50])


def test_cosine_centroids_are_unit_mean_directions(blobs):
    kmeans = KMeans(6).with_iterations(100)
    labels = labels_of(kmeans.train(blobs), len(blobs))
    unit = unit_rows(blobs)
    sums = np.stack([unit[labels == c].sum(axis=0) for c in range(6)])
    np.testing.assert_allclose(kmeans.centroids, unit_rows(sums), atol=1e-5)
    assert kmeans.inertia == pytest.approx(
        len(blobs) - np.linalg.norm(sums, axis=1).sum(), rel=1e-4
    )


def test_zero_rows_with_cosine():
    data = make_blobs(rows=200)
    with_zeros = np.insert(data, [0, 50, 200], 0, axis=0)
    zeros = np.flatnonzero(~with_zeros.any(axis=1))
    kmeans = KMeans(6).with_init(data[:6])
    labels = labels_of(kmeans.train(with_zeros), len(with_zeros))
    assert (labels[zeros] == 0).all()
    plain = KMeans(6).with_init(data[:6])
    assert (labels[with_zeros.any(axis=1)] == plain.train_labels(data)).all()
    np.testing.assert_allclose(kmeans.centroids, plain.centroids, atol=1e-6)
    assert kmeans.assign(np.zeros((2, 8))) == [[0, 1], [], [], [], [], []]


def test_only_zero_rows_with_cosine():
    kmeans = KMeans(1)
    assert kmeans.train(np.zeros((3, 2))) == [[0, 1, 2]]
    assert np.isfinite(kmeans.centroids).all()


def test_convergence(blobs, euclidean):
    kmeans = KMeans(6).with_euclidean(euclidean).with_iterations(1000)
    kmeans.train(blobs)
    assert kmeans.n_iter < 100
    again = KMeans(6).with_euclidean(euclidean).with_init(kmeans.centroids)
    again.train(blobs)
    assert again.n_iter <= 2
    once = KMeans(6).with_euclidean(euclidean).with_iterations(1)
    once.train(blobs)
    assert once.n_iter == 1


@pytest.mark.parametrize("scale", [1e30, 1e18, 1e-18, 1e-30])
def test_huge_and_tiny_values(scale, euclidean):
    data = (make_blobs(rows=500).astype(np.float64) * scale).astype(np.float32)
    kmeans = KMeans(6).with_euclidean(euclidean)
    labels = labels_of(kmeans.train(data), len(data))
    assert np.isfinite(kmeans.centroids).all()
    assert_nearest(labels, data.astype(np.float64) / scale, kmeans.centroids / scale, euclidean)
    assert len(set(labels.tolist())) == 6


@pytest.mark.parametrize("euclidean", [True, False])
def test_a_row_alone_gets_what_it_gets_among_many(euclidean):
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((300, 40)).astype(np.float32)
    model = KMeans.from_centroids(rows[:60], euclidean=euclidean)
    for k in (1, 5):
        labels, distances = model.predict(rows, k=k, return_distances=True)
        for size in (1, 7, 64):
            for first in range(0, 300, size):
                batch = slice(first, first + size)
                found = model.predict(rows[batch], k=k, return_distances=True)
                assert np.array_equal(found[0], labels[batch])
                assert np.array_equal(found[1], distances[batch])
        # Of other layouts and number types, too, and where it is told to write.
        wide = rows.astype(np.float64)
        alike = (np.asfortranarray(rows), rows[::-1][::-1], wide, rows.tolist())
        for data in alike:
            assert np.array_equal(model.predict(data, k=k), labels)
        frozen = rows[3:4].copy()
        frozen.flags.writeable = False
        out = np.empty(labels[3:4].shape, np.uint32)
        assert model.predict(frozen, k=k, out=out) is out
        assert np.array_equal(out, labels[3:4])


def test_a_single_row_is_checked_like_any_other():
    model = KMeans.from_centroids(np.eye(3, dtype=np.float32), euclidean=True)
    with pytest.raises(KMeansError, match="row 0, column 1"):
        model.predict(np.array([[0, np.nan, 0]], np.float32))
    with pytest.raises(KMeansError, match="2"):
        model.predict(np.zeros((1, 2), np.float32))
    with pytest.raises(KMeansError, match="shape"):
        model.predict(np.zeros((1, 3), np.float32), out=np.empty(2, np.uint32))
    with pytest.raises(KMeansError, match="has not been trained"):
        KMeans(3).predict(np.zeros((1, 3), np.float32))
