"""kentro.dask: the bits of training in memory, on workers that may die."""

import os
import threading
import time

import numpy as np
import pytest

import kentro
from kentro import KMeans

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

from kentro import dask as kd  # noqa: E402


def rows(seed, n=3000, dims=8):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 6, (12, dims))
    return (centres[rng.integers(12, size=n)] + rng.normal(size=(n, dims))).astype(np.float32)


@pytest.fixture(scope="module")
def client():
    cluster = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        memory_limit=None,
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


def in_memory(data, k, init, iterations, seed=3, weights=None, euclidean=True):
    model = KMeans(k).with_euclidean(euclidean).with_init(init).with_quality("fast")
    model = model.with_iterations(iterations).with_seed(seed)
    model.train_labels(data, sample_weight=weights)
    return model


def check(ours, model, labels=None):
    assert np.array_equal(ours.cluster_centers_, model.centroids_f64)
    assert np.array_equal(ours.labels_.compute() if labels is None else labels, model.labels)
    assert ours.inertia_ == model.inertia
    assert ours.n_iter_ == model.n_iter


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_the_bits_of_memory_on_workers(client, metric):
    data = rows(1)
    weights = np.random.default_rng(2).random(len(data))
    euclidean = metric == "euclidean"
    for init, chunks, own in [
        (data[5:20], (3000, 8), None),
        ("k-means||", (700, 8), None),
        ("k-means||", ((1, 1200, 1799), 5), weights),
        (data[:15], ((1, 1200, 1799), 5), weights),
        (data[:15], (700, 8), weights),
    ]:
        model = in_memory(data, 15, init, 8, weights=own, euclidean=euclidean)
        array = da.from_array(data, chunks=chunks)
        kmeans = kd.KMeans(15, metric=metric, init=init, max_iter=8, tol=0, random_state=3)
        assert kmeans.fit(array, sample_weight=own) is kmeans
        check(kmeans, model)
        assert isinstance(kmeans.labels_, da.Array)
        assert kmeans.labels_.dtype == np.int32
        assert kmeans.score(array, sample_weight=own) == pytest.approx(-model.inertia)
    few = kmeans.transform(array).compute()
    assert few.shape == (3000, 15)
    assert np.array_equal(few.argmin(axis=1), kmeans.predict(array).compute())
    assert np.array_equal(kmeans.predict(data), kmeans.predict(array).compute())


def test_any_chunks_come_to_the_same_without_a_cluster():
    rng = np.random.default_rng(5)
    for round in range(25):
        n, dims, k = (int(rng.integers(*bounds)) for bounds in ((60, 500), (1, 9), (1, 15)))
        data = rows(round, n, dims)
        init = "k-means||" if round % 2 else data[:k]
        fitted = []
        for _ in range(2):
            cuts = np.unique(np.append(rng.integers(0, n, size=rng.integers(0, 6)), [0, n]))
            array = da.from_array(data, chunks=(tuple(np.diff(cuts)), -1))
            kmeans = kd.KMeans(k, init=init, max_iter=5, tol=0, random_state=3)
            labels = kmeans.fit(array).labels_.compute(scheduler="synchronous")
            fitted.append((kmeans, labels))
        (one, labels), (other, others) = fitted
        assert np.array_equal(one.cluster_centers_, other.cluster_centers_)
        assert np.array_equal(labels, others)
        assert one.inertia_ == other.inertia_
        model = in_memory(data, k, init, 5)
        assert np.array_equal(one.cluster_centers_, model.centroids)
        assert np.array_equal(labels, model.labels)
        assert one.inertia_ == model.inertia


# Wide numbers: they lose an offset, which all partitions must agree on.
FAR = {
    "seconds": lambda data: data.astype(np.float64) / 64 + 3e9,
    "one column": lambda data: data + np.array([0, 1e9] + [0] * (data.shape[1] - 2)),
    "ids": lambda data: (data * 50).astype(np.int64) - 2**61,
    "large": lambda data: (data * 50).astype(np.int64).astype(np.uint64) + np.uint64(2**63),
    "near 0": lambda data: data.astype(np.float64) / 3,
    "constant columns": lambda data: np.hstack([data, np.full((len(data), 2), 7.0)]) / 3,
}


def far_of(kind, seed, n, dims):
    data = rows(seed, n, dims)
    data[: n // 3] = data[0]  # partitions of one row repeated lose an offset by themselves
    return FAR[kind](data)


@pytest.mark.parametrize("kind", FAR)
def test_wide_numbers_under_any_chunks(kind):
    rng = np.random.default_rng(6)
    for round in range(12):
        n, dims, k = (int(rng.integers(*bounds)) for bounds in ((60, 500), (2, 9), (1, 15)))
        data = far_of(kind, round, n, dims)
        init = "k-means||" if round % 2 else data[-k:]
        own = rng.integers(0, 3, size=n).astype(float) if round % 3 else None
        model = in_memory(data, k, init, 5, weights=own)
        cuts = np.unique(np.append(rng.integers(0, n, size=rng.integers(0, 6)), [0, n]))
        array = da.from_array(data, chunks=(tuple(np.diff(cuts)), -1))
        kmeans = kd.KMeans(k, init=init, max_iter=5, tol=0, random_state=3)
        kmeans.fit(array, sample_weight=own)
        labels = kmeans.labels_.compute(scheduler="synchronous")
        is_near = model.offset is None
        assert kmeans.cluster_centers_.dtype == (np.float32 if is_near else np.float64)
        assert np.array_equal(kmeans.cluster_centers_, model.centroids_f64)
        assert np.array_equal(labels, model.labels)
        assert kmeans.inertia_ == model.inertia
        assert np.array_equal(kmeans.predict(data), model.predict(data).view(np.int32))
        assert kmeans.score(array, sample_weight=own) == pytest.approx(-model.inertia)
        distances = np.sqrt(model.transform(data[:3]))
        assert np.array_equal(kmeans.transform(data[:3]), distances)


def test_clusters_that_are_empty_in_the_end(client):
    data = np.repeat(rows(12, n=40), 10, axis=0)
    far = data[:20] + 1000 * np.arange(20, dtype=np.float32)[:, None]
    for iterations in (1, 2):
        model = in_memory(data, 20, far, iterations)
        kmeans = kd.KMeans(20, init=far, max_iter=iterations, tol=0)
        check(kmeans.fit(da.from_array(data, chunks=(130, 8))), model)


def test_tolerance_stops_as_in_scikit_learns_face():
    data = rows(7)
    array = da.from_array(data, chunks=(800, 8))
    kmeans = kd.KMeans(15, init=data[:15], tol=1.0).fit(array)
    model = KMeans(15).with_euclidean(True).with_init(data[:15]).with_quality("fast")
    model = model.with_iterations(300).with_tolerance(1.0 / (15 * 8))
    model.train_labels(data)
    check(kmeans, model)
    assert kmeans.n_iter_ < kd.KMeans(15, init=data[:15], tol=0).fit(array).n_iter_


def test_frames_of_unknown_lengths(client):
    dd = pytest.importorskip("dask.dataframe")
    pd = pytest.importorskip("pandas")
    data = rows(4, n=400)
    frame = dd.from_pandas(pd.DataFrame(data), npartitions=3)
    frame["weight"] = 2.0
    part = frame[frame[0] > data[:, 0].min()]
    kept = data[data[:, 0] > data[:, 0].min()]
    kmeans = kd.KMeans(6, init=kept[:6], max_iter=4, tol=0)
    labels = kmeans.fit_predict(part.drop(columns="weight"), sample_weight=part["weight"])
    model = in_memory(kept, 6, kept[:6], 4, weights=np.full(len(kept), 2.0))
    check(kmeans, model, labels.compute())


def slow(block, pause):
    time.sleep(pause)
    return block


@pytest.mark.parametrize("phase", ["seeding", "iterating"])
@pytest.mark.parametrize("far", [False, True])
def test_a_worker_that_is_killed_costs_time_only(client, phase, far):
    data = far_of("seconds", 8, 6000, 8) if far else rows(8, n=6000)
    array = da.from_array(data, chunks=(1000, 8))
    model = in_memory(data, 20, "k-means||", 9)
    seen, killed = [], []

    def kill(progress):
        seen.append(progress.phase)
        if seen.count(phase) == 4 and not killed:
            pids = client.run(os.getpid)
            killed.append(next(iter(pids.values())))
            os.kill(killed[0], 9)

    kmeans = kd.KMeans(20, max_iter=9, tol=0, random_state=3, progress=kill)
    kmeans.fit(array)
    assert killed
    check(kmeans, model)
    client.wait_for_workers(2, timeout=60)
    assert killed[0] not in client.run(os.getpid).values()


def test_progress_and_cancelling(client):
    data = rows(9)
    array = da.from_array(data, chunks=(1000, 8))
    seen = []
    kmeans = kd.KMeans(9, max_iter=6, tol=0, random_state=1, progress=seen.append).fit(array)
    iterations = [p for p in seen if p.phase == "iterating"]
    assert [p.iteration for p in iterations] == list(range(1, len(iterations) + 1))
    inertias = [p.inertia for p in iterations]
    assert inertias == sorted(inertias, reverse=True)
    assert inertias[-1] >= kmeans.inertia_
    assert seen[0].phase == "seeding"
    assert seen[-1].phase == "labelling"
    for progress in (lambda p: False, lambda p: p.iteration < 2):
        kmeans = kd.KMeans(9, tol=0, progress=progress)
        with pytest.raises(kentro.Cancelled):
            kmeans.fit(array)
    token = kentro.CancelToken()
    assert not token.requested
    timer = threading.Timer(0.5, token.request)
    timer.start()
    sleepy = array.map_blocks(
        slow, 5.0, dtype=array.dtype, meta=np.empty((0, 0), dtype=np.float32)
    )
    begin = time.monotonic()
    with pytest.raises(kentro.Cancelled):
        kd.KMeans(9, cancel=token).fit(sleepy)
    assert time.monotonic() - begin < 4
    with pytest.raises(kentro.Cancelled):
        kd.KMeans(9, cancel=token).fit(array)


def test_parameters_and_errors():
    array = da.from_array(rows(11, n=100), chunks=(50, 8))
    kmeans = kd.KMeans(3, tol=0.5)
    assert kmeans.set_params(n_clusters=4) is kmeans
    assert kmeans.get_params()["n_clusters"] == 4
    assert "n_clusters=4, metric='euclidean'" in repr(kmeans)
    for parameters, text in [
        ({"n_clusters": 0}, "n_clusters must be"),
        ({"metric": "manhattan"}, "metric must be one of 'euclidean', 'cosine'"),
        ({"init": "random"}, r"init must be 'k-means\|\|'"),
        ({"init": np.zeros((3, 8))}, "a row for each of 8 clusters"),
        ({"max_iter": 0}, "max_iter must be"),
        ({"tol": -1}, "tol must be"),
        ({"random_state": "x"}, "random_state must be"),
        ({"n_clusters": 101}, "101"),
    ]:
        with pytest.raises(ValueError, match=text):
            kd.KMeans(**parameters).fit(array)
    with pytest.raises(ValueError, match="no parameter 'k'"):
        kmeans.set_params(k=3)
    with pytest.raises(ValueError, match="not fitted"):
        kmeans.predict(array)
    with pytest.raises(ValueError, match="99 weights for 100 rows"):
        kmeans.fit(array, sample_weight=np.ones(99))
    with pytest.raises(ValueError, match="2 dimensions"):
        kmeans.fit(array[:, 0])
    with pytest.raises(TypeError, match="CancelToken"):
        kd.KMeans(cancel=1).fit(array)
    bad = rows(11, n=100)
    bad[7, 2] = np.nan
    with pytest.raises(kentro.KMeansError, match="row 7, column 2"):
        kmeans.fit(da.from_array(bad, chunks=(50, 8)))
