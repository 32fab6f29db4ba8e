"""Parameters that other libraries have, and what they are called here."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

_SETTINGS = {
    "init": "with_init(init)",
    "max_iter": "with_iterations(iters)",
    "n_init": "with_n_init(n_init)",
    "random_state": "with_seed(seed)",
    "seed": "with_seed(seed)",
    "tol": "with_tolerance(tolerance)",
    "verbose": "with_verbose(verbose)",
    "metric": "with_euclidean(euclidean)",
    "niter": "with_iterations(iters)",
    "spherical": "with_euclidean(euclidean)",
}
_ARGUMENTS = {
    "k": "n_clusters",
    "n_jobs": "num_threads",
    "n_threads": "num_threads",
    "sample_weights": "sample_weight",
    "weights": "sample_weight",
}


def tells_names(function: Function) -> Function:
    """`function`, which tells the right name where it is given that of another library."""
    known = inspect.signature(function).parameters

    @functools.wraps(function)
    def told(*arguments: Any, **named: Any) -> Any:
        for name in named:
            if name not in known:
                raise TypeError(_text(function.__qualname__, name, set(known)))
        return function(*arguments, **named)

    return told  # type: ignore[return-value]


def _text(function: str, name: str, known: set[str]) -> str:
    text = f"{function}() has no parameter {name!r}"
    if name in _SETTINGS:
        text += f"; set it by {_SETTINGS[name]}"
        if function.endswith("__init__"):
            text += ", or use kentro.sklearn, whose estimators have scikit-learn's names"
    elif name == "n_jobs" and "num_threads" not in known:
        text += "; give train and predict num_threads"
    elif _ARGUMENTS.get(name) in known:
        text += f"; here it is {_ARGUMENTS[name]}"
    return text
