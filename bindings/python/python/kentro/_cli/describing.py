"""`info`: what a file holds."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any

import numpy as np

from .failures import Failure
from .header import Header, header_of
from .opening import open_source
from .output import folder_of
from .report import counted, of_sizes, print_json, print_lines
from .rows import load_model

_SETTINGS = (
    "iterations",
    "seed",
    "tolerance",
    "init",
    "n_init",
    "quality",
    "memory_limit",
    "max_balance_diff",
    "min_size",
    "max_size",
)
_OF_BALANCED = ("max_balance_diff", "min_size", "max_size")


def info(options: Any) -> None:
    """Tell what a model, or a file of rows, holds."""
    header = header_of(options.file)
    if header is None:
        _info_of_rows(options)
        return
    if options.check:
        load_model(options.file)
    values = header.settings()
    sizes = header.sizes()
    shape = header.shape("centroids")
    if options.json:
        values["n_dimensions"] = shape[1] if shape else None
        values["n_points"] = None if sizes is None else sizes.sum()
        values["cluster_sizes"] = sizes
        values["has_labels"] = header.shape("labels") is not None
        values["is_trained"] = shape is not None
        values["bytes"] = os.path.getsize(options.file)
        print_json(values)
        return
    print_lines(_lines(header, values, sizes, shape))


def _lines(
    header: Header, values: dict[str, Any], sizes: np.ndarray | None, shape: Any
) -> list[tuple[str, str]]:
    lines = [("model", f"{header.path}, format version {values['format_version']}")]
    lines.append(("kind", f"{_kind(values)}, {values['metric']}"))
    if shape is None:
        lines.append(("clusters", f"{values['n_clusters']}, not trained"))
    else:
        lines.append(("centroids", f"{shape[0]} x {shape[1]}"))
    if sizes is not None:
        lines += [("points", str(sizes.sum())), ("sizes", of_sizes(sizes))]
    if "inertia" in values:
        iterations = counted(values.get("n_iter", 0), "iteration")
        lines.append(("inertia", f"{values['inertia']:.9g} after {iterations}"))
    if "balance_gap" in values:
        lines.append(("gap", f"at most {values['balance_gap']:.2g} of the inertia"))
    for key in ("info", "warnings"):
        lines += [(key, text) for text in values.get(key, "").splitlines()]
    settings = [
        f"{key} {values[key]}"
        for key in _SETTINGS
        if key in values and (values.get("balanced") or key not in _OF_BALANCED)
    ]
    labels = header.shape("labels")
    lines.append(("settings", ", ".join(settings)))
    lines.append(("labels", "left out" if labels is None else f"of {labels[0]} points"))
    return lines


def _kind(values: dict[str, Any]) -> str:
    name = "K-medoids" if values.get("use_medoids") else "K-means"
    return f"balanced {name}" if values.get("balanced") else name


def _info_of_rows(options: Any) -> None:
    if options.check:
        raise Failure(f"--check is for models, and {options.file} is none")
    with ExitStack() as stack:
        source = open_source(options.file, options, stack, folder_of(None))
        shape = list(source.shape)
        mapped = isinstance(source.array, np.memmap)
    if options.json:
        print_json(
            {
                "file": source.name,
                "format": source.form,
                "shape": shape,
                "dtype": source.dtype.name,
                "is_mapped": mapped,
            }
        )
        return
    lengths = ["?" if length is None else str(length) for length in shape]
    how = "read where it lies" if mapped else "read block by block"
    print_lines(
        [
            ("file", f"{source.name}, {source.form}"),
            ("shape", f"{' x '.join(lengths)}, {source.dtype.name}"),
            ("reading", how),
        ]
    )
