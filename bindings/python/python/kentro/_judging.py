"""Choosing the number of clusters, and judging what came out."""

from __future__ import annotations

import warnings
from typing import Any, Iterable, NamedTuple

import numpy as np

from ._arguments import flag, integer, threads
from ._arrays import Points
from ._errors import KMeansError, KMeansWarning
from ._kmeans import KMeans
from ._library import ffi, lib
from ._names import tells_names
from ._run import run
from ._watching import watched


class SweepStep(NamedTuple):
    """One number of clusters of a `sweep`."""

    model: KMeans
    """Trained with that number."""
    seconds: float
    """How long training took."""
    silhouette: float | None
    """The mean over all points (by weight) of (b - a) / max(a, b), where a is the distance
    to the point's own centroid and b that to the nearest other one: Euclidean, not
    squared, or 1 - cosine; 0 in a cluster of its own. None for a single cluster."""

    @property
    def n_clusters(self) -> int:
        """The number."""
        return self.model.n_clusters

    @property
    def inertia(self) -> float:
        """What training reached."""
        inertia = self.model.inertia
        assert inertia is not None
        return inertia


class Silhouette(NamedTuple):
    """What `silhouette` finds out."""

    score: float
    """The mean over the rows that were looked at, from -1 to 1."""
    rows: int
    """How many they were, each compared with all rows."""
    exact: bool
    """Whether they were all: else the score is that of a sample."""


@tells_names
def sweep(
    data: Any,
    ks: Iterable[int],
    template: KMeans | None = None,
    num_threads: int | None = None,
    *,
    sample_weight: Any = None,
) -> list[SweepStep]:
    """Train a model for each number of clusters in `ks`, which ascend.

    They have the settings of `template`, whose own number and training play no part
    (default: those of `KMeans`, so cosine). Each begins with the centroids of the one
    before and as many more, drawn by greedy k-means++ among the points far from these: so
    inertias fall from step to step, at a fraction of the cost of fresh starts. K-medoids
    start afresh. Progress hears of each training as of a further run.

    >>> import kentro
    >>> data = [[0.0], [0.1], [5.0], [5.1], [9.0], [9.2]]
    >>> steps = kentro.sweep(data, range(1, 5), kentro.KMeans(1).with_euclidean(True))
    >>> [round(step.inertia, 3) for step in steps]
    [82.233, 16.432, 0.03, 0.01]
    >>> max(steps[1:], key=lambda step: step.silhouette).n_clusters
    3
    """
    model = KMeans(1) if template is None else template
    if not isinstance(model, KMeans):
        raise TypeError(f"template must be a KMeans or None, got {template!r}")
    numbers = [integer(k, "ks") for k in ks]
    count = threads(num_threads)
    points = Points(data, weights=sample_weight)
    handles = ffi.new("kentro_kmeans *[]", max(len(numbers), 1))
    seconds, silhouettes = np.empty(len(numbers)), np.empty(len(numbers))
    outputs = (
        handles,
        ffi.from_buffer("double[]", seconds),
        ffi.from_buffer("double[]", silhouettes),
    )
    arguments = (model._handle, points.handle, numbers, len(numbers), count)
    with watched(model._progress, model.iterations) as watcher:
        messages = run(watcher, model._cancel, lib.kentro_kmeans_sweep, arguments, outputs)
    steps: list[SweepStep] = []
    for handle, took, score in zip(handles, seconds.tolist(), silhouettes.tolist()):
        trained = type(model)._of(ffi.gc(handle, lib.kentro_kmeans_free), model)
        if watcher is not None and model.n_init == 1:
            trained._curve = watcher.runs.get(len(steps) + 1, ())
        steps.append(SweepStep(trained, took, None if np.isnan(score) else score))
    for message in messages:
        warnings.warn(message, KMeansWarning, stacklevel=3)
    return steps


@tells_names
def silhouette(
    data: Any,
    labels: Any,
    *,
    euclidean: bool = False,
    sample: int | None = None,
    seed: int = 0,
    num_threads: int | None = None,
) -> Silhouette:
    """Return the mean silhouette of the points in the clusters that `labels` names.

    The silhouette of a point is (b - a) / max(a, b), where a is its mean distance to the
    others of its cluster and b the least mean distance to those of another one; 0 in a
    cluster of its own. The distance is 1 - cosine, or Euclidean (not squared).

    `labels`: integers, at least two different ones. `sample`: how many points to look at,
    each of which is compared with all; default: all up to 10,000, of more so many that
    there are 10^8 pairs, and at least 1,000. `seed` draws them.

    >>> import kentro
    >>> kentro.silhouette([[0.0], [1.0], [8.0], [9.0]], [0, 0, 1, 1], euclidean=True)
    Silhouette(score=0.8745098039215686, rows=4, exact=True)
    """
    array = np.asarray(labels)
    if array.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, got dtype {array.dtype}")
    if sample is not None and integer(sample, "sample") == 0:
        raise KMeansError(
            "sample must be positive, got 0; leave it out for as many rows as are useful"
        )
    metric = flag(euclidean, "euclidean")
    drawn = integer(seed, "seed", 0, 2**64 - 1)
    count = threads(num_threads)
    points = Points(data)
    if array.shape != (points.rows,):
        raise KMeansError(
            f"labels must have shape ({points.rows},), one for each point, got {array.shape}"
        )
    numbers = np.ascontiguousarray(array, dtype=np.uint32)
    score, rows = ffi.new("double *"), ffi.new("size_t *")
    pointer = ffi.from_buffer("uint32_t[]", numbers)
    arguments = (points.handle, pointer, numbers.size, metric, sample or 0, drawn, count)
    run(None, None, lib.kentro_silhouette, arguments, (score, rows))
    return Silhouette(score[0], rows[0], rows[0] == points.rows)
