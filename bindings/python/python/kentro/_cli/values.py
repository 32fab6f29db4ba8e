"""Values of options: numbers with suffixes, ranges, columns."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import Sequence

from .failures import UsageError

_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def amount(text: str) -> int:
    """256k, 1.5M, 4G, 4Gi: powers of 1000, with an `i` of 1024."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgt]?)(i?)b?", text.strip(), re.ASCII | re.I)
    if not match or (match[3] and not match[2]):
        raise ArgumentTypeError(f"{text!r} is no amount such as 5000, 256k, 1.5M or 4Gi")
    base = 1024 if match[3] else 1000
    value = float(match[1]) if "." in match[1] else int(match[1])
    number = int(value * base ** _POWERS[match[2].lower()])
    if number < 1:
        raise ArgumentTypeError(f"must be at least 1, got {text}")
    return number


def positive(text: str) -> int:
    """Return an int of at least 1."""
    number = natural(text)
    if number == 0:
        raise ArgumentTypeError("must be at least 1, got 0")
    return number


def natural(text: str) -> int:
    """Return an int of at least 0."""
    if not re.fullmatch(r"\d+", text, re.ASCII):
        raise ArgumentTypeError(f"{text!r} is no whole number from 0")
    return int(text)


def seed(text: str) -> int:
    """Return an int of 64 bits."""
    number = natural(text)
    if number >= 2**64:
        raise ArgumentTypeError(f"must be below 2**64, got {text}")
    return number


def fraction(text: str) -> float:
    """Return a finite float of at least 0."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no number from 0")
    return number


def counts(text: str) -> list[int]:
    """2:10, 2:10:2, 8,16,32: ranges have both ends."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?::(\d+)(?::(\d+))?)?", part.strip(), re.ASCII)
        if not match:
            raise ArgumentTypeError(f"{text!r} is no range such as 2:10, 2:10:2 or 8,16,32")
        first = int(match[1])
        last, step = int(match[2] or first), int(match[3] or 1)
        if first < 1 or last < first or step < 1:
            raise ArgumentTypeError(f"{part.strip()!r} has no number of clusters in it")
        if (last - first) // step >= 10_000:
            raise ArgumentTypeError(f"{part.strip()!r} has more than 10000 numbers")
        found.update(range(first, last + 1, step))
    return sorted(found)


def columns(wanted: Sequence[str], names: Sequence[str], number: int, source: str) -> list[int]:
    """The positions of `wanted` columns: names, numbers from 0, ranges with both ends.

    `names` may be empty; `number` columns are there.
    """
    return [
        place
        for item in wanted
        for part in ([item] if item in names else item.split(","))
        for place in _places(part.strip(), names, number, source)
    ]


def _places(part: str, names: Sequence[str], number: int, source: str) -> Sequence[int]:
    if part in names:
        if list(names).count(part) > 1:
            raise UsageError(f"{source} has several columns {part!r}: give its number, from 0")
        return [list(names).index(part)]
    match = re.fullmatch(r"(\d+)(?::(\d+))?", part, re.ASCII)
    if match:
        first, last = int(match[1]), int(match[2] or match[1])
        if first <= last < number:
            return range(first, last + 1)
        raise UsageError(f"--column {part}: {source} has the columns 0 to {number - 1}")
    known = ", ".join(map(repr, names[:20])) or f"numbers from 0 to {number - 1} only"
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    raise UsageError(f"--column {part}: {source} has {known}{more}")
