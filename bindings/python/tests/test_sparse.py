"""Sparse matrices and arrays of SciPy give what their dense copies give."""

import numpy as np
import pytest

from kentro import KMeans, KMeansError
from kentro._arrays import Points

sparse = pytest.importorskip("scipy.sparse")


def random_rows(rows=200, dims=30, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    dense = rng.integers(1, 9, size=(rows, dims)) * (rng.random((rows, dims)) < 0.15)
    dense[5 % rows] = 0
    return dense.astype(dtype)


def results(model, data):
    return (
        model.labels.tobytes(),
        model.centroids.tobytes(),
        model.n_iter,
        model.assign(data, k=2),
        model.predict(data).tobytes(),
        model.transform(data).tobytes(),
        model.score(data),
    )


def check_same(data, model=None):
    model = model or KMeans(6).with_euclidean(True)
    dense = data.toarray()
    expected, found = model.untrained(), model.untrained()
    assert expected.train(dense) == found.train(data)
    assert results(found, data) == results(expected, dense)
    # The inertia is the one figure that may differ, by rounding.
    squares = (dense.astype(np.float64) ** 2).sum() + 1
    assert abs(found.inertia - expected.inertia) <= 1e-12 * squares


@pytest.mark.parametrize(
    "model",
    [
        KMeans(5),
        KMeans(5).with_euclidean(True),
        KMeans(5).with_balanced(True),
        KMeans(5).with_use_medoids(True),
        KMeans(5).with_quality("best").with_init("k-means||"),
    ],
    ids=repr,
)
def test_every_kind_of_model(model):
    check_same(sparse.csr_matrix(random_rows()), model)


@pytest.mark.parametrize("kind", ["matrix", "array"])
@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "lil", "dok", "bsr"])
def test_every_layout(kind, layout):
    check_same(getattr(sparse, f"{layout}_{kind}")(random_rows()))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "u1", "i2", "i4", "u4", "i8", "u8", "?"])
def test_every_number_type(dtype):
    check_same(sparse.csr_matrix(random_rows(dtype=dtype)))


@pytest.mark.parametrize("index", ["i4", "i8"])
def test_both_types_of_indices(index):
    data = sparse.csr_matrix(random_rows())
    data.indices, data.indptr = data.indices.astype(index), data.indptr.astype(index)
    check_same(data)


def test_unsorted_repeated_and_stored_zeros():
    rng = np.random.default_rng(1)
    values = rng.normal(size=600)
    values[::7] = 0
    indices, indptr = rng.integers(0, 12, size=600), np.arange(0, 601, 6)
    data = sparse.csr_matrix((values, indices, indptr), shape=(100, 12))
    assert not data.has_canonical_format
    before = data.indices.copy(), data.data.copy()
    check_same(data)
    assert (data.indices == before[0]).all()
    assert (data.data == before[1]).all()


def test_rows_are_read_where_they_are():
    data = sparse.csr_matrix(random_rows())
    for array in (data.data, data.indices, data.indptr):
        array.setflags(write=False)
    check_same(data)
    check_same(data[20:150])


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array"])
@pytest.mark.parametrize("index", ["i4", "i8"])
def test_csr_is_not_copied(kind, index):
    data = getattr(sparse, kind)(random_rows(dtype="f4"))
    data.indices, data.indptr = data.indices.astype(index), data.indptr.astype(index)
    theirs = Points(data).memory
    for one, other in zip((data.data, data.indices, data.indptr), theirs):
        assert one.ctypes.data == other.ctypes.data


def test_other_layouts_are_converted_once(monkeypatch):
    data, calls = sparse.csc_matrix(random_rows()), []
    tocsr = type(data).tocsr
    monkeypatch.setattr(type(data), "tocsr", lambda own: calls.append(1) or tocsr(own))
    KMeans(3).train(data)
    assert calls == [1]


@pytest.mark.parametrize("euclidean", [False, True])
def test_weights_of_sparse_rows_are_repetitions(euclidean):
    data, weights = sparse.csr_matrix(random_rows(seed=3)), np.arange(200) % 3
    one, other = (KMeans(4).with_euclidean(euclidean) for _ in range(2))
    labels = one.train_labels(data, sample_weight=weights)
    repeated = np.repeat(np.arange(200), weights)
    assert (labels[repeated] == other.train_labels(data[repeated])).all()
    assert (one.centroids == other.centroids).all()
    assert one.inertia == other.inertia


def test_weights_of_sparse_rows():
    data, weights = random_rows(), np.arange(200) % 3
    models = [KMeans(4).with_use_medoids(True) for _ in range(2)]
    lists = models[0].train(data, sample_weight=weights)
    assert models[1].train(sparse.csr_matrix(data), sample_weight=weights) == lists


def test_centroids_may_be_sparse():
    centroids = random_rows(rows=5)
    dense = KMeans.from_centroids(centroids, euclidean=True)
    other = KMeans.from_centroids(sparse.csr_matrix(centroids), euclidean=True)
    assert dense.to_bytes() == other.to_bytes()


def test_no_rows_and_no_values(trained):
    assert trained.assign(sparse.csr_matrix((0, 8))) == [[]] * 6
    check_same(sparse.csr_matrix((9, 4)), KMeans(1))


def test_what_is_wrong_is_named():
    data = sparse.csr_matrix(random_rows())
    data.data[3] = np.nan
    row = np.searchsorted(data.indptr, 3, side="right") - 1
    with pytest.raises(KMeansError, match=f"row {row}, column {data.indices[3]}"):
        KMeans(2).train(data)
    data = sparse.csr_matrix(random_rows())
    data.indices[9] = 30
    with pytest.raises(KMeansError, match=r"indices\[9\], of row \d, is 30, but"):
        KMeans(2).train(data)
    with pytest.raises(TypeError, match="complex128"):
        KMeans(2).train(sparse.csr_matrix(random_rows(), dtype=complex))
    vector = getattr(sparse, "coo_array", None)
    if vector is not None:
        with pytest.raises((KMeansError, TypeError, ValueError), match=r"dimension|shape"):
            KMeans(2).train(vector(np.ones(3)))


def test_arrays_that_are_not_aligned():
    dense = np.array([[0, 2], [3, 0], [0, 5]], dtype=np.float32)
    aligned = sparse.csr_matrix(dense)

    def shifted(array):
        memory = np.zeros(array.nbytes + 1, dtype=np.uint8)
        memory[1:] = array.view(np.uint8)
        return memory[1:].view(array.dtype)

    other = sparse.csr_matrix(dense)
    other.data, other.indices = shifted(aligned.data), shifted(aligned.indices)
    assert not other.data.flags.aligned
    one, two = (KMeans(2).with_euclidean(True) for _ in range(2))
    assert one.train(other) == two.train(aligned)
