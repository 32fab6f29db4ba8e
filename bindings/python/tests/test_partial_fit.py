"""Training block by block."""

import numpy as np
import pytest

from kentro import KMeans, KMeansError


def blobs(n=20_000, dims=8):
    rng = np.random.default_rng(7)
    centres = rng.normal(0, 8, (20, dims))
    return (centres[rng.integers(20, size=n)] + rng.normal(size=(n, dims))).astype(np.float32)


def test_one_pass_over_blocks():
    data = blobs()
    model = KMeans(20).with_euclidean(True)
    for block in np.array_split(data, 10):
        assert model.partial_fit(block) is model
    whole = KMeans(20).with_euclidean(True)
    whole.train_labels(data)
    assert -model.score(data) < 1.03 * whole.inertia
    assert (model.n_iter, model.labels, model.inertia) == (10, None, None)
    assert model.cluster_sizes.sum() == len(data)
    loaded = KMeans.from_bytes(model.to_bytes()).partial_fit(data[:100])
    assert np.array_equal(loaded.centroids, model.partial_fit(data[:100]).centroids)


def test_weights_and_forgetting():
    data = blobs(3000)
    weights = np.arange(3000) % 3
    for forgetting in (0, 0.5):
        one, other = (KMeans(5).partial_fit(data[:500]) for _ in range(2))
        one.partial_fit(data, weights, forgetting=forgetting)
        other.partial_fit(np.repeat(data, weights, axis=0), forgetting=forgetting)
        assert np.array_equal(one.centroids, other.centroids)


def test_few_rows_are_collected_and_errors_say_what_is_wrong():
    data = blobs(100)
    model = KMeans(30).partial_fit(data[:10]).partial_fit(data[10:29])
    assert not model.is_trained
    with pytest.raises(KMeansError, match="29 rows of the 30"):
        model.to_bytes()
    with pytest.raises(KMeansError, match="expected 8, got 3"):
        model.partial_fit(data[:, :3])
    assert model.partial_fit(data[29:]).is_trained
    with pytest.raises(KMeansError, match="forgetting must be a number from 0 to 1"):
        model.partial_fit(data, forgetting=2)
    with pytest.raises(KMeansError, match="partial_fit is for K-means"):
        KMeans(3).with_balanced(True).partial_fit(data)
    with pytest.raises(KMeansError, match="already been trained"):
        model.train(data)
