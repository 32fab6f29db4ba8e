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
