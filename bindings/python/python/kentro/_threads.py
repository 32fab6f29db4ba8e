"""How many threads a call uses that is not told."""

from __future__ import annotations

from ._arguments import threads
from ._errors import call
from ._library import ffi, lib


def set_num_threads(num_threads: int | None) -> None:
    """Set how many threads calls use that are given no `num_threads`, in this process.

    From 1; None for all cores. Without it the environment variable
    `KENTRO_NUM_THREADS` says so, as it is when the number is first needed; without
    that, all cores. It has no influence on results.

    >>> import kentro
    >>> kentro.set_num_threads(1)
    >>> kentro.get_num_threads()
    1
    >>> kentro.set_num_threads(None)
    """
    call(lib.kentro_set_default_threads, threads(num_threads))


def get_num_threads() -> int:
    """Return how many threads calls use that are given no `num_threads`."""
    count = ffi.new("size_t *")
    call(lib.kentro_default_threads, count)
    return int(count[0])
