"""Blocks and partials: the loop over parts against training on the whole."""

import pickle
import random

import numpy as np
import pytest

import kentro
from kentro import Block, KMeans, KMeansError, Partial, Seeding


def rows(seed, n=3000, dims=8):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 6, (12, dims))
    return (centres[rng.integers(12, size=n)] + rng.normal(size=(n, dims))).astype(np.float32)


def loop(blocks, centroids, iterations, order):
    """Iterations over blocks; partials go through pickle, and merge in any order."""
    for _ in range(iterations):
        partials = [pickle.loads(pickle.dumps(block.partial(centroids))) for block in blocks]
        order.shuffle(partials)
        total = partials.pop()
        for partial in partials:
            assert total.merge(partial) is total
        update = total.finalize(centroids)
        centroids = update.centroids
        if update.converged:
            break
    return centroids, update


@pytest.mark.parametrize("euclidean", [True, False])
def test_the_loop_gives_the_bits_of_training(euclidean):
    data, order = rows(1), random.Random(2)
    start = data[:15]
    model = KMeans(15).with_euclidean(euclidean).with_init(start).with_quality("fast")
    trained = model.with_iterations(6)
    trained.train_labels(data)
    for cuts in ([3000], [1, 2, 1500], [700, 1400, 2100]):
        blocks = [Block(part, euclidean) for part in np.split(data, cuts) if len(part)]
        centroids, update = loop(blocks, start, 6, order)
        assert np.array_equal(centroids, trained.centroids)
        assert update.changed is not None
        for block in blocks:
            block.partial(centroids)
        labels = np.concatenate([block.labels for block in blocks])
        assert np.array_equal(labels, trained.labels)
        total = blocks[0].partial(centroids)
        for block in blocks[1:]:
            total.merge(block.partial(centroids))
        assert total.inertia == trained.inertia
        assert np.array_equal(total.cluster_sizes, trained.cluster_sizes)


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint64])
def test_wide_numbers_with_the_ranges_of_all_give_the_bits_of_training(dtype):
    data = (rows(6).astype(np.float64) * 100 + 2.0**40).astype(dtype)
    model = KMeans(15).with_euclidean(True).with_init(data[:15].astype(np.float64))
    trained = model.with_quality("fast").with_iterations(6)
    trained.train_labels(data)
    blocks = [Block(part, True) for part in np.split(data, [700, 1400])]
    assert blocks[0].offset is None
    ranges = np.array([block.ranges() for block in blocks])
    assert np.array_equal(ranges[1], [data[700:1400].min(0), data[700:1400].max(0)])
    ranges = np.array([ranges[:, 0].min(0), ranges[:, 1].max(0)])
    for block in blocks:
        block.set_ranges(ranges)
    blocks = pickle.loads(pickle.dumps(blocks))  # with their ranges
    offset = blocks[0].offset
    assert np.array_equal(offset, trained.offset)
    centroids = (data[:15].astype(np.float64) - offset).astype(np.float32)
    centroids, _ = loop(blocks, centroids, 6, random.Random(1))
    assert np.array_equal(centroids + offset, trained.centroids_f64)
    with pytest.raises(KMeansError, match=r"shape \(2, 8\)"):
        blocks[0].set_ranges(ranges[:1])
    with pytest.raises(KMeansError, match="lesser first"):
        blocks[0].set_ranges(ranges[::-1])
    with pytest.raises(KMeansError, match="different offsets"):
        blocks[0].partial(centroids).merge(Block(data, True).partial(centroids))


def test_sparse_blocks_and_dense_ones_merge():
    sparse = pytest.importorskip("scipy.sparse")
    data = np.where(rows(3) > 4, rows(3), 0).astype(np.float32)
    start = data[:5]
    whole = Block(data, True).partial(start)
    part = Block(sparse.csr_array(data[:1000]), True).partial(start)
    part.merge(Block(data[1000:], True).partial(start))
    assert part.to_bytes() == Partial.from_bytes(part.to_bytes()).to_bytes()
    assert np.array_equal(part.finalize(start).centroids, whole.finalize(start).centroids)
    assert part.inertia == whole.inertia


def test_weights_count_as_repeated_rows():
    data = rows(4, n=200)
    weights = np.arange(200) % 4
    start = data[1:8]
    weighted = Block(data, True, sample_weight=weights).partial(start).finalize(start)
    repeated = Block(np.repeat(data, weights, axis=0), True).partial(start).finalize(start)
    assert np.array_equal(weighted.centroids, repeated.centroids)
    assert weighted.inertia == repeated.inertia


def test_a_block_that_was_lost_costs_no_bit():
    data, start = rows(5), rows(5)[:9]
    block, whole = Block(data, True), Block(data, True)
    for _ in range(3):
        block = pickle.loads(pickle.dumps(block))
        update, expected = (b.partial(start).finalize(start) for b in (block, whole))
        assert np.array_equal(update.centroids, expected.centroids)
        assert update.changed is None
        start = update.centroids
    assert expected.changed is not None
    assert len(block) == 3000


def test_errors_say_what_is_wrong():
    data = rows(6)
    block = Block(data, True)
    with pytest.raises(KMeansError, match="ask it for a partial first"):
        block.labels  # noqa: B018
    with pytest.raises(KMeansError, match="2 dimensions"):
        block.partial(data[0])
    with pytest.raises(KMeansError, match="Dimension mismatch"):
        block.partial(data[:3, :4])
    partial = block.partial(data[:3])
    with pytest.raises(KMeansError, match="different centroids"):
        partial.merge(block.partial(data[1:4]))
    with pytest.raises(KMeansError, match="itself"):
        partial.merge(partial)
    with pytest.raises(KMeansError, match="shape"):
        partial.finalize(data[:4])
    with pytest.raises(KMeansError, match="not the centroids"):
        partial.finalize(data[1:4])
    with pytest.raises(TypeError, match="must be a Partial"):
        partial.merge(3)
    with pytest.raises(TypeError, match="from_bytes"):
        Partial()
    for broken in (b"", b"x" * 100, partial.to_bytes()[:-1]):
        with pytest.raises(KMeansError):
            Partial.from_bytes(broken)
    with pytest.raises(KMeansError, match="partial"):
        KMeans.from_bytes(partial.to_bytes())
    bad = data.copy()
    bad[7, 2] = np.nan
    with pytest.raises(KMeansError, match="row 7, column 2"):
        kentro.Block(bad, True).partial(data[:3])


def test_what_is_not_aligned_is_copied():
    """As it is after a transfer."""
    data, weights = rows(7, n=100), np.arange(100) + 0.5

    def shifted(array):
        raw = np.zeros(1 + array.nbytes, dtype=np.uint8)[1:]
        other = raw.view(array.dtype).reshape(array.shape)
        other[...] = array
        assert not other.flags.aligned
        return other

    expected = Block(data, True, sample_weight=weights).partial(data[:5])
    block = Block(shifted(data), True, sample_weight=shifted(weights))
    assert block.partial(shifted(data[:5])).to_bytes() == expected.to_bytes()


@pytest.mark.parametrize("euclidean", [True, False])
def test_seeds_over_blocks_are_those_of_memory(euclidean):
    data = rows(17, n=900)
    weights = np.random.default_rng(18).integers(0, 4, 900) / 10
    for cuts, own in [([], None), ([1, 300, 301], weights), ([450], None)]:
        parts = np.split(np.arange(900), cuts)
        weighing = [None if own is None else own[part] for part in parts]
        blocks = [
            Block(data[part], euclidean, sample_weight=each)
            for part, each in zip(parts, weighing, strict=True)
        ]
        seeding = Seeding(15, euclidean, seed=5)
        assert seeding.candidates.shape == (0, 0)
        while seeding.centroids is None:
            candidates = seeding.candidates
            answers = []
            for number, block in enumerate(blocks):
                block = pickle.loads(pickle.dumps(block)) if number == 1 else block
                answers.append(block.seed(candidates, seeding.question(number), 1))
            seeding.take(answers)
        model = KMeans(15).with_euclidean(euclidean).with_quality("fast").with_iterations(1)
        model = model.with_seed(5)
        ours, theirs = model.with_init(seeding.centroids), model.with_init("k-means||")
        for trained in (ours, theirs):
            trained.train_labels(data, sample_weight=own)
        assert np.array_equal(ours.centroids, theirs.centroids)
        assert np.array_equal(ours.labels, theirs.labels)


def test_errors_of_seeding():
    with pytest.raises(ValueError, match="n_clusters must be at least 1"):
        Seeding(0)
    with pytest.raises(TypeError, match="seed must be an int"):
        Seeding(2, seed=None)
    block, seeding = Block(rows(2, n=5), True), Seeding(6, True)
    with pytest.raises(ValueError, match="message of seeding"):
        block.seed(seeding.candidates, block.partial(rows(2, n=2)).to_bytes())
    with pytest.raises(ValueError, match="0 answers"):
        seeding.take([])
    answer = block.seed(seeding.candidates, seeding.question(0))
    with pytest.raises(ValueError, match="6"):
        seeding.take([answer])
    with pytest.raises(ValueError, match="distance"):
        Seeding(2).take([answer])


def test_empty_clusters_are_placed():
    data = rows(19, n=50)
    centroids = np.stack([data[0], data[1] + 1e6])
    partial = Block(data, True).partial(centroids)
    placed = partial.place_empty(centroids)
    farthest = np.square(data.astype(np.float64) - data[0]).sum(axis=1).argmax()
    assert np.array_equal(placed, data[[0, farthest]])
    assert Block(data, True).partial(placed).place_empty(placed) is None


def test_a_model_of_centroids_that_lost_an_offset():
    far = (np.arange(90.0).reshape(30, 3) ** 2) % 17 + 1e9
    model = KMeans(4).with_euclidean(True).with_seed(1)
    labels = model.train_labels(far)
    less = (model.centroids_f64 - model.offset).astype(np.float32)
    given = KMeans.from_centroids(less, euclidean=True, offset=model.offset)
    assert np.array_equal(given.predict(far), labels)
    assert np.array_equal(given.centroids_f64, model.centroids_f64)
    assert np.array_equal(given.offset, model.offset)
    for arguments, text in [
        ({"offset": model.offset}, "offset is for euclidean=True"),
        ({"euclidean": True, "offset": 1e9}, "a number for each column"),
        ({"euclidean": True, "offset": [1, np.nan, 2]}, "offset 1 is NaN"),
    ]:
        with pytest.raises(KMeansError, match=text):
            KMeans.from_centroids(less, **arguments)
