"""Sweeps, silhouettes and representatives."""

import numpy as np
import pytest
from conftest import make_blobs
from reference import distances

import kentro
from kentro import KMeans


def test_silhouettes_are_those_of_scikit_learn(blobs, euclidean):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for labels in (rng.integers(5, size=len(blobs)), KMeans(6).train_labels(blobs)):
        expected = metrics.silhouette_score(
            blobs.astype(float), labels, metric="euclidean" if euclidean else "cosine"
        )
        found = kentro.silhouette(blobs, labels, euclidean=euclidean)
        assert found.score == pytest.approx(expected, abs=1e-9)
        assert found.rows == len(blobs)
        assert found.exact
        # Labels are names: any others do as well.
        assert kentro.silhouette(blobs, labels.astype(int) * -7, euclidean=euclidean) == found


def test_a_sample_says_so(blobs):
    labels = KMeans(6).with_euclidean(True).train_labels(blobs)
    exact = kentro.silhouette(blobs, labels, euclidean=True)
    some = kentro.silhouette(blobs, labels, euclidean=True, sample=200, seed=3)
    assert (some.rows, some.exact) == (200, False)
    assert some.score == pytest.approx(exact.score, abs=0.1)
    assert some == kentro.silhouette(
        blobs, labels, euclidean=True, sample=200, seed=3, num_threads=1
    )
    assert some != kentro.silhouette(blobs, labels, euclidean=True, sample=200, seed=4)


@pytest.mark.parametrize(
    ("labels", "options", "error", "text"),
    [
        ([0, 1], {}, ValueError, r"labels must have shape \(3,\)"),
        ([0, 0, 0], {}, ValueError, "all rows have the same label"),
        ([0.0, 1.0, 1.0], {}, TypeError, "labels must be integers"),
        ([0, 1, 1], {"sample": 0}, ValueError, "sample must be positive"),
        ([0, 1, 1], {"n_jobs": 2}, TypeError, "here it is num_threads"),
        ([0, 1, 1], {"random_state": 2}, TypeError, "no parameter 'random_state'"),
    ],
)
def test_what_has_no_silhouette(labels, options, error, text):
    with pytest.raises(error, match=text):
        kentro.silhouette(np.eye(3), labels, **options)


def test_a_sweep(blobs, euclidean):
    template = KMeans(1).with_euclidean(euclidean).with_seed(5)
    steps = kentro.sweep(blobs, range(1, 9), template)
    assert [step.n_clusters for step in steps] == list(range(1, 9))
    assert all(a.inertia >= b.inertia for a, b in zip(steps, steps[1:]))
    assert steps[0].silhouette is None
    for step in steps[1:]:
        table = distances(blobs, step.model.centroids, euclidean)
        table = np.sqrt(table) if euclidean else table
        own = table[np.arange(len(blobs)), step.model.labels]
        table[np.arange(len(blobs)), step.model.labels] = np.inf
        other = table.min(axis=1)
        alone = step.model.cluster_sizes[step.model.labels] == 1
        expected = np.where(alone, 0, (other - own) / np.maximum(own, other)).mean()
        assert step.silhouette == pytest.approx(expected, abs=1e-5)
        assert step.seconds >= 0
        assert step.model.seed == 5
    assert max(steps[1:], key=lambda step: step.silhouette).n_clusters == 6
    again = kentro.sweep(blobs, range(1, 9), template, num_threads=1)
    assert [s.model.to_bytes() for s in again] == [s.model.to_bytes() for s in steps]


def test_a_sweep_is_watched(blobs):
    seen = []
    template = KMeans(1).with_progress(lambda p: seen.append(p.run))
    kentro.sweep(blobs, [2, 3, 4], template)
    assert set(seen) == {1, 2, 3}
    cancel = KMeans(1).with_progress(lambda p: False)
    with pytest.raises(kentro.Cancelled):
        kentro.sweep(blobs, [2, 3], cancel)
    assert kentro.sweep(blobs, [2], KMeans(1).with_balanced(True))[0].model.is_balanced


def test_what_cannot_be_swept(blobs):
    with pytest.raises(ValueError, match="ks must ascend, got 2 after 3"):
        kentro.sweep(blobs, [3, 2])
    with pytest.raises(ValueError, match="ks is empty"):
        kentro.sweep(blobs, [])
    with pytest.raises(TypeError, match="ks must be an int"):
        kentro.sweep(blobs, [2.5])
    with pytest.raises(TypeError, match="template must be a KMeans"):
        kentro.sweep(blobs, [2], "cosine")
    with pytest.raises(ValueError, match=r"Number of points \(600\)"):
        kentro.sweep(blobs, [2, 601])
    with pytest.warns(kentro.KMeansWarning, match="fewer distinct") as seen:
        kentro.sweep(np.ones((5, 2)), [1, 2])
    assert seen[0].filename == __file__


def test_representatives(euclidean):
    data = make_blobs(rows=300, dims=4)
    data[250:] = data[:50]
    kmeans = KMeans(5).with_euclidean(euclidean)
    kmeans.train(data)
    labels, lengths = kmeans.predict(data, return_distances=True)
    for m in (1, 4, 10**6):
        for cluster, rows in enumerate(kmeans.representatives(data, m)):
            members = np.flatnonzero(labels[:250] == cluster)
            nearest = members[np.argsort(lengths[members], kind="stable")][:m]
            assert rows == nearest.tolist()
    with pytest.raises(ValueError, match="m must be positive, got 0"):
        kmeans.representatives(data, 0)
    with pytest.raises(ValueError, match="not been trained"):
        KMeans(2).representatives(data, 1)
