"""A quick check of an installed kentro, as a plain script: python test_python_bindings.py"""

import sys

import numpy as np

import kentro
from kentro import KMeans


def sample(rows=300, seed=0):
    """Three groups of points in the plane, each in a direction of its own."""
    rng = np.random.default_rng(seed)
    centres = np.array([[8, 0], [-4, 7], [-4, -7]], dtype=np.float32)
    labels = np.arange(rows) % 3
    return centres[labels] + rng.normal(size=(rows, 2)).astype(np.float32), labels


def raises(expected, text, call, *arguments):
    message = None
    try:
        call(*arguments)
    except expected as error:
        message = str(error)
    assert message is not None, f"no {expected.__name__} with {text!r}"
    assert text in message, f"{text!r} is not in {message!r}"


def check_partition(clusters, rows):
    assert sorted(index for members in clusters for index in members) == list(range(rows))
    assert all(members == sorted(members) for members in clusters)


def test_version():
    assert kentro.__version__.count(".") == 2


def test_the_groups_are_found():
    data, labels = sample()
    for euclidean in (False, True):
        kmeans = KMeans(3).with_euclidean(euclidean)
        clusters = kmeans.train(data)
        check_partition(clusters, len(data))
        assert all(len(set(labels[members])) == 1 for members in clusters)
        assert kmeans.centroids.shape == (3, 2)
        assert kmeans.centroids.dtype == np.float32


def test_chaining():
    kmeans = (
        KMeans(n_clusters=3)
        .with_iterations(50)
        .with_euclidean(True)
        .with_balanced(True)
        .with_max_balance_diff(4)
        .with_verbose(False)
        .with_use_medoids(False)
    )
    assert (kmeans.n_clusters, kmeans.iterations) == (3, 50)
    assert kmeans.is_euclidean
    assert kmeans.is_balanced
    assert not kmeans.is_use_medoids
    assert not kmeans.is_trained
    assert repr(kmeans) == (
        "KMeans(n_clusters=3, iterations=50, euclidean=true, balanced=true, "
        "use_medoids=false, trained=false, max_balance_diff=4)"
    )


def test_assign():
    data, _ = sample()
    queries, _ = sample(rows=31, seed=1)
    kmeans = KMeans(3)
    assert kmeans.train(data) == kmeans.assign(data, k=1)
    check_partition(kmeans.assign(queries, k=1), 31)
    assert sum(map(len, kmeans.assign(queries, k=2))) == 2 * 31
    assert kmeans.assign(queries, k=9) == [list(range(31))] * 3


def test_errors():
    data, _ = sample(rows=20)
    raises(ValueError, "Number of clusters must be positive", KMeans, 0)
    raises(ValueError, "Number of iterations must be positive", KMeans(2).with_iterations, 0)
    raises(ValueError, "Number of points (20) must be at least", KMeans(21).train, data)
    raises(ValueError, "Clustering has not been trained yet", KMeans(2).assign, data, 1)
    kmeans = KMeans(2)
    kmeans.train(data)
    raises(ValueError, "Clustering has already been trained", kmeans.train, data)
    raises(ValueError, "k must be positive", kmeans.assign, data, 0)
    raises(ValueError, "expected 2, got 5", kmeans.assign, np.zeros((1, 5)), 1)
    raises(TypeError, "n_clusters", KMeans, "3")


def test_threads():
    data, _ = sample(rows=3000)
    results = [KMeans(3).train(data, num_threads=n) for n in (1, 2, 10**9, None)]
    assert all(result == results[0] for result in results)


def test_balanced():
    data = np.concatenate([sample()[0], sample()[0][:60:3]])
    for limit in (1, 16):
        kmeans = KMeans(4).with_balanced(True).with_max_balance_diff(limit)
        clusters = kmeans.train(data)
        check_partition(clusters, len(data))
        sizes = list(kmeans.cluster_sizes)
        assert sizes == [len(members) for members in clusters]
        assert max(sizes) - min(sizes) <= limit


def test_medoids():
    data, _ = sample()
    kmeans = KMeans(3).with_euclidean(True).with_use_medoids(True)
    check_partition(kmeans.train(data), len(data))
    assert (kmeans.centroids == data[kmeans.medoid_indices]).all()


def main():
    tests = [item for name, item in globals().items() if name.startswith("test_")]
    failed = 0
    for test in tests:
        try:
            test()
            print(f"{test.__name__}: ok")
        except Exception as error:
            failed += 1
            print(f"{test.__name__}: FAILED: {type(error).__name__}: {error}")
    print(f"kentro {kentro.__version__}: {len(tests) - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(bool(main()))
