"""Checks of arguments that C would silently convert."""

from __future__ import annotations

import numbers
import operator
import os
from typing import Any, Mapping

import numpy as np

from ._errors import KMeansError
from ._library import SIZE_MAX


def integer(value: Any, name: str, lowest: int = 1, highest: int | None = SIZE_MAX) -> int:
    """`value` as an int; TypeError unless it is one, an error unless it fits.

    Zero passes even where `lowest` is 1, since the library has its own words
    for it.
    """
    if type(value) is int:
        number: int | None = value
    else:
        try:
            number = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
        except TypeError:
            number = None
    if number is None:
        raise TypeError(f"{name} must be an int, got {value!r} of type {type(value).__name__}")
    if number < 0:
        raise KMeansError(f"{name} must be at least {lowest}, got {number}")
    if highest is not None and number > highest:
        raise KMeansError(f"{name} must be at most {highest}, got {number}")
    return number


def flag(value: Any, name: str) -> int:
    """`value` as 0 or 1; TypeError unless it is a bool."""
    if type(value) is not bool and not isinstance(value, np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return int(value)


def real(value: Any, name: str) -> float:
    """`value` as a float; TypeError unless it is a number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"{name} must be a number, got {value!r} of type {type(value).__name__}"
        )
    return float(value)


def path_bytes(path: Any) -> tuple[str, bytes]:
    """A path as it was given and as the library takes it."""
    name = os.fspath(path)
    encoded = os.fsencode(name) if os.name == "posix" else os.fsdecode(name).encode()
    if b"\0" in encoded:
        raise ValueError("path has a null character in it")
    return name, encoded


def threads(num_threads: int | None) -> int:
    """The native thread count; None stands for all cores."""
    if num_threads is None:
        return SIZE_MAX
    number = integer(num_threads, "num_threads", highest=None)
    if number == 0:
        raise KMeansError("num_threads must be positive, got 0; by default all cores are used")
    return min(number, SIZE_MAX)


def choice(value: str, name: str, choices: Mapping[Any, int]) -> int:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {value!r}")
    if value not in choices:
        known = ", ".join(map(repr, choices))
        raise KMeansError(f"{name} must be one of {known}, got {value!r}")
    return choices[value]
