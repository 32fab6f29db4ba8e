"""Numbers of more digits than float32: epoch seconds, metres, ids."""

import warnings

import numpy as np
import pytest
from reference import labels_of

from kentro import KMeans, KMeansError, KMeansWarning

RNG = np.random.default_rng(3)


def _near(places, offset, noise=0, rows=600, dtype=np.float64):
    """Rows at `places` from `offset`, up to `noise` beyond, and the place of each."""
    place = RNG.integers(len(places), size=rows)
    data = np.asarray(places)[place] + (noise * RNG.random((rows, 1)) if noise else 0)
    return np.asarray(offset, dtype) + data.astype(dtype), place


def _grid(side, step):
    return [[step * (j % side), step * (j // side)] for j in range(side * side)]


# Data, the true cluster of each row.
WIDE = {
    "numbers beside each other": (
        1e9 + np.repeat(np.arange(8), 3)[:, None],
        np.repeat(np.arange(8), 3),
    ),
    "epoch seconds": _near([[86_400 * day] for day in range(6)], 1_700_000_000, 600),
    "epoch milliseconds": _near([[day] for day in range(6)], 1_700_000_000_000, dtype=np.int64),
    "UTM metres": _near(_grid(4, 8), [500_123.25, 5_412_345.5], 1),
    "int64 ids": _near([[3 * j] for j in range(7)], 2**62, dtype=np.int64),
    "uint64 ids": _near([[1000 * j] for j in range(5)], 2**63, dtype=np.uint64),
    "int32": _near([[9 * j] for j in range(9)], -(2**31), dtype=np.int32),
    "swapped bytes": _near([[j] for j in range(4)], 10**8, dtype=">i4"),
}


def same_partition(ours, theirs):
    pairs = np.unique(np.stack([ours, theirs], axis=1), axis=0)
    return len(pairs) == len(np.unique(ours)) == len(np.unique(theirs))


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("kind", ["plain", "balanced", "medoids"])
def test_clusters_of_wide_numbers_are_found(name, kind):
    data, truth = WIDE[name]
    k = truth.max() + 1
    kmeans = KMeans(k).with_euclidean(True).with_quality("best")
    kmeans = kmeans.with_balanced(kind == "balanced").with_max_balance_diff(len(data))
    kmeans = kmeans.with_use_medoids(kind == "medoids")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = labels_of(kmeans.train(data), len(data))
    assert same_partition(labels, truth)
    assert (kmeans.predict(data) == labels).all()
    centroids = kmeans.centroids_f64
    assert centroids.dtype == np.float64
    assert np.array_equal(centroids.astype(np.float32), kmeans.centroids)
    assert kmeans.offset.shape == (data.shape[1],)
    assert kmeans.cluster_sizes.tolist() == np.bincount(labels).tolist()


@pytest.mark.parametrize("name", ["epoch seconds", "UTM metres"])
def test_wide_numbers_as_scikit_learn_has_them(name):
    cluster = pytest.importorskip("sklearn.cluster")
    data, truth = WIDE[name]
    k = truth.max() + 1
    start = data[RNG.choice(len(data), k, replace=False)].astype(float)
    theirs = cluster.KMeans(k, init=start, n_init=1, max_iter=50, tol=0).fit(data)
    ours = KMeans(k).with_euclidean(True).with_init(start).with_iterations(50)
    labels = ours.train_labels(data)
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-5)
    assert same_partition(labels, theirs.labels_)
    np.testing.assert_allclose(ours.centroids_f64, theirs.cluster_centers_, rtol=0, atol=0.02)


def test_centroids_go_out_and_in_with_all_digits():
    data, k = WIDE["numbers beside each other"][0], 8
    first = KMeans(k).with_euclidean(True)
    labels = first.train_labels(data)
    again = KMeans(k).with_euclidean(True).with_init(first.centroids_f64)
    assert (again.train_labels(data) == labels).all()
    assert again.n_iter <= 2
    assert (again.centroids_f64 == first.centroids_f64).all()
    assert KMeans(2).centroids_f64 is None
    assert KMeans(2).offset is None


def test_data_without_an_offset_keep_the_bits_of_float32(blobs):
    wide = KMeans(6).with_euclidean(True)
    wide.train(blobs.astype(np.float64))
    narrow = KMeans(6).with_euclidean(True)
    narrow.train(blobs)
    assert wide.offset is None
    assert (wide.centroids == narrow.centroids).all()
    assert (wide.centroids_f64 == narrow.centroids).all()


def test_what_rounding_merges_is_said():
    data = np.append(1e9 + np.repeat(np.arange(8), 3), 0)[:, None]
    with pytest.warns(KMeansWarning, match="differ as float64 but not as float32"):
        KMeans(9).with_euclidean(True).train(data)
    with pytest.warns(KMeansWarning, match="fewer distinct points than clusters"):
        KMeans(3).with_euclidean(True).train([[1.0], [1.0], [2.0]])
    with pytest.warns(KMeansWarning, match="fewer distinct directions than clusters"):
        KMeans(3).train([[1.0, 1.0], [2.0, 2.0], [1.0, 0.0]])


def test_a_number_beyond_float32_is_too_large():
    data = np.ones((4, 3))
    data[2, 1] = 1e39
    with pytest.raises(
        KMeansError, match="row 2, column 1 is 1e39, which is too large for float32"
    ):
        KMeans(2).train(data)


def test_settings_of_a_trained_model_do_not_change_its_predictions(blobs, trained):
    expected = trained.predict(blobs)
    other = trained.with_euclidean(False).with_use_medoids(True).with_balanced(True)
    assert (other.predict(blobs) == expected).all()
    assert other.medoid_indices is None
    assert other.balance_gap is None
    with pytest.raises(KMeansError, match="trained with"):
        other.predict(blobs, balanced=True)
