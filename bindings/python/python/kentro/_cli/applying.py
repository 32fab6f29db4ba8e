"""`assign` and `convert`: block by block, however large the file is."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import Any, Iterator

import numpy as np

from .. import KMeans, KMeansError
from .failures import Failure, UsageError
from .gather import sample, whole
from .header import header_of
from .opening import open_source
from .output import check_target, folder_of
from .progress import Display
from .report import counted, of_sizes, print_json, print_lines
from .rows import load_model, named
from .source import Source
from .sparse import SparseRows
from .writers import Writer, form_to_write

_MODEL_SUFFIXES = (".safetensors", ".kentro")
_ANSWERS = 4 << 20
_PARTS = {
    "centroids": "centroids",
    "labels": "labels",
    "sizes": "cluster_sizes",
    "medoids": "medoid_indices",
}


def assign(options: Any) -> None:
    """Write the nearest cluster, or clusters, of each row."""
    _check_assign(options)
    display = Display(options.quiet)
    with ExitStack() as stack:
        form = form_to_write(options.output, options.to)
        kmeans = load_model(options.model)
        if options.balanced and kmeans.prices is None:
            raise Failure(f"{options.model} is not balanced: leave --balanced out")
        beside = folder_of(options.output)
        source = open_source(options.data, options, stack, beside).check_points()
        if source.columns != kmeans.n_dimensions:
            raise Failure(
                f"{source.name} has {counted(source.columns, 'column')}, and the model has "
                f"{counted(kmeans.n_dimensions or 0, 'dimension')}; --column chooses columns"
            )
        labels = Writer(options.output, form, stack, title="cluster", rows=source.rows)
        distances = None
        if options.distances is not None:
            form = form_to_write(options.distances, None)
            distances = Writer(
                options.distances, form, stack, title="distance", rows=source.rows
            )
        sizes = np.zeros(kmeans.n_clusters, np.int64)
        start = time.perf_counter()
        with display.phase("assigning", source.rows, "rows") as phase:
            for nearest, far in _assigned(kmeans, source, options):
                labels.write(nearest)
                if distances is not None:
                    distances.write(far)
                sizes += np.bincount(nearest.ravel(), minlength=len(sizes))
                phase.update(len(nearest))
        seconds = time.perf_counter() - start
        labels.commit()
        if distances is not None:
            distances.commit()
    _report(options, labels.rows, sizes, seconds)


def _check_assign(options: Any) -> None:
    if options.model == "-" and options.data == "-":
        raise UsageError("MODEL and DATA can't both be standard input")
    if options.output == "-" and (options.json or options.distances == "-"):
        other = "--json" if options.json else "--distances -"
        raise UsageError(f"{other} needs standard output for itself: give -o LABELS")
    if options.distances == "-" and options.json:
        raise UsageError("--json and --distances - would both write to standard output")
    if options.distances == options.output:
        raise UsageError("--distances and -o name one file")
    if options.balanced and options.nearest != 1:
        raise UsageError("--balanced gives each row one cluster: leave --nearest out")


def _assigned(kmeans: KMeans, source: Source, options: Any) -> Iterator[tuple[np.ndarray, Any]]:
    first = 0
    for block in _parts(source, options.nearest):
        try:
            found: Any = kmeans.predict(
                block,
                options.threads,
                k=options.nearest,
                balanced=options.balanced,
                return_distances=options.distances is not None,
            )
            yield found if options.distances is not None else (found, None)
        except KMeansError as error:
            if error.row is None:
                raise Failure(f"{source.name}: {error}") from None
            raise named(error, source.name, first + error.row) from None
        first += len(block)


def _parts(source: Source, nearest: int) -> Iterator[Any]:
    """Blocks whose answers, 12 bytes for each of the nearest, are not too large."""
    step = max(1, _ANSWERS // nearest)
    for block in source.blocks():
        for first in range(0, max(1, len(block)), step):
            yield block[first : first + step]


def _report(options: Any, rows: int, sizes: np.ndarray, seconds: float) -> None:
    if options.json:
        print_json(
            {
                "labels": options.output,
                "n_points": rows,
                "n_clusters": len(sizes),
                "nearest": options.nearest,
                "cluster_sizes": sizes,
                "seconds": round(seconds, 6),
            }
        )
    elif not options.quiet and "-" not in (options.output, options.distances):
        print_lines(
            [("rows", str(rows)), ("sizes", of_sizes(sizes)), ("labels", options.output)]
        )


def convert(options: Any) -> None:
    """Rows to another format, a part of a model to rows, or centroids to a model."""
    display = Display(options.quiet)
    header = header_of(options.input)
    to_model = os.path.splitext(options.output)[1].lower() in _MODEL_SUFFIXES
    if options.part is not None and header is None:
        raise UsageError(f"--part is for models, and {options.input} is none")
    if options.metric is not None and not to_model:
        raise UsageError("--metric is for centroids that become a model (-o MODEL.safetensors)")
    with ExitStack() as stack:
        beside = folder_of(options.output)
        if header is not None:
            if to_model:
                raise UsageError(f"{options.input} is a model already: copy it")
            source = _part(options)
        else:
            source = open_source(options.input, options, stack, beside)
        if len(source.shape) not in (1, 2):
            raise Failure(
                f"{source.name} must have 1 or 2 dimensions, got shape {source.shape}"
            )
        if options.sample is not None:
            drawn = sample(source, options.sample, options.seed, display)
            source = Source(source.name, source.form, array=drawn.points)
        if to_model:
            shape = _write_model(source, options, beside, stack, display)
        else:
            shape = _write_rows(source, options, stack, display)
    result = {"output": options.output, "shape": shape}
    if options.json:
        print_json(result)
    elif not options.quiet and options.output != "-":
        print_lines([("shape", " x ".join(map(str, shape))), ("output", options.output)])


def _part(options: Any) -> Source:
    model = load_model(options.input)
    part = options.part or "centroids"
    value = getattr(model, _PARTS[part])
    if value is None:
        why = "; fit with --keep-labels" if part == "labels" else ""
        raise Failure(f"{options.input} holds no {part}{why}")
    return Source(f"{options.input}, {part}", "model", array=np.asarray(value))


def _write_model(
    source: Source, options: Any, beside: str, stack: ExitStack, display: Display
) -> list[int]:
    check_target(options.output)
    centroids = whole(source.check_points(), None, beside, stack, display)
    try:
        model = KMeans.from_centroids(centroids, options.metric == "euclidean")
    except KMeansError as error:
        raise Failure(f"{source.name}: {error}") from None
    model.save(options.output)
    return [model.n_clusters, model.n_dimensions or 0]


def _write_rows(source: Source, options: Any, stack: ExitStack, display: Display) -> list[int]:
    if options.json and options.output == "-":
        raise UsageError("--json needs standard output for itself: give -o OUTPUT")
    form = form_to_write(options.output, options.to)
    writer = Writer(options.output, form, stack, title="vector", rows=source.rows)
    with display.phase("converting", source.rows, "rows") as phase:
        for block in source.blocks():
            if isinstance(block, SparseRows):
                block = block.toarray()
            writer.write(block if options.dtype is None else _cast(block, options.dtype))
            phase.update(len(block))
    writer.commit()
    return [writer.rows, *(length or 0 for length in source.shape[1:])]


def _cast(block: np.ndarray, name: str) -> np.ndarray:
    """The block as another type, unless that would change more than its digits."""
    dtype = np.dtype(name)
    with np.errstate(all="ignore"):
        values = block.astype(dtype)
        if dtype.kind == "f":
            is_wrong = np.isfinite(block) & ~np.isfinite(values)
        else:
            is_wrong = values.astype(block.dtype) != block
            is_wrong |= (block < 0) & (values > 0)
    if is_wrong.any():
        raise Failure(f"--dtype {name} can't hold {block[is_wrong].ravel()[0]}")
    return values
