"""The documented members: API.md, section 1, and the additions of section 3."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import make_blobs
from reference import distances, labels_of

import kentro
from kentro import KMeans

ROOT = Path(__file__).parents[3]


def test_documented_example(capsys):
    data, test_data = make_blobs(seed=1), make_blobs(rows=50, seed=2)
    kmeans = KMeans(n_clusters=3).with_iterations(50).with_euclidean(True).with_verbose(True)
    clusters = kmeans.train(data, num_threads=None)
    nearest = kmeans.assign(test_data, k=1)
    labels_of(clusters, len(data))
    labels_of(nearest, len(test_data))
    assert "iteration 1" in capsys.readouterr().out


def test_version_is_that_of_cargo_toml():
    cargo = ROOT / "Cargo.toml"
    if not cargo.exists():
        pytest.skip("not in the source tree")
    version = re.search(r'^version = "(.*)"', cargo.read_text(encoding="utf-8"), re.MULTILINE)
    assert kentro.__version__ == version.group(1)


def test_defaults():
    kmeans = KMeans(3)
    assert kmeans.n_clusters == 3
    assert kmeans.iterations == 25
    assert kmeans.max_balance_diff == 16
    for flag in ("is_euclidean", "is_balanced", "is_use_medoids", "is_verbose", "is_trained"):
        assert getattr(kmeans, flag) is False


def test_results_are_none_until_trained():
    kmeans = KMeans(3).with_use_medoids(True)
    for result in (
        "centroids",
        "medoid_indices",
        "cluster_parents",
        "labels",
        "inertia",
        "n_iter",
        "cluster_sizes",
        "cluster_weights",
    ):
        assert getattr(kmeans, result) is None


@pytest.mark.parametrize(
    ("method", "value", "member"),
    [
        ("with_iterations", 7, "iterations"),
        ("with_euclidean", True, "is_euclidean"),
        ("with_balanced", True, "is_balanced"),
        ("with_max_balance_diff", 3, "max_balance_diff"),
        ("with_verbose", True, "is_verbose"),
        ("with_use_medoids", True, "is_use_medoids"),
    ],
)
def test_with_returns_a_new_object_and_leaves_the_receiver(method, value, member):
    kmeans = KMeans(3)
    before = getattr(kmeans, member)
    configured = getattr(kmeans, method)(value)
    assert configured is not kmeans
    assert getattr(configured, member) == value
    assert getattr(kmeans, member) == before


def test_with_on_a_trained_model_keeps_the_training(trained, blobs):
    configured = trained.with_verbose(True)
    assert configured.is_trained
    assert configured.assign(blobs) == trained.assign(blobs)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copy_of_an_untrained_model_trains_on_its_own(duplicate, blobs):
    kmeans = KMeans(3)
    twin = duplicate(kmeans)
    twin.train(blobs)
    assert twin.is_trained
    assert not kmeans.is_trained


def test_subclasses_keep_their_type():
    class Special(KMeans):
        pass

    assert type(Special(2).with_seed(1)) is Special


@pytest.mark.parametrize("member", ["n_clusters", "iterations", "is_trained", "centroids"])
def test_members_are_read_only(trained, member):
    with pytest.raises(AttributeError):
        setattr(trained, member, 1)


def test_repr(trained):
    assert repr(KMeans(3)) == (
        "KMeans(n_clusters=3, iterations=25, euclidean=false, balanced=false, "
        "use_medoids=false, trained=false)"
    )
    assert repr(trained) == (
        "KMeans(n_clusters=6, iterations=25, euclidean=true, balanced=false, "
        "use_medoids=false, trained=true)"
    )


def test_results(trained, blobs):
    assert trained.is_trained
    assert trained.centroids.shape == (6, 8)
    assert trained.centroids.dtype == np.float32
    assert trained.medoid_indices is None
    assert trained.labels.shape == (len(blobs),)
    assert trained.labels.dtype == np.uint32
    assert trained.cluster_sizes.tolist() == np.bincount(trained.labels).tolist()
    assert 1 <= trained.n_iter <= 25
    error = blobs - trained.centroids[trained.labels]
    assert trained.inertia == pytest.approx((error.astype(np.float64) ** 2).sum(), rel=1e-5)


def test_results_are_copies(trained, blobs):
    nearest = trained.assign(blobs)
    trained.centroids[:] = 0
    trained.labels[:] = 0
    assert trained.assign(blobs) == nearest
    assert trained.centroids.any()
    assert trained.labels.any()


def test_results_outlive_the_model(blobs):
    kmeans = KMeans(3)
    kmeans.train(blobs)
    centroids, expected = kmeans.centroids, kmeans.centroids.tolist()
    del kmeans
    assert centroids.tolist() == expected


def test_train_labels_equals_train(blobs):
    lists = KMeans(6).train(blobs)
    out = np.empty(len(blobs), dtype=np.uint32)
    kmeans = KMeans(6)
    assert kmeans.train_labels(blobs, out=out) is out
    assert (out == labels_of(lists, len(blobs))).all()
    assert (kmeans.labels == out).all()


def test_predict_equals_assign(trained, blobs):
    labels = trained.predict(blobs)
    assert labels.dtype == np.uint32
    assert (labels == labels_of(trained.assign(blobs), len(blobs))).all()
    out = np.empty(len(blobs), dtype=np.uint32)
    assert trained.predict(blobs, out=out) is out
    assert (out == labels).all()


@pytest.mark.parametrize("euclidean", [True, False])
def test_predict_of_the_nearest_few(blobs, euclidean):
    kmeans = KMeans(6).with_euclidean(euclidean)
    kmeans.train(blobs)
    table = distances(blobs, kmeans.centroids, euclidean)
    expected = np.argsort(table, axis=1, kind="stable")
    for k in (2, 6, 10**9):
        nearest = kmeans.predict(blobs, k=k)
        assert nearest.dtype == np.uint32
        assert (nearest == expected[:, : min(k, 6)]).all()
    out = np.empty((len(blobs), 3), dtype=np.uint32)
    assert kmeans.predict(blobs, k=3, out=out) is out
    assert (out == expected[:, :3]).all()
    with pytest.raises(ValueError, match=r"out must have shape \(600, 2\), got \(600, 3\)"):
        kmeans.predict(blobs, k=2, out=out)


@pytest.mark.parametrize(
    "out",
    [
        np.empty(600, dtype=np.int64),
        np.empty(599, dtype=np.uint32),
        np.empty(1200, dtype=np.uint32)[::2],
        [0] * 600,
    ],
)
def test_bad_label_buffers_are_named(trained, blobs, out):
    for call in (trained.predict, KMeans(2).train_labels):
        with pytest.raises((TypeError, ValueError), match="out must"):
            call(blobs, out=out)


def test_same_seed_same_result(blobs):
    first, second = KMeans(20).with_seed(7), KMeans(20).with_seed(7)
    assert first.train(blobs) == second.train(blobs)
    assert first.centroids.tobytes() == second.centroids.tobytes()
    other = KMeans(20).with_seed(8)
    assert other.train(blobs) != first.train_labels  # trains as well
    assert not np.array_equal(other.centroids, first.centroids)


@pytest.mark.parametrize("init", ["auto", "k-means++", "k-means||", "random", "tree"])
def test_init_by_name(init, blobs):
    labels_of(KMeans(6).with_init(init).train(blobs), len(blobs))


@pytest.mark.parametrize("euclidean", [False, True])
def test_a_tree_tells_the_parent_of_each_cluster(euclidean, blobs):
    kmeans = KMeans(30).with_euclidean(euclidean).with_init("tree").with_quality("fast")
    assert kmeans.init == "tree"
    kmeans.train(blobs)
    parents = kmeans.cluster_parents
    assert parents.dtype == np.uint32
    assert parents.shape == (30,)
    assert set(parents) == set(range(parents.max() + 1))
    assert 1 < parents.max() < 9
    assert np.array_equal(KMeans.from_bytes(kmeans.to_bytes()).cluster_parents, parents)
    kmeans = kmeans.untrained().with_init("random")
    kmeans.train(blobs)
    assert kmeans.cluster_parents is None


@pytest.mark.parametrize("kind", [np.float32, np.float64, list])
def test_init_by_centroids(kind, blobs):
    start = blobs[:6].tolist() if kind is list else blobs[:6].astype(kind)
    kmeans = KMeans(6).with_euclidean(True).with_init(start).with_iterations(1)
    labels = labels_of(kmeans.train(blobs), len(blobs))
    again = KMeans(6).with_euclidean(True).with_init(blobs[:6]).with_iterations(1)
    assert (labels == again.train_labels(blobs)).all()


@pytest.mark.parametrize("quality", ["fast", "default", "best"])
def test_quality(quality, blobs):
    labels_of(KMeans(6).with_quality(quality).train(blobs), len(blobs))


def test_n_init_keeps_the_best(blobs):
    def inertia(kmeans):
        kmeans.train(blobs)
        return kmeans.inertia

    kmeans = KMeans(12).with_euclidean(True).with_init("random")
    assert inertia(kmeans.with_n_init(5)) <= inertia(kmeans)


def test_tolerance_stops_early(blobs):
    strict, loose = (KMeans(12).with_iterations(100).with_tolerance(t) for t in (0, 0.5))
    strict.train(blobs)
    loose.train(blobs)
    assert loose.n_iter <= strict.n_iter


def test_memory_limit_is_accepted(blobs):
    KMeans(3).with_memory_limit(1 << 30).train(blobs)
