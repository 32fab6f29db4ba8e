"""What is made of the progress of a training: a bar, and the curve of its inertias."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Literal, Union

from ._run import Progress

Watcher = Union[Callable[[Progress], Any], Literal["bar"], None]
"""What `KMeans.with_progress` takes."""


def checked(progress: Any) -> Watcher:
    """`progress` if it can watch."""
    if isinstance(progress, str) and progress == "bar":
        try:
            import tqdm  # noqa: F401
        except ImportError:
            raise ImportError('with_progress("bar") needs tqdm: pip install tqdm') from None
        return "bar"
    if progress is None or callable(progress):
        watcher: Watcher = progress
        return watcher
    raise TypeError(f'progress must be callable, "bar" or None, got {progress!r}')


class Curve:
    """Remembers the inertia after each iteration of each run, and passes progress on."""

    def __init__(self, passed_on: Callable[[Progress], Any] | None) -> None:
        self.runs: dict[int, list[float]] = {}
        self._passed_on = passed_on
        self._total = 0

    def __call__(self, progress: Progress) -> Any:
        if progress.total > self._total and progress.inertia == progress.inertia:
            self._total = progress.total
            self.runs.setdefault(progress.run, []).append(progress.inertia)
        return None if self._passed_on is None else self._passed_on(progress)

    def best(self) -> list[float]:
        """The inertias of the run that came to the least."""
        return min(self.runs.values(), key=lambda run: run[-1], default=[])


@contextmanager
def watched(progress: Watcher, iterations: int) -> Iterator[Curve | None]:
    """What watches a training of so many iterations at most.

    None where nobody asks for it: a thread of the caller's is not to wait for the
    interpreter without need. (The main thread is asked for signals anyway.)
    """
    if progress == "bar":
        with _bar(iterations) as bar:
            yield Curve(bar)
    elif callable(progress):
        yield Curve(progress)
    elif threading.current_thread() is threading.main_thread():
        yield Curve(None)
    else:
        yield None


@contextmanager
def _bar(iterations: int) -> Iterator[Callable[[Progress], None]]:
    """Draws a bar of tqdm's, with the phase by name."""
    from tqdm.auto import tqdm

    with tqdm(total=iterations, unit="it", leave=True) as bar:
        run = 1

        def show(progress: Progress) -> None:
            nonlocal run
            if progress.run != run:
                run = progress.run
                bar.reset(iterations)
            if progress.iteration > iterations:  # swaps of centroids iterate as well
                bar.total = None
            name = progress.phase if run == 1 else f"run {run}, {progress.phase}"
            bar.set_description(name, refresh=False)
            if progress.inertia == progress.inertia:
                bar.set_postfix_str(
                    f"inertia {progress.inertia:.6g}, {progress.changed} changed", refresh=False
                )
            bar.update(progress.iteration - bar.n)

        yield show
        bar.refresh()
