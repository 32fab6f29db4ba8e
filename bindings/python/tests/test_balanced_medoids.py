"""Balanced clusters and medoids."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import make_blobs
from reference import assert_nearest, labels_of, unit_rows

from kentro import KMeans

DIGITS = Path(__file__).parents[3] / "examples" / "data" / "digits.csv"


def generated_case(rng):
    """Points with a difficulty, a number of clusters, and a bound."""
    rows = int(rng.integers(1, 80))
    dims = int(rng.integers(1, 5))
    data = rng.normal(size=(rows, dims))
    kind = rng.integers(6)
    if kind == 0:  # outliers
        data[rng.integers(rows, size=1 + rows // 10)] *= 1e4
    elif kind == 1:  # duplicates
        data = data[rng.integers(1 + rows // 8, size=rows)]
    elif kind == 2:  # one heap and a few far away
        data[rows // 10 :] *= 1e-3
    elif kind == 3:  # all the same
        data[:] = data[0]
    elif kind == 4:  # a far offset
        data += 1e4
    clusters = rows if rng.random() < 0.1 else int(rng.integers(1, rows + 1))
    limit = 1 if rng.random() < 0.5 else int(rng.integers(1, 20))
    return data.astype(np.float32), clusters, limit


@pytest.mark.parametrize("use_medoids", [False, True], ids=["means", "medoids"])
def test_the_bound_is_always_met(use_medoids, euclidean):
    rng = np.random.default_rng(14)
    for case in range(250):
        data, clusters, limit = generated_case(rng)
        kmeans = (
            KMeans(clusters)
            .with_euclidean(euclidean)
            .with_balanced(True)
            .with_max_balance_diff(limit)
            .with_use_medoids(use_medoids)
            .with_iterations(5)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            labels = labels_of(kmeans.train(data, num_threads=1), len(data))
        sizes = np.bincount(labels, minlength=clusters)
        text = f"case {case}: {len(data)} points, {clusters} clusters, at most {limit}: {sizes}"
        assert np.ptp(sizes) <= limit, text
        assert kmeans.cluster_sizes.tolist() == sizes.tolist()
        assert np.isfinite(kmeans.centroids).all(), text


def test_the_default_bound_is_16(euclidean):
    skewed = np.concatenate([make_blobs(rows=900, clusters=1), make_blobs(rows=60, seed=2)])
    kmeans = KMeans(7).with_euclidean(euclidean).with_balanced(True)
    kmeans.train(skewed)
    assert np.ptp(kmeans.cluster_sizes) <= 16
    assert np.ptp(KMeans(7).with_euclidean(True).train_labels(skewed)) > 0


def test_a_loose_bound_changes_nothing(blobs, euclidean):
    plain = KMeans(6).with_euclidean(euclidean)
    bound = plain.with_balanced(True).with_max_balance_diff(len(blobs))
    plain.train(blobs)
    bound.train(blobs)
    assert bound.inertia <= plain.inertia * 1.02


def test_sizes_lie_between_given_bounds(blobs, euclidean):
    kmeans = KMeans(6).with_euclidean(euclidean).with_size_bounds(40, 70)
    assert (kmeans.is_balanced, kmeans.size_bounds) == (True, (40, 70))
    bounded = np.concatenate([blobs[:200], blobs[:100]])
    kmeans.train(bounded)
    assert all(40 <= size <= 70 for size in kmeans.cluster_sizes)
    exact = KMeans(6).with_euclidean(euclidean).with_size_bounds(50, 50)
    exact.train(bounded)
    assert list(exact.cluster_sizes) == [50] * 6
    assert 0 <= exact.balance_gap <= 1e-6


def test_the_last_bound_counts():
    kmeans = KMeans(6).with_max_balance_diff(3).with_size_bounds(2, 9)
    assert kmeans.size_bounds == (2, 9)
    assert kmeans.with_max_balance_diff(4).size_bounds is None
    assert KMeans(6).size_bounds is None


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ((11, 30), "min_size 11 in each of 6 clusters takes 66 points, but there are 60"),
        ((0, 9), "max_size 9 in each of 6 clusters has room for 54 points, but there are 60"),
    ],
)
def test_bounds_that_no_sizes_meet(bounds, text):
    with pytest.raises(ValueError, match=text):
        KMeans(6).with_size_bounds(*bounds).train(make_blobs(rows=60))


def test_bounds_the_wrong_way_round():
    with pytest.raises(ValueError, match="min_size 7 is greater than max_size 5"):
        KMeans(6).with_size_bounds(7, 5)


def test_prices_spread_new_points():
    rng = np.random.default_rng(15)

    def heap(rows):  # nine tenths of the points lie in one
        return np.where(rng.random((rows, 1)) < 0.9, 0, 5) + rng.normal(size=(rows, 3))

    kmeans = KMeans(6).with_euclidean(True).with_balanced(True).with_max_balance_diff(1)
    kmeans.train(heap(1200))
    assert 0 <= kmeans.balance_gap <= 1e-6
    new = heap(1200)
    nearest, priced = kmeans.predict(new), kmeans.predict(new, balanced=True)
    sizes = np.bincount(priced, minlength=6)
    assert np.ptp(sizes) < 0.5 * np.ptp(np.bincount(nearest, minlength=6))
    assert [len(members) for members in kmeans.assign(new, balanced=True)] == sizes.tolist()
    np.testing.assert_array_equal(labels_of(kmeans.assign(new, balanced=True), 1200), priced)
    with pytest.raises(ValueError, match="k must be 1 when balanced is True, got 2"):
        kmeans.predict(new, k=2, balanced=True)
    with pytest.raises(ValueError, match="k must be 1 when balanced is True, got 2"):
        kmeans.assign(new, 2, balanced=True)
    plain = KMeans(6)
    assert plain.balance_gap is None
    plain.train(new)
    assert plain.balance_gap is None
    with pytest.raises(ValueError, match="balanced assignment needs a model trained with"):
        plain.predict(new, balanced=True)


def test_medoids_say_how_they_were_found():
    kmeans = KMeans(3).with_use_medoids(True)
    assert kmeans.info is None
    kmeans.train(make_blobs(60, 3, 3))
    assert kmeans.info


def test_balanced_costs_little_inertia():
    data = make_blobs(rows=1200, dims=4, clusters=6, spread=1.5)
    balanced = KMeans(6).with_euclidean(True).with_balanced(True).with_max_balance_diff(1)
    labels = balanced.train_labels(data)
    assert balanced.cluster_sizes.tolist() == [200] * 6
    errors = data.astype(np.float64) - balanced.centroids[labels]
    assert balanced.inertia == pytest.approx((errors**2).sum(), rel=1e-5)
    free = KMeans(6).with_euclidean(True).with_init(balanced.centroids)
    free.train(data)
    by_chance = np.arange(1200) % 6
    means = np.stack([data[by_chance == c].mean(axis=0) for c in range(6)])
    worst = ((data - means[by_chance]) ** 2).sum()
    assert free.inertia * 0.9999 <= balanced.inertia
    assert balanced.inertia <= free.inertia + 0.3 * (worst - free.inertia)


# Medoids


def test_medoids_are_rows_of_the_data(blobs, euclidean):
    kmeans = KMeans(6).with_euclidean(euclidean).with_use_medoids(True)
    labels = labels_of(kmeans.train(blobs), len(blobs))
    indices = kmeans.medoid_indices
    assert type(indices) is list
    assert all(type(index) is int for index in indices)
    assert len(set(indices)) == 6
    rows = blobs[indices]
    if euclidean:
        assert (kmeans.centroids == rows).all()
        distance = np.linalg.norm(blobs.astype(np.float64) - rows[labels], axis=1)
    else:
        np.testing.assert_allclose(kmeans.centroids, unit_rows(rows), atol=1e-6)
        distance = 1 - (unit_rows(blobs) * unit_rows(rows)[labels]).sum(axis=1)
    assert labels[indices].tolist() == list(range(6))
    assert kmeans.inertia == pytest.approx(distance.sum(), rel=1e-4)
    assert_nearest(labels, blobs, kmeans.centroids, euclidean)


def test_assign_reproduces_train_with_medoids(blobs, euclidean):
    kmeans = KMeans(9).with_euclidean(euclidean).with_use_medoids(True)
    assert kmeans.train(blobs) == kmeans.assign(blobs, k=1)


@pytest.mark.parametrize("rows", [1, 2, 7, 30])
def test_as_many_medoids_as_points(rows, euclidean):
    data = np.random.default_rng(15).normal(size=(rows, 3)).astype(np.float32)
    kmeans = KMeans(rows).with_euclidean(euclidean).with_use_medoids(True)
    kmeans.train(data)
    assert sorted(kmeans.medoid_indices) == list(range(rows))
    assert kmeans.inertia == pytest.approx(0, abs=1e-5)


def test_medoid_indices_only_with_medoids(trained):
    assert trained.medoid_indices is None


def best_of_swaps(table, clusters, runs):
    """The lowest loss of `runs` of PAM (best swap first) on a distance matrix."""
    rows = len(table)
    best = np.inf
    for seed in range(runs):
        medoids = np.random.default_rng(seed).choice(rows, clusters, replace=False)
        while True:
            two = np.partition(table[:, medoids], 1, axis=1)[:, :2]
            nearest, second = two.min(axis=1), two.max(axis=1)
            owner = table[:, medoids].argmin(axis=1)
            gain = np.minimum(table - nearest[:, None], 0)
            removed = np.minimum(table, second[:, None]) - nearest[:, None] - gain
            losses = [removed[owner == cluster].sum(axis=0) for cluster in range(clusters)]
            change = gain.sum(axis=0) + np.stack(losses)
            old, new = np.unravel_index(change.argmin(), change.shape)
            if change[old, new] > -1e-6 * nearest.sum():
                break
            medoids[old] = new
        best = min(best, nearest.astype(np.float64).sum())
    return best


def test_medoid_loss_against_the_best_of_20_runs_of_pam(euclidean):
    if not DIGITS.exists():
        pytest.skip("no data")
    data = np.loadtxt(DIGITS, delimiter=",")[:, :-1]
    if euclidean:
        squares = (data**2).sum(axis=1)
        table = np.sqrt(np.maximum(squares[:, None] - 2 * data @ data.T + squares, 0))
    else:
        table = 1 - unit_rows(data) @ unit_rows(data).T
    reference = best_of_swaps(table.astype(np.float32), clusters=10, runs=20)
    kmeans = KMeans(10).with_euclidean(euclidean).with_use_medoids(True)
    labels = kmeans.train_labels(data.astype(np.float32))
    loss = table[np.arange(len(data)), np.array(kmeans.medoid_indices)[labels]].sum()
    print(f"loss {loss:.3f}, best of 20 runs {reference:.3f}")
    assert loss <= 1.01 * reference
