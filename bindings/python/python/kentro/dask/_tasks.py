# mypy: disable-error-code="no-untyped-call,attr-defined,untyped-decorator,import-not-found"
"""What workers do."""

from __future__ import annotations

import copy
from typing import Any, Callable, TypeVar

import numpy as np
from dask.sizeof import sizeof

from .. import Block, Partial
from .._errors import Busy
from .._rounds import Spread, Trained

_Result = TypeVar("_Result")

# Partials that a task merges.
_TOGETHER = 8


@sizeof.register(Block)
def _size(block: Block) -> int:
    """What a block holds: a scheduler should not think that moving one is cheap."""
    rows = block._data
    return int(getattr(rows, "nbytes", 0)) + 100 * len(block)


def block(rows: Any, weights: Any, euclidean: bool) -> Block | None:
    """A block of a partition; None of one without rows."""
    rows = array(rows)
    if weights is not None:
        weights = np.asarray(weights).reshape(-1)
    return Block(rows, euclidean, sample_weight=weights) if rows.shape[0] else None


def array(rows: Any) -> Any:
    """A partition as what Kentro reads."""
    return rows.to_numpy() if hasattr(rows, "to_numpy") else rows


def same(value: Any) -> Any:
    """What many tasks need: kept by the scheduler, and so never lost with a worker."""
    return value


def look(own: Block | None) -> tuple[Spread | None] | None:
    """What a block says of an offset; None where there are no rows."""
    return None if own is None else (_idle(own, lambda block: Spread.of(block, 1)),)


def ranged(own: Block, ranges: Any) -> Block:
    """A block that knows the ranges of all."""

    def tell(block: Block) -> Block:
        block.set_ranges(ranges)
        return block

    return _idle(own, tell)


def seed(own: Block, candidates: Any, question: bytes, num_threads: int) -> bytes:
    """What a block answers a `Seeding`."""
    return _idle(own, lambda block: block.seed(candidates, question, num_threads))


def partial(own: Block, centroids: Any, num_threads: int) -> Partial:
    """What a block comes to."""
    return _idle(own, lambda block: block.partial(centroids, num_threads))


def _idle(own: Block, work: Callable[[Block], _Result]) -> _Result:
    """Work with a block, which remembers what no result shows.

    One that a task still has which was given up is left to it.
    """
    try:
        return work(own)
    except Busy:
        return work(copy.copy(own))


def merge(partials: list[Partial]) -> Partial:
    """All together. Results of other tasks stay as they are, for they may be asked again."""
    total = copy.copy(partials[0])
    for other in partials[1:]:
        total.merge(other)
    return total


def tree(items: list[Any], join: Any) -> Any:
    """What is left when `join` takes a few at a time."""
    while len(items) > 1:
        groups = [items[i : i + _TOGETHER] for i in range(0, len(items), _TOGETHER)]
        items = [join(group) if len(group) > 1 else group[0] for group in groups]
    return items[0]


def labels(rows: Any, trained: Trained, euclidean: bool) -> Any:
    """The nearest centre of each row."""
    return trained.model(euclidean).predict(array(rows)).view(np.int32)


def distances(rows: Any, trained: Trained, euclidean: bool) -> Any:
    """The distance of each row to each centre, not squared."""
    found = trained.model(euclidean).transform(array(rows))
    return np.sqrt(found, out=found) if euclidean else found


def score(rows: Any, weights: Any, trained: Trained, euclidean: bool) -> float:
    """Minus what the rows add to the inertia."""
    rows = array(rows)
    if weights is not None:
        weights = np.asarray(weights).reshape(-1)
    if not (rows.shape[0] if weights is None else weights.any()):
        return 0.0
    return float(trained.model(euclidean).score(rows, sample_weight=weights, num_threads=1))
