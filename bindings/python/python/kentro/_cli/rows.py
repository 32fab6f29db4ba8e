"""What the commands share: rows for training with their weights, and models from options."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import ExitStack, contextmanager
from typing import Any, Iterator

import numpy as np

from .. import KMeans, KMeansError, KMeansWarning, load
from .failures import Failure, UsageError
from .gather import sample, whole
from .header import header_of
from .opening import open_source, open_stream
from .progress import Display
from .source import Source


class Training:
    """Points to train with, and how to name one of them in an error."""

    def __init__(self, options: Any, stack: ExitStack, beside: str, display: Display) -> None:
        source = open_source(options.data, options, stack, beside).check_points()
        self.name = source.name
        self.sampled: np.ndarray | None = None
        if options.sample is not None:
            drawn = sample(source, options.sample, options.seed, display)
            self.points, self.sampled, self.rows = drawn
        else:
            self.points = whole(source, options.memory, beside, stack, display)
            self.rows = len(self.points)
        self.weights = self._weights(options, stack, beside, display)

    def _weights(
        self, options: Any, stack: ExitStack, beside: str, display: Display
    ) -> np.ndarray | None:
        if options.weights is None:
            return None
        weights = _plain_array(options.weights, stack, beside, display)
        if weights.ndim == 2 and weights.shape[1] == 1:
            weights = weights[:, 0]
        if weights.shape != (self.rows,):
            raise Failure(
                f"{options.weights} must hold {self.rows} weights, one for each row of "
                f"{self.name}, got shape {weights.shape}"
            )
        return np.array(weights if self.sampled is None else weights[self.sampled])

    @contextmanager
    def rows_named(self) -> Iterator[None]:
        """Errors about a row of the sample name the row of the file."""
        try:
            yield
        except KMeansError as error:
            if error.row is None or self.sampled is None:
                raise Failure(f"{self.name}: {error}") from None
            raise named(error, self.name, int(self.sampled[error.row])) from None


def named(error: KMeansError, name: str, row: int) -> Failure:
    """The error, which is about the row `row` of the file `name`."""
    return Failure(f"{name}: {error} (row {row} of the file, counted from 0)")


def _plain_array(path: str, stack: ExitStack, beside: str, display: Display) -> np.ndarray:
    """The values of a second file, to which the options of the first do not apply."""
    source = open_source(path, _NoOptions, stack, beside)
    return np.asarray(whole(source, None, beside, stack, display))


class _NoOptions:
    form = column = delimiter = header = None


def configured(options: Any, n_clusters: int, stack: ExitStack, beside: str) -> KMeans:
    """An untrained model with the settings that were given."""
    try:
        kmeans = KMeans(n_clusters).with_euclidean(options.metric == "euclidean")
        for name in ("seed", "n_init", "quality", "iterations", "tolerance"):
            value = getattr(options, name)
            if value is not None:
                kmeans = getattr(kmeans, f"with_{name}")(value)
        if options.memory is not None:
            kmeans = kmeans.with_memory_limit(options.memory)
        if options.medoids:
            kmeans = kmeans.with_use_medoids(True)
        kmeans = _balanced(kmeans, options)
        if options.init is not None:
            kmeans = kmeans.with_init(_init(options.init, stack, beside))
    except KMeansError as error:
        raise UsageError(str(error)) from None
    return kmeans


def _balanced(kmeans: KMeans, options: Any) -> KMeans:
    has_bounds = options.min_size is not None or options.max_size is not None
    if has_bounds and options.max_balance_diff is not None:
        raise UsageError("give --max-balance-diff or --min-size and --max-size, not both")
    if has_bounds:
        most = sys.maxsize if options.max_size is None else options.max_size
        return kmeans.with_size_bounds(options.min_size or 0, most)
    if options.max_balance_diff is not None:
        kmeans = kmeans.with_max_balance_diff(options.max_balance_diff)
    elif not options.balanced:
        return kmeans
    return kmeans.with_balanced(True)


def _init(value: str, stack: ExitStack, beside: str) -> Any:
    """The name of a way to seed, or the centroids of a file or a model."""
    if not os.path.exists(value):
        if os.path.splitext(value)[1]:
            raise Failure(f"--init {value}: there is no such file")
        return value
    if header_of(value) is not None:
        return load_model(value).centroids_f64
    return np.array(_plain_array(value, stack, beside, Display(quiet=True)))


def load_model(path: str) -> KMeans:
    """The model in a file, or on stdin."""
    try:
        model = KMeans.from_bytes(open_stream(path).read()) if path == "-" else load(path)
    except KMeansError as error:
        name = "standard input" if path == "-" else path
        raise Failure(f"{name}: {error}") from None
    if not model.is_trained:
        raise Failure(f"{path} holds settings alone: it has not been trained")
    return model


@contextmanager
def warnings_to(display: Display, texts: list[str]) -> Iterator[None]:
    """The package's warnings go to `texts` and, as lines of ours, to stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", KMeansWarning)
        yield
    for warning in caught:
        texts.append(str(warning.message))
        display.warn(texts[-1])


__all__ = ["Source", "Training", "configured", "load_model", "named", "warnings_to"]
