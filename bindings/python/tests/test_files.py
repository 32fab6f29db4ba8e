"""Models in files, bytes and pickles, models of given centroids, settings read back."""

import copy
import errno
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import make_blobs

import kentro
from kentro import KMeans, KMeansError

KINDS = {
    "euclidean": lambda k: k.with_euclidean(True),
    "cosine": lambda k: k,
    "balanced": lambda k: k.with_euclidean(True).with_balanced(True).with_max_balance_diff(3),
    "medoids": lambda k: k.with_use_medoids(True),
}
RESULTS = ("centroids", "labels", "inertia", "n_iter", "medoid_indices", "prices")


@pytest.fixture(params=KINDS)
def model(request, blobs):
    kmeans = KINDS[request.param](KMeans(6)).with_seed(4)
    kmeans.train(blobs)
    return kmeans


def same(a, b, results=RESULTS):
    data = make_blobs(rows=80, seed=9)
    assert repr(a) == repr(b)
    for name in results:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert (a.predict(data, k=3) == b.predict(data, k=3)).all()
    if a.prices is not None:
        assert (a.predict(data, balanced=True) == b.predict(data, balanced=True)).all()


def test_files_and_bytes(model, tmp_path):
    path = tmp_path / "model.safetensors"
    assert model.save(path) is None
    assert path.read_bytes() == model.to_bytes()
    assert os.listdir(tmp_path) == [path.name]
    for given in (path, str(path), os.fsencode(path)):
        same(kentro.load(given), model)
    same(KMeans.from_bytes(model.to_bytes()), model)
    same(KMeans.from_bytes(memoryview(bytearray(path.read_bytes()))), model)


def test_labels_may_be_left_out(model, blobs, tmp_path):
    path = tmp_path / "model"
    model.save(path, labels=False)
    assert path.read_bytes() == model.to_bytes(labels=False)
    lean = kentro.load(path)
    same(lean, model, [name for name in RESULTS if name != "labels"])
    assert lean.labels is None
    assert lean.cluster_sizes.tolist() == model.cluster_sizes.tolist()
    assert lean.n_points == len(blobs)
    with pytest.raises(KMeansError, match="already been trained"):
        lean.train(blobs)


def test_pickles_and_copies(model):
    joblib = pytest.importorskip("joblib")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        same(pickle.loads(pickle.dumps(model, protocol)), model)
    same(copy.copy(model), model)
    same(copy.deepcopy([model])[0], model)
    with ProcessPoolExecutor(1) as pool:
        same(pool.submit(copy.copy, model).result(), model)
    assert joblib.hash(model) == joblib.hash(pickle.loads(pickle.dumps(model)))


class Named(KMeans):
    __slots__ = ()


def test_a_subclass_stays_one(blobs):
    kmeans = Named(3).with_progress(print)
    assert type(pickle.loads(pickle.dumps(kmeans))) is Named
    assert pickle.loads(pickle.dumps(kmeans)).progress is None
    assert copy.copy(kmeans).progress is print


def test_an_untrained_model_keeps_its_settings(blobs, tmp_path):
    start = blobs[:6]
    kmeans = KMeans(6).with_init(start).with_iterations(3).with_tolerance(1e-9)
    kmeans.save(tmp_path / "settings")
    loaded = kentro.load(tmp_path / "settings")
    assert not loaded.is_trained
    assert (loaded.train_labels(blobs) == kmeans.train_labels(blobs)).all()


def test_another_process_loads(model, blobs, tmp_path):
    path = tmp_path / "model"
    model.save(path)
    np.save(tmp_path / "data.npy", blobs)
    code = (
        "import sys, numpy, kentro\n"
        "labels = kentro.load(sys.argv[1]).predict(numpy.load(sys.argv[2]))\n"
        "print(labels.tolist())"
    )
    command = [sys.executable, "-c", code, str(path), str(tmp_path / "data.npy")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == f"{model.predict(blobs).tolist()}\n"


def test_safetensors_opens_it(model, tmp_path):
    safetensors = pytest.importorskip("safetensors")
    path = tmp_path / "model.safetensors"
    model.save(path)
    with safetensors.safe_open(path, "numpy") as file:
        expected = {"centroids", "counts", "labels"}
        expected |= {"prices"} if model.prices is not None else set()
        expected |= {"medoid_indices"} if model.medoid_indices is not None else set()
        assert set(file.keys()) == expected
        np.testing.assert_array_equal(file.get_tensor("centroids"), model.centroids)
        np.testing.assert_array_equal(file.get_tensor("labels"), model.labels)
        assert file.get_tensor("counts").tolist() == np.bincount(model.labels).tolist()
        if model.prices is not None:
            np.testing.assert_array_equal(file.get_tensor("prices"), model.prices)
        if model.medoid_indices is not None:
            assert file.get_tensor("medoid_indices").tolist() == model.medoid_indices
        metadata = file.metadata()
    assert metadata["format"] == "kentro"
    assert metadata["seed"] == "4"
    assert float(metadata["inertia"]) == model.inertia


def test_errors_of_the_system(model, tmp_path):
    missing = tmp_path / "no" / "file"
    for call in (lambda: kentro.load(missing), lambda: model.save(missing)):
        with pytest.raises(FileNotFoundError) as caught:
            call()
        assert caught.value.errno == errno.ENOENT
        assert caught.value.filename == str(missing)
        assert "No such file or directory" in str(caught.value)
    with pytest.raises(IsADirectoryError):
        kentro.load(tmp_path)
    with pytest.raises(IsADirectoryError):
        model.save(tmp_path)
    if os.path.exists("/dev/full"):
        with pytest.raises(OSError, match="No space left") as caught:
            model.save("/dev/full")
        assert caught.value.errno == errno.ENOSPC
    with pytest.raises(ValueError, match="null"):
        model.save("a\0b")
    for wrong in (3.5, None, ["a"]):
        with pytest.raises(TypeError):
            kentro.load(wrong)
        with pytest.raises(TypeError):
            KMeans.from_bytes(wrong)
    with pytest.raises(TypeError, match="labels must be True or False"):
        model.save(tmp_path / "model", labels=1)


@pytest.mark.skipif(sys.platform != "linux", reason="file names need not be bytes")
def test_names_are_bytes(model, tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff\xfe"
    model.save(name)
    same(kentro.load(name), model)
    same(kentro.load(os.fsdecode(name)), model)


def test_broken_files(model):
    whole = model.to_bytes()
    for size in (0, 5, 8, 100, len(whole) - 1):
        with pytest.raises(KMeansError, match="Not a whole model file"):
            KMeans.from_bytes(whole[:size])
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    with pytest.raises(KMeansError, match="checksum"):
        KMeans.from_bytes(flipped)
    newer = whole.replace(b'"format_version":"1"', b'"format_version":"2"')
    with pytest.raises(KMeansError, match="version 2"):
        KMeans.from_bytes(newer)


def test_files_of_the_past():
    folder = Path(__file__).parents[3] / "tests/files/kept"
    files = list(folder.glob("*.safetensors"))
    if not folder.exists():
        pytest.skip("not in the source tree")
    assert files
    for path in files:
        assert "trained=" in repr(kentro.load(path))


def test_from_centroids(model):
    euclidean = model.is_euclidean
    given = KMeans.from_centroids(model.centroids, euclidean=euclidean, prices=model.prices)
    data = make_blobs(rows=80, seed=9)
    assert (given.centroids == model.centroids).all()
    assert (given.predict(data, k=2) == model.predict(data, k=2)).all()
    if model.prices is not None:
        assert (given.predict(data, balanced=True) == model.predict(data, balanced=True)).all()
    for name in ("labels", "inertia", "medoid_indices", "n_points", "cluster_sizes"):
        assert getattr(given, name) is None
    assert given.is_trained
    assert given.n_iter == 0
    assert given.n_dimensions == 8
    same(pickle.loads(pickle.dumps(given)), given)


def test_wide_numbers_in_files_and_of_others(blobs):
    wide = blobs.astype(np.float64) + 1e9
    kmeans = KMeans(6).with_euclidean(True)
    kmeans.train(wide)
    loaded = pickle.loads(pickle.dumps(kmeans))
    same(loaded, kmeans)
    assert (loaded.offset == kmeans.offset).all()
    assert (loaded.centroids_f64 == kmeans.centroids_f64).all()
    assert (loaded.predict(wide) == kmeans.labels).all()
    given = KMeans.from_centroids(kmeans.centroids_f64, euclidean=True)
    assert (given.predict(wide) == kmeans.labels).all()


def test_centroids_of_others():
    columns = np.asfortranarray([[3.0, 4.0], [0.0, -2.0]])
    cosine = KMeans.from_centroids(columns)
    assert cosine.centroids.tolist() == np.float32([[0.6, 0.8], [0, -1]]).tolist()
    assert KMeans.from_centroids([[3, 4]], euclidean=True).centroids.tolist() == [[3, 4]]
    with pytest.raises(KMeansError, match="balanced"):
        cosine.predict(columns, balanced=True)
    with pytest.raises(KMeansError, match=r"prices must have shape \(2,\)"):
        KMeans.from_centroids(columns, prices=[1.0])
    with pytest.raises(KMeansError, match="price 1 is NaN"):
        KMeans.from_centroids(columns, prices=[1.0, np.nan])
    with pytest.raises(KMeansError, match="row 0, column 1"):
        KMeans.from_centroids([[1.0, np.inf]])
    for euclidean in (False, True):
        with pytest.raises(KMeansError, match="row 0, column 1 is inf") as info:
            KMeans.from_centroids(np.float32([[1, np.inf]]), euclidean=euclidean)
        assert (info.value.row, info.value.column) == (0, 1)
    with pytest.raises(KMeansError, match="clusters must be positive"):
        KMeans.from_centroids(np.empty((0, 3)))
    with pytest.raises(KMeansError, match="centroids must have 2 dimensions"):
        KMeans.from_centroids([1.0, 2.0])


def test_settings_are_read_back():
    kmeans = KMeans(3)
    settings = ("seed", "tolerance", "init", "n_init", "quality", "memory_limit", "progress")
    defaults = [getattr(kmeans, name) for name in settings]
    assert defaults == [0, 0.0, "auto", 1, "default", None, None]
    for name, value in {
        "seed": 2**64 - 1,
        "tolerance": 0.25,
        "init": "k-means||",
        "n_init": 3,
        "quality": "best",
        "memory_limit": 10**7,
        "progress": print,
    }.items():
        changed = getattr(kmeans, f"with_{name}")(value)
        assert getattr(changed, name) == value
        if name != "progress":
            text = f"{value}"
            assert repr(changed) == repr(kmeans)[:-1] + f", {name}={text})"


def test_given_first_centroids_are_read_back(blobs):
    kmeans = KMeans(6).with_init(blobs[:6])
    assert "init=centroids" in repr(kmeans)
    assert (kmeans.init == blobs[:6]).all()
    assert (pickle.loads(pickle.dumps(kmeans)).init == blobs[:6]).all()
    again = KMeans(6).with_init(kmeans.init)
    assert (again.train_labels(blobs) == kmeans.train_labels(blobs)).all()


def test_an_untrained_copy(trained, blobs):
    other = trained.with_euclidean(False).with_iterations(2).with_progress(print).untrained()
    assert not other.is_trained
    assert not other.is_euclidean
    assert other.iterations == 2
    assert other.progress is print
    assert "euclidean=true" in repr(trained.with_euclidean(False))
    again = trained.untrained()
    assert (again.train_labels(blobs) == trained.labels).all()
