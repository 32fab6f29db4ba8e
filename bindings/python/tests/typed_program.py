"""A user's program, which type checkers must find nothing to say about: test_types.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import kentro
from kentro import KMeans, Progress


def watch(progress: Progress) -> str | None:
    return "stop" if progress.seconds > 60 else None


def main(data: NDArray[np.float32], path: Path) -> None:
    kmeans = (
        KMeans(n_clusters=3)
        .with_iterations(50)
        .with_euclidean(True)
        .with_init("k-means++")
        .with_quality("best")
        .with_progress(watch)
    )
    clusters: list[list[int]] = kmeans.train(data, num_threads=None)
    labels: NDArray[np.uint32] = kmeans.predict(data)
    pairs: NDArray[np.uint32]
    lengths: NDArray[np.float64]
    pairs, lengths = kmeans.predict(data, k=2, return_distances=True)
    centroids: NDArray[np.float32] | None = kmeans.centroids
    inertia: float | None = kmeans.inertia
    if centroids is not None and inertia is not None:
        print(centroids.shape, inertia, len(clusters), pairs.shape, lengths.sum())
    quality: str = kmeans.quality
    kmeans.save(path)
    again: KMeans = kentro.load(path).untrained().with_progress("bar")
    again.train_labels(data, sample_weight=[1.0] * len(data))
    for step in kentro.sweep(data, range(2, 5), again):
        score: float | None = step.silhouette
        print(step.n_clusters, step.inertia, step.seconds, score, quality)
    found = kentro.silhouette(data, labels, euclidean=True)
    print(found.score, found.rows, found.exact, kmeans.representatives(data, 3))
    kentro.set_num_threads(None)


class Special(KMeans):
    """A subclass keeps its type."""


special: Special = Special(2).with_seed(1)
