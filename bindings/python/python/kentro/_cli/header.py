"""The header of a model file: what `info` tells without reading the rest."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from .failures import Failure

_MAX_HEADER = 1 << 20
_FLAGS = ("balanced", "use_medoids", "verbose")
_INTEGERS = (
    "format_version",
    "n_clusters",
    "iterations",
    "max_balance_diff",
    "min_size",
    "max_size",
    "seed",
    "n_init",
    "memory_limit",
    "n_iter",
)
_REALS = ("tolerance", "inertia", "balance_gap")


class Header:
    """The header of the model file `path`."""

    def __init__(self, path: str, tensors: dict[str, Any], start: int) -> None:
        self.path = path
        self._tensors = tensors
        self._start = start
        self.meta: dict[str, Any] = tensors.pop("__metadata__", {})

    def shape(self, tensor: str) -> tuple[int, ...] | None:
        """The shape of a tensor, None if it is not there."""
        found = self._tensors.get(tensor)
        return None if found is None else tuple(int(length) for length in found["shape"])

    def sizes(self) -> np.ndarray | None:
        """The points of each cluster: the one tensor that is read."""
        found = self._tensors.get("counts")
        if found is None:
            return None
        first, last = found["data_offsets"]
        count = (last - first) // 8
        with open(self.path, "rb") as file:
            file.seek(self._start + first)
            data = file.read(8 * count)
        if len(data) < 8 * count:
            raise Failure(f"{self.path} is cut off")
        return np.frombuffer(data, "<u8").astype(np.int64)

    def settings(self) -> dict[str, Any]:
        """The metadata as what they are: numbers, flags, texts."""
        values: dict[str, Any] = dict(self.meta)
        for key, text in self.meta.items():
            if key in _FLAGS:
                values[key] = text == "true"
            elif key in _INTEGERS:
                values[key] = int(text)
            elif key in _REALS:
                values[key] = float(text)
        return values


def header_of(path: str) -> Header | None:
    """The header of a model file; None if `path` is something else."""
    if path == "-" or not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        start = file.read(9)
        length = int.from_bytes(start[:8], "little")
        if len(start) < 9 or not 2 <= length <= _MAX_HEADER or start[8:] != b"{":
            return None
        text = start[8:] + file.read(length - 1)
    try:
        header = Header(path, json.loads(text), 8 + length)
        if header.meta.get("format") != "kentro":
            raise Failure(f"{path} is a file of safetensors, but no model of Kentro's")
        header.settings()
        for tensor in header._tensors:
            header.shape(tensor)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failure(f"{path} is no whole model file: its header can't be read") from None
    return header
