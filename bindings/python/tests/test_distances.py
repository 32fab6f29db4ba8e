"""Distances to centroids: predict, transform, score."""

import numpy as np
import pytest

from kentro import KMeans, KMeansError


def brute_force(data, centroids, euclidean):
    data, centroids = data.astype(np.float64), centroids.astype(np.float64)
    if euclidean:
        return ((data[:, None] - centroids) ** 2).sum(axis=2)
    unit = data / np.linalg.norm(data, axis=1, keepdims=True)
    return 1 - unit @ (centroids / np.linalg.norm(centroids, axis=1, keepdims=True)).T


def test_distances_are_those_of_brute_force(blobs, euclidean):
    kmeans = KMeans(9).with_euclidean(euclidean)
    kmeans.train(blobs)
    expected = brute_force(blobs, kmeans.centroids, euclidean)
    all_distances = kmeans.transform(blobs, num_threads=2)
    assert all_distances.shape == (600, 9)
    np.testing.assert_allclose(all_distances, expected, rtol=1e-9, atol=1e-12)
    labels, distances = kmeans.predict(blobs, return_distances=True)
    assert (labels == kmeans.labels).all()
    assert (distances == all_distances[np.arange(600), labels]).all()
    labels, distances = kmeans.predict(blobs, k=4, return_distances=True)
    assert distances.shape == labels.shape == (600, 4)
    assert (distances == np.sort(all_distances, axis=1)[:, :4]).all()
    assert (distances == np.take_along_axis(all_distances, labels.astype(int), axis=1)).all()


@pytest.mark.parametrize("medoids", [False, True])
def test_score_is_minus_the_inertia(blobs, euclidean, medoids):
    kmeans = KMeans(9).with_euclidean(euclidean).with_use_medoids(medoids)
    kmeans.train(blobs)
    assert kmeans.score(blobs) == pytest.approx(-kmeans.inertia, rel=1e-9)
    assert kmeans.score(blobs, sample_weight=np.full(600, 2)) == 2 * kmeans.score(blobs)
    weights = np.zeros(600)
    weights[:200] = 1
    part = kmeans.score(blobs[:200])
    assert kmeans.score(blobs, weights) == pytest.approx(part, rel=1e-12)
    distances = kmeans.transform(blobs).min(axis=1)
    distances = np.sqrt(distances) if medoids and euclidean else distances
    assert kmeans.score(blobs) == pytest.approx(-distances.sum(), rel=1e-12)


def test_balanced_predictions_tell_distances_too(blobs):
    kmeans = KMeans(6).with_euclidean(True).with_balanced(True).with_max_balance_diff(1)
    kmeans.train(blobs)
    labels, distances = kmeans.predict(blobs, balanced=True, return_distances=True)
    assert (distances == kmeans.transform(blobs)[np.arange(600), labels]).all()


def test_no_rows_and_what_is_refused(trained):
    empty = np.empty((0, 8), dtype=np.float32)
    assert trained.transform(empty).shape == (0, 6)
    assert trained.score(empty) == 0
    labels, distances = trained.predict(empty, return_distances=True)
    assert labels.shape == distances.shape == (0,)
    for method in (trained.transform, trained.score):
        with pytest.raises(KMeansError, match="Dimension mismatch: expected 8, got 2"):
            method([[1.0, 2.0]])
        with pytest.raises(KMeansError, match="row 0, column 1 is NaN"):
            method([[1.0, np.nan, 0, 0, 0, 0, 0, 0]])
    for method in (KMeans(2).transform, KMeans(2).score):
        with pytest.raises(KMeansError, match="has not been trained"):
            method([[1.0]])
    with pytest.raises(KMeansError, match="weight of row 0 is -1"):
        trained.score(np.ones((1, 8)), [-1])


def test_distances_of_wide_numbers():
    data = 1e9 + np.arange(16.0)[:, None]
    kmeans = KMeans(4).with_euclidean(True)
    kmeans.train(data)
    expected = (data - kmeans.centroids_f64.T) ** 2
    np.testing.assert_allclose(kmeans.transform(data), expected, rtol=1e-6)
