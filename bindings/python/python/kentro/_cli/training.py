"""`fit` and `sweep`."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from typing import Any

import numpy as np

from .. import KMeans
from .._judging import SweepStep
from .._judging import sweep as sweep_of
from .failures import UsageError
from .opening import FORMATS
from .output import check_target, folder_of
from .progress import Display
from .report import counted, of_sizes, print_json, print_lines
from .rows import Training, configured, warnings_to
from .writers import Writer, form_to_write


def fit(options: Any) -> None:
    """Train a model and save it."""
    _check_fit(options)
    display = Display(options.quiet)
    with ExitStack() as stack:
        beside = folder_of(options.output)
        kmeans = configured(options, options.clusters, stack, beside)
        check_target(options.output)
        writer = None
        if options.labels is not None:
            form = form_to_write(options.labels, None)
            writer = Writer(options.labels, form, stack, title="cluster")
        training = Training(options, stack, beside, display)
        texts: list[str] = []
        start = time.perf_counter()
        with warnings_to(display, texts), training.rows_named():
            kmeans, labels = _train(kmeans, training, options, display)
        seconds = time.perf_counter() - start
        if writer is not None:
            writer.write(labels)
            writer.commit()
        _save(kmeans, options)
    _report(kmeans, options, texts, seconds)


def _check_fit(options: Any) -> None:
    suffix = os.path.splitext(options.output)[1].lower()
    if suffix in FORMATS:
        raise UsageError(
            f"fit writes a model, not a {suffix}: write MODEL.safetensors, then "
            f"kentro convert MODEL.safetensors -o {options.output}"
        )
    if options.output == "-":
        if options.json:
            raise UsageError("--json and -o - would both write to standard output")
        if sys.stdout.isatty():
            raise UsageError("-o - writes a model's bytes: not to a terminal")
    if options.labels == "-" and (options.output == "-" or options.json):
        raise UsageError("--labels - needs standard output for itself")
    if options.labels == options.output:
        raise UsageError("--labels and -o name one file")
    if options.labels is not None and options.sample is not None:
        raise UsageError(
            "--labels are of all rows, and --sample trains with some: use kentro assign"
        )
    if options.weights == "-":
        raise UsageError("--weights must be a file")


def _train(
    kmeans: KMeans, training: Training, options: Any, display: Display, name: str = ""
) -> tuple[KMeans, np.ndarray]:
    with display.training(kmeans.iterations, name) as progress:
        kmeans = kmeans.with_progress(progress)
        labels = kmeans.train_labels(
            training.points, options.threads, sample_weight=training.weights
        )
    return kmeans, labels


def _save(kmeans: KMeans, options: Any) -> None:
    if options.output == "-":
        sys.stdout.buffer.write(kmeans.to_bytes(labels=options.keep_labels))
        sys.stdout.buffer.flush()
    else:
        kmeans.save(options.output, labels=options.keep_labels)


def _report(kmeans: KMeans, options: Any, texts: list[str], seconds: float) -> None:
    if options.json:
        print_json(
            {
                "model": options.output,
                "n_points": kmeans.n_points,
                "n_dimensions": kmeans.n_dimensions,
                "n_clusters": kmeans.n_clusters,
                "metric": options.metric,
                "inertia": kmeans.inertia,
                "n_iter": kmeans.n_iter,
                "balance_gap": kmeans.balance_gap,
                "cluster_sizes": kmeans.cluster_sizes,
                "medoid_indices": kmeans.medoid_indices,
                "info": kmeans.info,
                "warnings": texts,
                "seconds": round(seconds, 6),
            }
        )
    elif not options.quiet and "-" not in (options.output, options.labels):
        print_lines(_lines(kmeans, options))


def _lines(kmeans: KMeans, options: Any) -> list[tuple[str, str]]:
    sampled = " (a sample)" if options.sample is not None else ""
    shape = (
        f"{kmeans.n_points} x {kmeans.n_dimensions}{sampled}, "
        f"{counted(kmeans.n_clusters, 'cluster')}, {options.metric}"
    )
    iterations = counted(kmeans.n_iter or 0, "iteration")
    lines = [("points", shape), ("inertia", f"{kmeans.inertia:.9g} after {iterations}")]
    if kmeans.balance_gap is not None:
        lines.append(("gap", f"at most {kmeans.balance_gap:.2g} of the inertia"))
    if kmeans.cluster_sizes is not None:
        lines.append(("sizes", of_sizes(kmeans.cluster_sizes)))
    return [*lines, ("model", options.output)]


def sweep(options: Any) -> None:
    """Train with each number of clusters and print what comes out."""
    if options.weights == "-":
        raise UsageError("--weights must be a file")
    display = Display(options.quiet)
    texts: list[str] = []
    with ExitStack() as stack:
        beside = folder_of(None)
        template = configured(options, options.clusters[0], stack, beside)
        training = Training(options, stack, beside, display)
        with warnings_to(display, texts), training.rows_named(), display.training(
            template.iterations
        ) as progress:
            steps = sweep_of(
                training.points,
                options.clusters,
                template.with_progress(progress),
                options.threads,
                sample_weight=training.weights,
            )
    if options.json:
        trials = [_trial(step) for step in steps]
        print_json({"metric": options.metric, "trials": trials, "warnings": texts})
        return
    print(_ROW.format("clusters", "inertia", "silhouette", "iterations", "sizes"))
    for step in steps:
        print(_ROW.format(*_cells(step)))


_ROW = "{:>8}  {:>12}  {:>10}  {:>10}  {:>16}"


def _cells(step: SweepStep) -> tuple[str, ...]:
    sizes = step.model.cluster_sizes
    assert sizes is not None
    return (
        str(step.n_clusters),
        f"{step.inertia:.9g}",
        "" if step.silhouette is None else f"{step.silhouette:.4f}",
        str(step.model.n_iter),
        f"{sizes.min()} to {sizes.max()}",
    )


def _trial(step: SweepStep) -> dict[str, Any]:
    return {
        "n_clusters": step.n_clusters,
        "inertia": step.inertia,
        "silhouette": step.silhouette,
        "n_iter": step.model.n_iter,
        "cluster_sizes": step.model.cluster_sizes,
        "seconds": round(step.seconds, 6),
    }
