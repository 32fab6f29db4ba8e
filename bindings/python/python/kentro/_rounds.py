"""K-means over rows that are elsewhere: what Dask and Spark have in common."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Protocol

import numpy as np

from ._blocks import Block, Partial
from ._errors import Cancelled
from ._kmeans import KMeans
from ._library import lib
from ._run import CancelToken, Progress
from ._seeding import Seeding
from ._watching import watched

if TYPE_CHECKING:
    from numpy.typing import NDArray

METRICS = {"euclidean": True, "cosine": False}


class Parts(Protocol):
    """Blocks of rows, in an order that stays."""

    def spread(self) -> list[Spread | None]:
        """What all blocks say of an offset, in order."""
        ...

    def set_ranges(self, ranges: NDArray[np.float64]) -> None:
        """Give all blocks the ranges of all."""
        ...

    def seed(self, seeding: Seeding) -> list[bytes]:
        """What all blocks answer, in order."""
        ...

    def partial(self, centroids: NDArray[np.float32]) -> Partial:
        """What all blocks come to together."""
        ...


class Settings(NamedTuple):
    """What is to be done."""

    n_clusters: int
    metric: str
    init: Any
    """ "k-means||", or the first centroids."""
    max_iter: int
    tolerance: float
    """A fraction of the inertia; 0: none."""
    seed: int

    def check(self) -> None:
        """Raise a `ValueError` that names what does not fit."""
        for name, least in (("n_clusters", 1), ("max_iter", 1)):
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or value < least:
                raise ValueError(f"{name} must be an int of at least {least}, got {value!r}")
        if self.metric not in METRICS:
            known = ", ".join(map(repr, METRICS))
            raise ValueError(f"metric must be one of {known}, got {self.metric!r}")
        if not self.tolerance >= 0:
            raise ValueError(f"tol must be at least 0, got {self.tolerance!r}")
        if isinstance(self.init, str):
            if self.init != "k-means||":
                raise ValueError(
                    f"init must be 'k-means||' or an array of centroids, got {self.init!r}"
                )
        elif np.ndim(self.init) != 2 or len(self.init) != self.n_clusters:
            raise ValueError(
                f"init must have a row for each of {self.n_clusters} clusters, "
                f"got shape {np.shape(self.init)}"
            )


class Spread(NamedTuple):
    """Where numbers of a block lie: they may have to lose an offset."""

    dtype: str
    ranges: NDArray[np.float64]

    @classmethod
    def of(cls, block: Block, num_threads: int | None = None) -> Spread | None:
        """That of a block; None where the offset of all rows is nothing for sure.

        That is so of narrow numbers, and of a column that loses nothing by itself: a part
        of the rows is nearer to each other than all are, and as far from 0.
        """
        dtype = block._data.dtype
        if not (block._euclidean and wide(dtype)):
            return None
        ranges = block.ranges(num_threads)
        spread, is_empty = cls(dtype.str, ranges), (ranges[0] > ranges[1]).any()
        return spread if is_empty or spread.offset() is not None else None

    def offset(self) -> NDArray[np.float64] | None:
        """What rows of these ranges lose."""
        probe = Block(np.zeros((1, self.ranges.shape[1]), self.dtype), euclidean=True)
        probe.set_ranges(self.ranges)
        return probe.offset


def wide(dtype: Any) -> bool:
    """Whether numbers may have digits that float32 has not."""
    return dtype.kind in "iuf" and dtype.itemsize >= 4 and dtype != np.float32


class Trained(NamedTuple):
    """What training has found."""

    centroids: NDArray[np.float32]
    """Less the offset."""
    offset: NDArray[np.float64] | None
    inertia: float
    n_iter: int

    @property
    def places(self) -> NDArray[Any]:
        """Where centroids are: float64 if there is an offset."""
        return self.centroids if self.offset is None else self.centroids + self.offset

    def model(self, euclidean: bool) -> KMeans:
        """A model that predicts."""
        return KMeans.from_centroids(self.centroids, euclidean, offset=self.offset)


class Watch:
    """Tells of progress, and ends a training that is to be cancelled."""

    def __init__(self, progress: Callable[[Progress], Any] | None, cancel: Any) -> None:
        if cancel is not None and not isinstance(cancel, CancelToken):
            raise TypeError(f"cancel must be a kentro.CancelToken, got {cancel!r}")
        self._progress, self.cancel = progress, cancel
        self._start = time.monotonic()

    def check(self) -> None:
        """Raise `Cancelled` if the token was tripped; to be called now and then."""
        if self.cancel is not None and self.cancel.requested:
            raise Cancelled("cancelled by its token")

    def tell(self, phase: int, iteration: int, inertia: float, changed: int) -> None:
        """Pass on how far it is; `Cancelled` where that returns False."""
        self.check()
        if self._progress is None:
            return
        seconds = time.monotonic() - self._start
        record = SimpleNamespace(phase=phase, run=1, iteration=iteration, total=iteration)
        record.inertia, record.changed, record.seconds = inertia, changed, seconds
        if self._progress(Progress(record)) is False:
            raise Cancelled("cancelled by its progress callback")


def train(
    connect: Callable[[Watch], Parts], settings: Settings, progress: Any, cancel: Any
) -> Trained:
    """Train on what `connect` makes: the centroids of quality "fast" in memory."""
    with watched(progress, settings.max_iter) as watcher:
        watch = Watch(watcher if progress is not None else None, cancel)
        parts = connect(watch)
        offset = _offset(parts)
        centroids = _first(parts, settings, offset, watch)
        return _iterate(parts, centroids, settings, watch)._replace(offset=offset)


def _offset(parts: Parts) -> NDArray[np.float64] | None:
    """What all rows lose, which blocks are told."""
    spread = parts.spread()
    known = [own for own in spread if own is not None]
    if not known or len(known) < len(spread):
        return None
    least = np.min([own.ranges[0] for own in known], axis=0)
    greatest = np.max([own.ranges[1] for own in known], axis=0)
    everywhere = Spread(known[0].dtype, np.array([least, greatest]))
    offset = everywhere.offset()
    if offset is not None:
        parts.set_ranges(everywhere.ranges)
    return offset


def _first(
    parts: Parts, settings: Settings, offset: NDArray[np.float64] | None, watch: Watch
) -> NDArray[np.float32]:
    if not isinstance(settings.init, str):
        given = np.asarray(settings.init)
        given = given if offset is None else given - offset
        return np.ascontiguousarray(given, dtype=np.float32)
    seeding = Seeding(settings.n_clusters, METRICS[settings.metric], settings.seed)
    while (centroids := seeding.centroids) is None:
        watch.tell(lib.KENTRO_PHASE_SEEDING, 0, float("nan"), 0)
        seeding._take(watch.cancel, parts.seed(seeding), None)
    return centroids


def _iterate(
    parts: Parts, centroids: NDArray[np.float32], settings: Settings, watch: Watch
) -> Trained:
    # Which rows changed their clusters is no rule: a block may have been lost, or asked
    # twice. No label changes where the centroids stay.
    last, n_iter, done = float("inf"), 0, False
    while not done:
        n_iter += 1
        update = parts.partial(centroids).finalize(centroids)
        watch.tell(lib.KENTRO_PHASE_ITERATING, n_iter, update.inertia, update.changed or 0)
        done = update.converged or n_iter == settings.max_iter
        if update.converged and n_iter == 1 < settings.max_iter:
            n_iter = 2  # only the second iteration can find that nothing changes
        if settings.tolerance > 0 and n_iter > 1:
            done = done or last - update.inertia < settings.tolerance * last
        last, centroids = update.inertia, update.centroids
    watch.tell(lib.KENTRO_PHASE_LABELLING, n_iter, last, 0)
    partial, before = parts.partial(centroids), float("inf")
    while partial.inertia < before:
        placed = partial.place_empty(centroids)
        if placed is None:
            break
        before, centroids = partial.inertia, placed
        partial = parts.partial(centroids)
    return Trained(centroids, None, partial.inertia, n_iter)
