"""Balanced K-means by a growing penalty on cluster sizes, as a peer.

After de Maeyer, Sieranoja & Franti, 2023, "Balanced k-means revisited" (BKM+,
and BKM++ with the exchange of rows at the end). A plain implementation, for
its results and not for its speed.
"""

import numpy as np

# How much of a row counts as a member of its cluster while it chooses.
REMAINS = 0.15


def balanced_labels(data, start, most, max_passes=3000):
    """Labels with sizes that differ by at most `most`; None if not reached."""
    data = data.astype(float)
    clusters = len(start)
    centroids = start.astype(float)
    labels = squared_distances(data, centroids).argmin(1)
    sizes = np.bincount(labels, minlength=clusters).astype(float)
    penalty = 0.0
    for number in range(1, max_passes):
        centroids = means(data, labels, centroids)
        distances = squared_distances(data, centroids)
        for row, label in enumerate(labels):
            sizes[label] -= 1 - REMAINS
            best = (distances[row] + penalty * sizes).argmin()
            sizes[label] -= REMAINS
            sizes[best] += 1
            labels[row] = best
        if np.ptp(sizes) <= most:
            return exchange(data, labels, clusters)
        penalty = max(1.01, 1.1009 - 0.0009 * number) * next_penalty(
            distances, labels, sizes, penalty
        )
    return None


def next_penalty(distances, labels, sizes, penalty):
    """The least penalty above this one that moves a row to a smaller cluster."""
    rows = np.arange(len(labels))
    dearer = distances - distances[rows, labels][:, None]
    larger = sizes[labels][:, None] - sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.where(larger > 0, dearer / larger, np.inf)
    return needed[needed > penalty].min(initial=np.inf)


def exchange(data, labels, clusters, max_passes=30):
    """Swaps rows of two clusters as long as that lowers the sum of distances."""
    for _ in range(max_passes):
        centroids = means(data, labels, np.zeros((clusters, data.shape[1])))
        distances = squared_distances(data, centroids)
        swapped = False
        for a in range(clusters):
            for b in range(a):
                gains = distances[:, a] - distances[:, b]
                of_a, of_b = np.flatnonzero(labels == a), np.flatnonzero(labels == b)
                of_a = of_a[np.argsort(-gains[of_a])]
                of_b = of_b[np.argsort(gains[of_b])]
                both = min(len(of_a), len(of_b))
                better = gains[of_a[:both]] - gains[of_b[:both]] > 1e-9
                labels[of_a[:both][better]], labels[of_b[:both][better]] = b, a
                swapped |= bool(better.any())
        if not swapped:
            break
    return labels


def means(data, labels, otherwise):
    sizes = np.bincount(labels, minlength=len(otherwise))
    sums = np.zeros_like(otherwise)
    np.add.at(sums, labels, data)
    return np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], otherwise)


def squared_distances(data, centroids):
    products = data @ centroids.T
    squares = (data**2).sum(1)[:, None] + (centroids**2).sum(1)
    return np.maximum(squares - 2 * products, 0)
