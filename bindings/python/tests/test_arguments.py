"""Arguments that are out of range or of a wrong type: named, never a crash."""

import numpy as np
import pytest

from kentro import KMeans, KMeansError

COUNTS = {
    "n_clusters": KMeans,
    "iters": lambda value: KMeans(2).with_iterations(value),
    "max_balance_diff": lambda value: KMeans(2).with_max_balance_diff(value),
    "min_size": lambda value: KMeans(2).with_size_bounds(value, 2**64 - 1),
    "max_size": lambda value: KMeans(2).with_size_bounds(0, value),
    "n_init": lambda value: KMeans(2).with_n_init(value),
    "seed": lambda value: KMeans(2).with_seed(value),
    "limit": lambda value: KMeans(2).with_memory_limit(value),
    "num_threads": lambda value: KMeans(2).train(np.eye(4), num_threads=value),
}


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [-1, -(2**64), 2**64])
def test_counts_out_of_range(name, value):
    if name == "num_threads" and value > 0:
        COUNTS[name](value)  # more than the machine has is capped
        return
    with pytest.raises((ValueError, OverflowError), match=f"{name} must be at .*{value}"):
        COUNTS[name](value)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize(
    "value", [2.0, "3", True, np.True_, [3], np.float32(2), np.ones(2), b"1"]
)
def test_counts_of_a_wrong_type(name, value):
    with pytest.raises(TypeError, match=name):
        COUNTS[name](value)


@pytest.mark.parametrize("name", [name for name in COUNTS if name != "num_threads"])
def test_counts_must_not_be_none(name):
    with pytest.raises(TypeError, match=name):
        COUNTS[name](None)


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint64, np.intp])
def test_numpy_integers_are_integers(kind):
    kmeans = KMeans(kind(3)).with_iterations(kind(4)).with_max_balance_diff(kind(5))
    assert (kmeans.n_clusters, kmeans.iterations, kmeans.max_balance_diff) == (3, 4, 5)


@pytest.mark.parametrize("name", ["euclidean", "balanced", "verbose", "use_medoids"])
@pytest.mark.parametrize("value", [1, 0, "yes", None, 1.0])
def test_flags_of_a_wrong_type(name, value):
    with pytest.raises(TypeError, match=name):
        getattr(KMeans(2), f"with_{name}")(value)


def test_numpy_bool_is_a_flag():
    assert KMeans(2).with_euclidean(np.True_).is_euclidean


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_tolerance_out_of_range(value):
    with pytest.raises(ValueError, match="tolerance"):
        KMeans(2).with_tolerance(value)


@pytest.mark.parametrize("value", ["0.1", None, True, 1j])
def test_tolerance_of_a_wrong_type(value):
    with pytest.raises(TypeError, match="tolerance"):
        KMeans(2).with_tolerance(value)


@pytest.mark.parametrize("method", ["with_init", "with_quality"])
def test_unknown_names_list_the_known_ones(method):
    with pytest.raises(ValueError, match=r"one of .*got 'lucky'"):
        getattr(KMeans(2), method)("lucky")


@pytest.mark.parametrize("value", [None, 3])
def test_quality_of_a_wrong_type(value):
    with pytest.raises(TypeError, match="quality"):
        KMeans(2).with_quality(value)


@pytest.mark.parametrize(
    ("init", "error"),
    [
        (np.zeros((3, 2)), ValueError),
        (np.zeros(2), ValueError),
        (np.full((2, 2), np.nan), ValueError),
        (None, TypeError),
        (np.zeros((2, 2), dtype=complex), TypeError),
    ],
)
def test_bad_initial_centroids(init, error):
    with pytest.raises(error, match="init"):
        KMeans(2).with_init(init)


def test_initial_centroids_of_other_dimensions(blobs):
    with pytest.raises(ValueError, match="expected 8, got 2"):
        KMeans(2).with_init(np.eye(2)).train(blobs)


def test_progress_of_a_wrong_type():
    with pytest.raises(TypeError, match="progress"):
        KMeans(2).with_progress("p")


def promised_errors():
    def trained():
        kmeans = KMeans(2)
        kmeans.train(np.eye(2))
        return kmeans

    eye = np.eye(4)
    return [
        (lambda: KMeans(0), "Number of clusters must be positive"),
        (lambda: KMeans(2).with_iterations(0), "Number of iterations must be positive"),
        (
            lambda: KMeans(2).with_max_balance_diff(0),
            "Max balance difference must be positive",
        ),
        (
            lambda: KMeans(21).train(np.ones((20, 2))),
            "Number of points (20) must be at least as large as number of clusters (21)",
        ),
        (lambda: trained().train(eye), "Clustering has already been trained"),
        (lambda: KMeans(2).assign(eye, 1), "Clustering has not been trained yet"),
        (lambda: KMeans(2).predict(eye), "Clustering has not been trained yet"),
        (lambda: trained().assign(np.eye(2), 0), "Invalid parameter: k must be positive"),
        (lambda: trained().predict(np.eye(2), k=0), "Invalid parameter: k must be positive"),
        (lambda: trained().assign(np.ones((3, 5)), 1), "Dimension mismatch: expected 2, got 5"),
        (lambda: trained().predict(np.ones((3, 5))), "Dimension mismatch: expected 2, got 5"),
    ]


@pytest.mark.parametrize(("call", "text"), promised_errors(), ids=lambda value: str(value)[:40])
def test_promised_texts_word_for_word(call, text):
    with pytest.raises(KMeansError) as caught:
        call()
    assert str(caught.value) == text
    assert isinstance(caught.value, ValueError)


def test_a_huge_number_of_clusters_fails_at_train():
    kmeans = KMeans(2**40)
    assert kmeans.n_clusters == 2**40
    with pytest.raises(ValueError, match=rf"points \(4\) .* clusters \({2**40}\)"):
        kmeans.train(np.eye(4))


@pytest.mark.parametrize("data", ["nonsense", np.zeros(3), np.zeros((0, 0))])
def test_the_trained_state_is_checked_first(trained, data):
    with pytest.raises(ValueError, match="already been trained"):
        trained.train(data, num_threads=0)
    with pytest.raises(ValueError, match="not been trained"):
        KMeans(2).assign(data, k=0)


def test_parameters_are_checked_before_data(trained):
    bad = np.full((3, 3), np.nan)
    with pytest.raises(ValueError, match="k must be positive"):
        trained.assign(bad, k=0)
    with pytest.raises(ValueError, match="num_threads must be positive"):
        KMeans(6).train(bad, num_threads=0)
    with pytest.raises(ValueError, match="num_threads must be positive"):
        trained.assign(bad, num_threads=0)


@pytest.mark.parametrize("value", [-1, 2**64])
def test_k_out_of_range(trained, blobs, value):
    with pytest.raises((ValueError, OverflowError), match="k must be"):
        trained.assign(blobs, k=value)


@pytest.mark.parametrize("value", [1.0, "1", True, None])
def test_k_of_a_wrong_type(trained, blobs, value):
    with pytest.raises(TypeError, match="k must be"):
        trained.assign(blobs, k=value)


def test_a_model_is_usable_after_an_error(blobs):
    kmeans = KMeans(6)
    for bad in (blobs[:3], np.full((9, 2), np.inf), np.zeros((9, 0)), np.zeros(9)):
        with pytest.raises(ValueError):  # noqa: PT011 (four different texts)
            kmeans.train(bad)
        assert not kmeans.is_trained
        assert kmeans.centroids is None
    kmeans.train(blobs)
    with pytest.raises(ValueError, match="Dimension"):
        kmeans.assign(np.eye(3))
    assert kmeans.assign(blobs)
