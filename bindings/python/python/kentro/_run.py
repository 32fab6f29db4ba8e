"""Calls that compute: progress, Ctrl-C, verbose lines and warnings.

The library calls back on the thread that called it. Whatever a callback
raises is kept, stops the run, and is raised again when the call returns.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, NamedTuple

import numpy as np

from ._errors import KMeansError, call
from ._library import ffi, lib


class Progress(NamedTuple):
    """One finished iteration."""

    iteration: int
    """Counts from 1."""
    inertia: float
    """The objective before this iteration's update."""
    changed: int
    """Points that went to another cluster than before."""
    seconds: float
    """Since training began."""


class _Run:
    """What the callbacks of one call share."""

    def __init__(self, progress: Callable[[Progress], Any] | None) -> None:
        self.progress = progress
        self.warnings: list[str] = []
        self.error: BaseException | None = None


def run(
    handle: Any,
    progress: Callable[[Progress], Any] | None,
    function: Callable[..., int],
    *arguments: Any,
) -> list[str]:
    """`function(handle, *arguments)` with callbacks; returns the warnings.

    The handle belongs to this call alone.
    """
    state = _Run(progress)
    user_data = ffi.new_handle(state)
    call(lib.kentro_kmeans_set_log, handle, _on_log, user_data)
    call(lib.kentro_kmeans_set_progress, handle, _on_progress, user_data)
    if threading.current_thread() is threading.main_thread():  # the one that gets signals
        call(lib.kentro_kmeans_set_poll, handle, _on_poll, user_data)
    try:
        call(function, handle, *arguments)
    except (KMeansError, RuntimeError, MemoryError):
        if state.error is None:
            raise
    finally:
        call(lib.kentro_kmeans_set_log, handle, ffi.NULL, ffi.NULL)
        call(lib.kentro_kmeans_set_progress, handle, ffi.NULL, ffi.NULL)
        call(lib.kentro_kmeans_set_poll, handle, ffi.NULL, ffi.NULL)
    if state.error is not None:
        try:
            raise state.error
        finally:
            state.error = None  # it refers to this frame, which refers to `state`
    return state.warnings


def _keep_error(_type: Any, error: BaseException, traceback: Any) -> None:
    run = ffi.from_handle(traceback.tb_frame.f_locals["user_data"])
    run.error = run.error or error


@ffi.callback("int32_t(void *)", error=1, onerror=_keep_error)
def _on_poll(user_data: Any) -> int:
    # Python runs pending signal handlers as it enters this function.
    return int(ffi.from_handle(user_data).error is not None)


@ffi.callback("int32_t(size_t, double, size_t, double, void *)", error=1, onerror=_keep_error)
def _on_progress(
    iteration: int, inertia: float, changed: int, seconds: float, user_data: Any
) -> int:
    run = ffi.from_handle(user_data)
    if run.error is not None:
        return 1
    if run.progress is None:
        return 0
    answer = run.progress(Progress(iteration, inertia, changed, seconds))
    return int(isinstance(answer, (bool, np.bool_)) and not answer)


@ffi.callback("void(int32_t, const char *, void *)", onerror=_keep_error)
def _on_log(level: int, message: Any, user_data: Any) -> None:
    run = ffi.from_handle(user_data)
    text = ffi.string(message).decode()
    if level == lib.KENTRO_LOG_WARNING:
        run.warnings.append(text)
    else:
        print(text, flush=True)
