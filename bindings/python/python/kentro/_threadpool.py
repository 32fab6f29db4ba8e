"""What threadpoolctl lists and limits, once this module is imported."""

from __future__ import annotations

import threadpoolctl

from ._library import version
from ._threads import get_num_threads, set_num_threads


class KentroController(threadpoolctl.LibController):
    """The threads of calls that are given no `num_threads`.

    `threadpoolctl.threadpool_limits(1)` makes them run on one thread, and
    `threadpoolctl.threadpool_info()` lists them.
    """

    user_api = "kentro"
    internal_api = "kentro"
    filename_prefixes = ("libkentro", "kentro", "lib_native", "_native")  # the wheel's, too
    check_symbols = ("kentro_set_default_threads",)

    def get_num_threads(self) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return how many there are."""
        return get_num_threads()

    def set_num_threads(self, num_threads: int) -> None:
        """Set how many there are."""
        set_num_threads(num_threads)

    def get_version(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the version of the library."""
        return version


threadpoolctl.register(KentroController)
