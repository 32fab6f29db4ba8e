"""Independent answers to compare with: plain float64 NumPy."""

import numpy as np


def unit_rows(rows):
    rows = np.asarray(rows, dtype=np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)


def distances(data, centroids, euclidean):
    """Squared Euclidean, or 1 - cosine: points x clusters."""
    data = np.asarray(data, dtype=np.float64)
    centroids = np.asarray(centroids, dtype=np.float64)
    if not euclidean:
        return 1 - unit_rows(data) @ unit_rows(centroids).T
    return np.stack([((data - centroid) ** 2).sum(axis=1) for centroid in centroids], axis=1)


def assert_nearest(labels, data, centroids, euclidean, tolerance=1e-5):
    """Every label is a nearest centroid, up to float32 near-ties."""
    table = distances(data, centroids, euclidean)
    chosen = table[np.arange(len(table)), labels]
    best = table.min(axis=1)
    if euclidean:
        # float32 holds each coordinate to half a unit in the last place.
        scale = np.abs(np.asarray(data, dtype=np.float64) - np.mean(data, axis=0)).max()
        slack = tolerance * (best + scale**2)
    else:
        slack = tolerance
    wrong = np.flatnonzero(chosen > best + slack)
    assert wrong.size == 0, f"{wrong.size} wrong labels, first at row {wrong[:1]}"
    # Near-ties are rare: nearly all labels are the very same.
    ties = np.isclose(np.partition(table, 1, axis=1)[:, 1], best, rtol=1e-5, atol=0)
    assert (labels[~ties] == table.argmin(axis=1)[~ties]).mean() >= 0.9999


def labels_of(clusters, rows):
    """The label of each row; fails unless `clusters` is a partition in ascending lists."""
    labels = np.full(rows, -1)
    for label, members in enumerate(clusters):
        assert type(members) is list
        assert members == sorted(members)
        assert all(type(index) is int for index in members)
        assert (labels[members] == -1).all()
        labels[members] = label
    assert (labels >= 0).all()
    return labels


def purity(labels, truth):
    """The share of points that belong to the most frequent class of their cluster."""
    return sum(np.bincount(truth[labels == c]).max() for c in np.unique(labels)) / len(truth)
