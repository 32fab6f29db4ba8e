# mypy: disable-error-code="no-untyped-call,attr-defined,untyped-decorator,import-not-found"
"""Blocks on the workers of a client, or in this process."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import dask
from dask.base import get_scheduler

from .._rounds import Spread, Watch
from .._seeding import Seeding
from . import _tasks

# How often a wish to cancel is looked for, in seconds.
_INTERVAL = 0.2


def connect(partitions: list[Any], weights: list[Any], euclidean: bool, watch: Watch) -> Any:
    """Blocks of partitions where Dask computes: see `_rounds.Parts`."""
    client = getattr(get_scheduler(), "__self__", None)
    if client is not None and hasattr(client, "submit"):
        return Workers(client, partitions, weights, euclidean, watch)
    return Local(partitions, weights, euclidean, watch)


class Local:
    """In this process, one after the other, each on all threads."""

    def __init__(
        self, partitions: list[Any], weights: list[Any], euclidean: bool, watch: Watch
    ) -> None:
        make = dask.delayed(_tasks.block, pure=False)
        pairs = zip(partitions, weights)
        blocks = dask.compute(*(make(rows, own, euclidean) for rows, own in pairs))
        self._blocks = [block for block in blocks if block is not None]
        self._watch = watch

    def spread(self) -> list[Spread | None]:
        return [Spread.of(block) for block in self._blocks]

    def set_ranges(self, ranges: Any) -> None:
        for block in self._blocks:
            block.set_ranges(ranges)

    def seed(self, seeding: Seeding) -> list[bytes]:
        answers, candidates = [], seeding.candidates
        for number, block in enumerate(self._blocks):
            self._watch.check()
            answers.append(block.seed(candidates, seeding.question(number)))
        return answers

    def partial(self, centroids: Any) -> Any:
        total = None
        for block in self._blocks:
            self._watch.check()
            partial = block.partial(centroids)
            total = partial if total is None else total.merge(partial)
        return total


class Workers:
    """On the workers of a client.

    A block is the result of a task, so it stays where it is, and what it remembers with
    it. With its worker it is lost, and made anew of the graph of its partition.
    """

    def __init__(
        self,
        client: Any,
        partitions: list[Any],
        weights: list[Any],
        euclidean: bool,
        watch: Watch,
    ) -> None:
        self._client, self._watch = client, watch
        self._threads = 1
        futures = client.compute([part for pair in zip(partitions, weights) for part in pair])
        pairs = zip(futures[::2], futures[1::2])
        blocks = [self._submit(_tasks.block, *pair, euclidean) for pair in pairs]
        told = self._results([self._submit(_tasks.look, block) for block in blocks])
        kept = [pair for pair in zip(blocks, told) if pair[1] is not None]
        self._blocks = [block for block, _ in kept]
        self._spread = [spread for _, (spread,) in kept]
        threads = sum(client.nthreads().values())
        self._threads = max(1, threads // max(1, len(self._blocks)))

    def spread(self) -> list[Spread | None]:
        return self._spread

    def set_ranges(self, ranges: Any) -> None:
        given = self._submit(_tasks.same, ranges)
        self._blocks = [
            self._submit(_tasks.ranged, block, given, workers=workers)
            for block, workers in self._placed()
        ]

    def seed(self, seeding: Seeding) -> list[bytes]:
        given = self._submit(_tasks.same, seeding.candidates)
        return self._results(
            [
                self._submit(
                    _tasks.seed,
                    block,
                    given,
                    seeding.question(number),
                    self._threads,
                    workers=workers,
                )
                for number, (block, workers) in enumerate(self._placed())
            ]
        )

    def partial(self, centroids: Any) -> Any:
        given = self._submit(_tasks.same, centroids)
        partials = [
            self._submit(_tasks.partial, block, given, self._threads, workers=workers)
            for block, workers in self._placed()
        ]
        total = _tasks.tree(partials, lambda group: self._submit(_tasks.merge, group))
        return self._results([total])[0]

    def _placed(self) -> Any:
        """Each block, and the workers that have it."""
        places = self._client.who_has(self._blocks)
        return [(block, list(places.get(block.key, ()))) for block in self._blocks]

    def _submit(self, task: Any, *arguments: Any, workers: Any = None) -> Any:
        with warnings.catch_warnings():
            # That a graph is large: centroids are meant to be in it.
            warnings.filterwarnings("ignore", message="Sending large graph")
            return self._client.submit(
                task,
                *arguments,
                workers=workers or None,
                allow_other_workers=bool(workers),
                pure=False,
            )

    def _results(self, futures: list[Any]) -> list[Any]:
        """The results, in order; no task goes on if waiting for them ends otherwise."""
        from distributed import wait

        try:
            waiting = set(futures)
            for _ in itertools.count():
                self._watch.check()
                if not waiting:
                    break
                try:
                    wait(list(waiting), timeout=_INTERVAL)
                    break
                except TimeoutError:
                    waiting = {future for future in waiting if not future.done()}
            results: list[Any] = self._client.gather(futures)
            return results
        except BaseException:
            self._client.cancel(futures)
            raise
