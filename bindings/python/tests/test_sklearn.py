"""The estimators of kentro.sklearn are at home among those of scikit-learn."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from conftest import make_blobs

pytest.importorskip("sklearn", minversion="1.6")

import sklearn
from sklearn.base import clone
from sklearn.cluster import KMeans as TheirKMeans
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import kentro
from kentro.sklearn import BalancedKMeans, KMeans, KMedoids, MiniBatchKMeans

ESTIMATORS = [KMeans, BalancedKMeans, KMedoids]
every = pytest.mark.parametrize("estimator", ESTIMATORS)

# scikit-learn excuses its own KMeans from these: it compares fits on shuffled rows,
# but the first centres are drawn by the numbers of rows.
SHUFFLED = "the first centres are drawn by the numbers of rows"


def expected_failures(estimator):
    if isinstance(estimator, BalancedKMeans):
        return {}
    return {
        "check_sample_weight_equivalence_on_dense_data": SHUFFLED,
        "check_sample_weight_equivalence_on_sparse_data": SHUFFLED,
    }


@parametrize_with_checks(
    [estimator() for estimator in [*ESTIMATORS, MiniBatchKMeans]],
    expected_failed_checks=expected_failures,
)
def test_check_estimator(estimator, check):
    check(estimator)


@every
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_an_estimator_is_the_model_of_its_settings(estimator, metric, blobs):
    fitted = estimator(6, metric=metric, random_state=3, max_iter=20).fit(blobs)
    model = kentro.KMeans(6).with_euclidean(metric == "euclidean").with_seed(3)
    model = model.with_iterations(20)
    if estimator is KMeans:
        model = model.with_init("k-means++").with_tolerance(1e-4 / (6 * blobs.shape[1]))
    elif estimator is BalancedKMeans:
        model = model.with_balanced(True)
    else:
        model = model.with_use_medoids(True)
    labels = model.train_labels(blobs)
    assert fitted.labels_.dtype == np.int32
    assert (fitted.labels_ == labels).all()
    assert fitted.cluster_centers_.tobytes() == model.centroids.tobytes()
    assert fitted.inertia_ == model.inertia
    assert fitted.n_iter_ == model.n_iter
    assert fitted.n_features_in_ == blobs.shape[1]
    assert fitted.predict(blobs).dtype == np.int32
    assert (fitted.predict(blobs) == model.predict(blobs)).all()
    assert fitted.score(blobs) == model.score(blobs)
    distances = model.transform(blobs)
    expected = np.sqrt(distances) if metric == "euclidean" else distances
    np.testing.assert_array_equal(fitted.transform(blobs), expected.astype(np.float32))
    assert fitted.model_.labels is None, "labels are kept once"


@every
@pytest.mark.parametrize(
    ("given", "centers"),
    [
        ("float32", "float32"),
        ("float64", "float64"),
        ("int32", "float64"),
        ("int64", "float64"),
        ("uint8", "float32"),
        ("float16", "float32"),
    ],
)
def test_the_type_of_centers_is_that_of_the_data(estimator, given, centers):
    data = np.abs(make_blobs(rows=60, dims=3) * 5).astype(given)
    fitted = estimator(3, random_state=0).fit(data)
    assert fitted.cluster_centers_.dtype == centers


def test_centers_of_wide_numbers_keep_their_digits():
    seconds = 1_700_000_000 + np.repeat([0.0, 1.0, 2.0], 5)[:, None]
    fitted = KMeans(3, random_state=0).fit(seconds)
    assert sorted(fitted.cluster_centers_.ravel() - 1_700_000_000) == [0, 1, 2]
    assert (fitted.predict(seconds) == fitted.labels_).all()
    np.testing.assert_allclose(fitted.transform(seconds).min(axis=1), 0)


def test_parameters_and_defaults_are_those_of_scikit_learn():
    ours, theirs = KMeans().get_params(), TheirKMeans().get_params()
    assert {name: ours.get(name) for name in theirs} == theirs
    assert set(ours) - set(theirs) == {"metric", "quality"}


def test_distances_and_inertia_are_those_of_scikit_learn(blobs):
    ours = KMeans(6, random_state=0).fit(blobs)
    theirs = TheirKMeans(6, init=ours.cluster_centers_, n_init=1).fit(blobs)
    assert (ours.labels_ == theirs.labels_).all()
    np.testing.assert_allclose(ours.inertia_, theirs.inertia_, rtol=1e-4)
    np.testing.assert_allclose(ours.transform(blobs), theirs.transform(blobs), atol=1e-3)
    np.testing.assert_allclose(ours.score(blobs), theirs.score(blobs), rtol=1e-4)


@every
@pytest.mark.parametrize(
    "state", [5, np.int64(5), "RandomState", "Generator", 2**64 - 1], ids=str
)
def test_every_kind_of_random_state_can_be_repeated(estimator, state, blobs):
    def fit():
        kinds = {
            "RandomState": lambda: np.random.RandomState(5),
            "Generator": lambda: np.random.default_rng(5),
        }
        made = kinds.get(state, lambda: state)()
        return estimator(20, random_state=made, max_iter=2).fit(blobs)

    assert fit().cluster_centers_.tobytes() == fit().cluster_centers_.tobytes()


def test_without_a_random_state_fits_differ(blobs):
    fits = [KMeans(20, init="random", n_init=1, max_iter=1).fit(blobs) for _ in range(2)]
    assert not np.array_equal(fits[0].cluster_centers_, fits[1].cluster_centers_)


def test_a_shared_random_state_moves_on(blobs):
    state = np.random.default_rng(0)
    model = KMeans(20, init="random", n_init=1, max_iter=1, random_state=state)
    first = model.fit(blobs).cluster_centers_
    assert not np.array_equal(first, model.fit(blobs).cluster_centers_)


@pytest.mark.parametrize("init", ["k-means++", "random", "k-means||", "auto"])
def test_init_by_name(init, blobs):
    assert KMeans(6, init=init, random_state=0).fit(blobs).labels_.max() == 5


def test_init_by_array_and_by_callable(blobs):
    calls = []

    def init(data, n_clusters, random_state):
        calls.append((data.shape, n_clusters))
        return data[random_state.choice(len(data), n_clusters, replace=False)]

    fitted = KMeans(6, init=init, random_state=0).fit(blobs)
    assert calls == [(blobs.shape, 6)] * 10
    KMeans(6, init=init, n_init=3, random_state=0).fit(blobs)
    assert len(calls) == 13
    again = KMeans(6, init=fitted.cluster_centers_.tolist()).fit(blobs)
    assert again.n_iter_ <= 2
    assert again.inertia_ <= fitted.inertia_
    with pytest.warns(RuntimeWarning, match="performing only one init in KMeans") as seen:
        KMeans(6, init=fitted.cluster_centers_, n_init=4).fit(blobs)
    assert seen[0].filename == __file__


def test_several_starts_are_no_worse(blobs):
    one, many = (KMeans(12, init="random", n_init=n, random_state=1) for n in (1, 8))
    assert many.fit(blobs).inertia_ <= one.fit(blobs).inertia_
    auto = KMeans(12, init="random", random_state=1).fit(blobs)
    ten = KMeans(12, init="random", n_init=10, random_state=1).fit(blobs)
    assert auto.inertia_ == ten.inertia_


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"n_clusters": 0}, "n_clusters"),
        ({"max_iter": 0}, "max_iter"),
        ({"tol": -1.0}, "tol"),
        ({"n_init": 0}, "n_init"),
        ({"metric": "manhattan"}, "metric must be one of 'euclidean', 'cosine'"),
        ({"algorithm": "full"}, "algorithm must be one of 'lloyd', 'elkan'"),
        ({"init": "best"}, "init must be one of"),
        ({"quality": "high"}, "quality must be one of"),
        ({"random_state": -1}, "random_state must be"),
        ({"n_clusters": 601}, "n_samples=600 should be >= n_clusters=601"),
    ],
)
def test_wrong_parameters_are_named(parameters, text, blobs):
    with pytest.raises(ValueError, match=text):
        KMeans(**parameters).fit(blobs)


def test_too_few_distinct_points_is_a_warning_of_both():
    model = KMeans(3, random_state=0)
    with pytest.warns(ConvergenceWarning, match="fewer distinct points") as seen:
        model.fit(np.ones((5, 2)))
    assert issubclass(seen[0].category, kentro.KMeansWarning)
    assert seen[0].filename == __file__


def test_sizes_are_balanced(blobs):
    fitted = BalancedKMeans(7, max_balance_diff=1, random_state=0).fit(blobs)
    sizes = np.bincount(fitted.labels_)
    assert (sizes == fitted.cluster_sizes_).all()
    assert sizes.max() - sizes.min() <= 1
    assert fitted.balance_gap_ >= 0
    bounded = BalancedKMeans(5, min_size=100, max_size=130, random_state=0).fit(blobs)
    assert bounded.cluster_sizes_.min() >= 100
    assert bounded.cluster_sizes_.max() <= 130
    least = BalancedKMeans(5, min_size=110, random_state=0).fit(blobs)
    assert least.cluster_sizes_.min() >= 110


def test_medoids_are_samples(blobs):
    fitted = KMedoids(6, random_state=0).fit(blobs)
    assert (blobs[fitted.medoid_indices_] == fitted.cluster_centers_).all()
    np.testing.assert_allclose(fitted.transform(blobs).min(axis=1).sum(), fitted.inertia_, 1e-5)
    weights = np.arange(len(blobs)) % 3
    weighted = KMedoids(6, random_state=0).fit(blobs, sample_weight=weights)
    nearest = weighted.transform(blobs).min(axis=1)
    np.testing.assert_allclose((nearest * weights).sum(), weighted.inertia_, 1e-5)
    assert weighted.score(blobs, sample_weight=weights) == pytest.approx(-weighted.inertia_)
    assert (weighted.fit_predict(blobs, sample_weight=weights) == weighted.labels_).all()


@every
def test_clone_and_pickle(estimator, blobs):
    fitted = estimator(4, random_state=2).fit(blobs)
    assert clone(fitted).get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        clone(fitted).predict(blobs)
    again = pickle.loads(pickle.dumps(fitted))
    assert (again.labels_ == fitted.labels_).all()
    assert (again.predict(blobs) == fitted.predict(blobs)).all()
    assert again.transform(blobs).tobytes() == fitted.transform(blobs).tobytes()


@every
def test_pipelines_and_frames(estimator, blobs):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(blobs, columns=list("abcdefgh"))
    pipeline = make_pipeline(StandardScaler(), estimator(4, random_state=0))
    pipeline.set_output(transform="pandas")
    out = pipeline.fit_transform(frame)
    name = estimator.__name__.lower()
    assert list(out.columns) == [f"{name}{i}" for i in range(4)]
    assert list(out.index) == list(frame.index)
    assert pipeline[-1].feature_names_in_.tolist() == list("abcdefgh")
    with pytest.raises(ValueError, match="feature names"):
        pipeline[-1].predict(frame[list("hgfedcba")])
    labels = pipeline.predict(frame)
    assert adjusted_rand_score(labels, pipeline.predict(frame.copy())) == 1


def test_a_search_in_processes(blobs):
    search = GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("kmeans", KMeans(random_state=0))]),
        {"kmeans__n_clusters": [2, 6], "kmeans__quality": ["fast"]},
        cv=2,
        n_jobs=2,
    )
    assert search.fit(blobs).best_params_["kmeans__n_clusters"] == 6


def test_weights_are_repeated_rows(blobs):
    weights = np.arange(len(blobs)) % 3
    rows = np.repeat(np.arange(len(blobs)), weights)
    by_weights = KMeans(5, random_state=0).fit(blobs, sample_weight=weights)
    by_rows = KMeans(5, random_state=0).fit(blobs[rows])
    assert (by_weights.labels_[rows] == by_rows.labels_).all()
    assert by_weights.inertia_ == by_rows.inertia_
    score = by_weights.score(blobs, sample_weight=weights)
    assert score == pytest.approx(-by_weights.inertia_)


def test_mini_batches_of_a_stream(blobs):
    stream = MiniBatchKMeans(6, random_state=3, compute_labels=False)
    model = kentro.KMeans(6).with_euclidean(True).with_seed(3).with_init("k-means++")
    model = model.with_iterations(100)
    weights = np.arange(len(blobs)) % 3
    for part in (slice(0, 200), slice(200, 450), slice(450, 600)):
        stream.partial_fit(blobs[part], sample_weight=weights[part])
        model.partial_fit(blobs[part], weights[part])
        stream = pickle.loads(pickle.dumps(stream))
    assert stream.cluster_centers_.tobytes() == model.centroids.tobytes()
    assert (stream.predict(blobs) == model.predict(blobs)).all()
    assert stream.n_steps_ == 3
    assert not hasattr(stream, "labels_")
    with pytest.raises(ValueError, match="expecting 8 features"):
        stream.partial_fit(blobs[:, :3])
    with pytest.raises(ValueError, match="n_samples=3 should be >= n_clusters=6"):
        MiniBatchKMeans(6).partial_fit(blobs[:3])


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_mini_batches_of_data_at_hand(metric, blobs):
    def fit(data):
        model = MiniBatchKMeans(6, batch_size=100, random_state=0, metric=metric)
        return model.fit(data)

    fitted = fit(blobs)
    best = KMeans(6, random_state=0, metric=metric).fit(blobs)
    assert fitted.inertia_ <= 1.5 * best.inertia_
    assert fitted.inertia_ == pytest.approx(-fitted.score(blobs))
    assert (fitted.labels_ == fitted.predict(blobs)).all()
    assert fitted.labels_.dtype == np.int32
    assert fitted.n_steps_ == 6 * fitted.n_iter_
    assert fitted.cluster_centers_.dtype == np.float32
    assert fit(blobs).cluster_centers_.tobytes() == fitted.cluster_centers_.tobytes()
    sparse = pytest.importorskip("scipy.sparse").csr_array(blobs)
    assert fit(sparse).cluster_centers_.tobytes() == fitted.cluster_centers_.tobytes()
    few = np.zeros(len(blobs))
    few[:5] = 1
    with pytest.raises(ValueError, match="5 samples have a sample_weight that is not zero"):
        MiniBatchKMeans(6).fit(blobs, sample_weight=few)


def test_weights_are_routed(blobs):
    weights = np.ones(len(blobs))
    with sklearn.config_context(enable_metadata_routing=True):
        asked = KMedoids(4, random_state=0).set_fit_request(sample_weight=True)
        routed = make_pipeline(asked).fit(blobs, sample_weight=weights)
        assert routed[-1].labels_.max() == 3
        with pytest.raises(ValueError, match="not explicitly set"):
            make_pipeline(KMedoids(4)).fit(blobs, sample_weight=weights)
        assert not hasattr(BalancedKMeans(), "set_fit_request")


@every
def test_sparse_rows_are_their_dense_copies(estimator, blobs):
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.where(blobs > 1, blobs, 0)
    for container in (sparse.csr_matrix, sparse.csr_array, sparse.coo_array):
        ours = estimator(4, random_state=0).fit(container(dense))
        expected = estimator(4, random_state=0).fit(dense)
        assert (ours.labels_ == expected.labels_).all()
        assert ours.cluster_centers_.tobytes() == expected.cluster_centers_.tobytes()
        assert (ours.predict(container(dense)) == expected.predict(dense)).all()
        assert ours.transform(container(dense)).tobytes() == expected.transform(dense).tobytes()


def test_threadpoolctl_is_told():
    code = (
        "import kentro.sklearn, threadpoolctl\n"
        "names = [x['internal_api'] for x in threadpoolctl.threadpool_info()]\n"
        "print(names.count('kentro'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"


def test_without_scikit_learn_it_says_what_to_install():
    code = (
        "import sys\n"
        "sys.modules['sklearn'] = None\n"
        "try:\n"
        "    import kentro.sklearn\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "pip install 'scikit-learn>=1.6'" in done.stdout
