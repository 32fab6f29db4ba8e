"""Training on rows that come block by block: the bits of training on all together."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from kentro import KMeans, KMeansError


def blobs(n=3000, dims=6):
    rng = np.random.default_rng(7)
    centres = rng.normal(0, 8, (12, dims))
    return (centres[rng.integers(12, size=n)] + rng.normal(size=(n, dims))).astype(np.float32)


class Parts:
    """Blocks that are cut elsewhere each time."""

    def __init__(self, data, weights=None, fails_in=None, error=None):
        self.data, self.weights = data, weights
        self.passes, self.fails_in, self.error = 0, fails_in, error

    def __iter__(self):
        self.passes += 1
        rng = np.random.default_rng(self.passes)
        cuts = [0, *sorted(rng.integers(self.data.shape[0], size=4)), self.data.shape[0]]
        for first, end in zip(cuts, cuts[1:]):
            if self.passes == self.fails_in and first > 0:
                raise self.error
            part = self.data[first:end]
            yield part if self.weights is None else (part, self.weights[first:end])


def model(euclidean=True):
    return KMeans(15).with_euclidean(euclidean).with_seed(3)


def same(streamed, together):
    assert np.array_equal(streamed.labels, together.labels)
    assert np.array_equal(streamed.centroids_f64, together.centroids_f64)
    assert streamed.n_iter == together.n_iter
    assert np.array_equal(streamed.cluster_weights, together.cluster_weights)
    assert np.isclose(streamed.inertia, together.inertia, rtol=1e-12)


@pytest.mark.parametrize("euclidean", [True, False])
@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "csr", "weights"])
def test_the_bits_of_the_array(kind, euclidean):
    data, weights = blobs(), None
    if kind == "csr":
        data = csr_matrix(np.where(data > 1, data, 0))
    elif kind == "weights":
        weights = np.arange(3000) % 3
    else:
        far = euclidean and kind != "float32"  # what an offset keeps apart
        data = (data * 64).astype(kind) + (2**40 if far else 0)
    together, streamed = model(euclidean), model(euclidean)
    together.train_labels(data, sample_weight=weights)
    labels = streamed.train_source(Parts(data, weights), 2)
    assert np.array_equal(labels, streamed.labels)
    same(streamed, together)
    found = list(streamed.predict_source(Parts(data, weights)))
    assert len(found) == 5
    assert np.array_equal(np.concatenate(found), together.predict(data))


@pytest.mark.parametrize("init", ["random", "k-means||", "k-means++", "auto"])
def test_every_init_and_a_list_of_blocks(init):
    data = blobs()
    together, streamed = model().with_init(init), model().with_init(init)
    together.train_labels(data)
    streamed.with_memory_limit(10**8).train_source(np.array_split(data, 7))
    streamed.train_source(np.array_split(data, 7))
    same(streamed, together)


@pytest.mark.parametrize("error", [KeyError("gone"), KeyboardInterrupt(), MemoryError("full")])
def test_what_the_source_raises_comes_out(error):
    data, kmeans = blobs(), model()
    with pytest.raises(type(error)) as raised:
        kmeans.train_source(Parts(data, fails_in=3, error=error))
    assert raised.value is error
    assert not kmeans.is_trained
    kmeans.train_source(Parts(data))
    labels = kmeans.predict_source(Parts(data, fails_in=1, error=error))
    next(labels)
    with pytest.raises(type(error)):
        next(labels)


def test_what_is_no_source():
    data = blobs()
    for source, text in [
        ((part for part in [data]), "read only once"),
        (data, "got an array"),
    ]:
        with pytest.raises(TypeError, match=text):
            model().train_source(source)
    with pytest.raises(TypeError):
        model().train_source(5)
    with pytest.raises(TypeError, match="a tuple of 3"):
        model().train_source([(data, data, data)])
    with pytest.raises(KMeansError, match="no rows"):
        model().train_source([])
    with pytest.raises(KMeansError, match="float64, but those before are float32"):
        model().train_source([data, data.astype(float)])
    with pytest.raises(KMeansError, match="5 columns, but those before have 6"):
        model().train_source([data, data[:, :5]])
    with pytest.raises(KMeansError, match='quality "best"'):
        KMeans(3).with_quality("best").train_source([data])
    with pytest.raises(KMeansError, match="must have 2 dimensions"):
        model().train_source([data[0]])
    trained = model()
    trained.train_source([data])
    with pytest.raises(KMeansError, match="already"):
        trained.train_source([data])
    with pytest.raises(KMeansError, match="not been trained"):
        model().predict_source([data])


def test_a_source_that_changes():
    class Shrinks(Parts):
        def __iter__(self):
            yield from super().__iter__()
            self.data = self.data[:-1]

    with pytest.raises(
        KMeansError, match="had 3000 rows when they were counted, and now has 2999"
    ):
        model().train_source(Shrinks(blobs()))


def test_progress_and_warnings():
    seen = []
    kmeans = model().with_progress(lambda progress: seen.append(progress.iteration))
    kmeans.train_source(Parts(blobs()))
    assert max(seen) == kmeans.n_iter
    with pytest.warns(UserWarning, match="14 of 15 clusters are empty"):
        model().train_source([np.ones((20, 2), np.float32)] * 2)
