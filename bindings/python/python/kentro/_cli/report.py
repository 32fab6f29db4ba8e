"""What a command says on stdout: lines for people, or one JSON object."""

from __future__ import annotations

import json
import math
from typing import Any, Sequence

import numpy as np


def print_json(values: dict[str, Any]) -> None:
    """One object on a line; NaN and infinity, which JSON has not, are null."""
    print(json.dumps(_plain(values), allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def print_lines(lines: Sequence[tuple[str, str]]) -> None:
    """A table of two columns."""
    width = max(len(name) for name, _ in lines) + 2
    for name, text in lines:
        print(f"{name.ljust(width)}{text}".rstrip())


def of_sizes(sizes: np.ndarray) -> str:
    """The spread of cluster sizes in words; the median is one of the sizes."""
    middle = np.sort(sizes)[(len(sizes) - 1) // 2]
    empty = int((sizes == 0).sum())
    more = f", {empty} empty" if empty else ""
    return f"{sizes.min()} to {sizes.max()}, median {middle}{more}"


def counted(number: int, noun: str) -> str:
    """1 row, 2 rows."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
