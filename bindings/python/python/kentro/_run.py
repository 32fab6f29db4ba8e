"""Calls that compute: progress, cancelling, Ctrl-C, verbose lines and warnings.

The library calls back on the thread that called it. Whatever a callback
raises is kept, stops the run, and is raised again when the call returns.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, Sequence, TypeVar

import numpy as np

from ._errors import KMeansError, call
from ._library import ffi, lib

Function = TypeVar("Function", bound=Callable[..., Any])

_PHASES = {
    lib.KENTRO_PHASE_SEEDING: "seeding",
    lib.KENTRO_PHASE_ITERATING: "iterating",
    lib.KENTRO_PHASE_REPAIRING: "repairing",
    lib.KENTRO_PHASE_LABELLING: "labelling",
}


class Progress:
    """How far training is. Later versions may have more fields."""

    __slots__ = ("changed", "inertia", "iteration", "phase", "run", "seconds", "total")

    phase: str
    """"seeding", "iterating", "repairing" (bounds on sizes) or "labelling"."""
    run: int
    """Which of the `n_init` runs, from 1."""
    iteration: int
    """Iterations that this run has finished."""
    total: int
    """Iterations that all runs have finished; never falls."""
    inertia: float
    """The objective before the last iteration's update; NaN before the first."""
    changed: int
    """Points that went to another cluster in the last iteration."""
    seconds: float
    """Since training began; never falls."""

    def __init__(self, record: Any) -> None:
        self.phase = _PHASES.get(record.phase, "iterating")
        for field in ("run", "iteration", "total", "inertia", "changed", "seconds"):
            setattr(self, field, getattr(record, field))

    def __repr__(self) -> str:
        fields = (f"{name}={getattr(self, name)!r}" for name in sorted(self.__slots__))
        return f"Progress({', '.join(fields)})"


class CancelToken:
    """A wish to end calls, which any thread and any signal handler may utter.

    Given to `KMeans.with_cancel`; the calls that it ends raise
    `kentro.Cancelled`.
    """

    __slots__ = ("__weakref__", "_handle", "_requested")

    def __init__(self) -> None:
        self._requested = False
        token = ffi.new("kentro_cancel **")
        call(lib.kentro_cancel_new, token)
        self._handle = ffi.gc(token[0], lib.kentro_cancel_free)

    def request(self) -> None:
        """End all calls that have this token, now and from now on."""
        self._requested = True
        lib.kentro_cancel_request(self._handle)

    @property
    def requested(self) -> bool:
        """Whether the wish was uttered."""
        return self._requested


class _Run:
    """What the callbacks of one call share."""

    def __init__(self, progress: Callable[[Progress], Any] | None) -> None:
        self.progress = progress
        self.warnings: list[str] = []
        self.error: BaseException | None = None


def run_briefly(
    cancel: CancelToken | None,
    function: Callable[..., int],
    arguments: Sequence[Any],
    outputs: Sequence[Any],
) -> None:
    """`run` for a call that ends before anybody could interrupt it, and says nothing."""
    if cancel is None:
        call(function, *arguments, ffi.NULL, *outputs)
    else:
        run(None, cancel, function, arguments, outputs)


def run(
    progress: Callable[[Progress], Any] | None,
    cancel: CancelToken | None,
    function: Callable[..., int],
    arguments: Sequence[Any],
    outputs: Sequence[Any] = (),
) -> list[str]:
    """`function(*arguments, *outputs)` with callbacks; returns the warnings."""
    state = _Run(progress)
    user_data = ffi.new_handle(state)
    observer = ffi.new("kentro_observer *")
    observer.size = ffi.sizeof("kentro_observer")
    observer.user_data = user_data
    observer.log = _on_log
    if progress is not None:
        observer.progress = _on_progress
    if progress is not None or threading.current_thread() is threading.main_thread():
        observer.poll = _on_poll  # the main thread is the one that gets signals
    if cancel is not None:
        observer.cancel = cancel._handle
    try:
        call(function, *arguments, observer, *outputs)
    except (KMeansError, RuntimeError, MemoryError):
        if state.error is None:
            raise
    if state.error is not None:
        try:
            raise state.error
        finally:
            state.error = None  # it refers to this frame, which refers to `state`
    return state.warnings


def _keep_error(_type: Any, error: BaseException, traceback: Any) -> None:
    state = ffi.from_handle(traceback.tb_frame.f_locals["user_data"])
    state.error = state.error or error


_CANCEL: int = lib.KENTRO_CANCEL
_CONTINUE: int = lib.KENTRO_CONTINUE
_STOP: int = lib.KENTRO_STOP


def _callback(signature: str, **options: Any) -> Callable[[Function], Function]:
    """The decorator of cffi, which has no types."""
    decorator: Callable[[Function], Function] = ffi.callback(signature, **options)
    return decorator


@_callback("kentro_poll_fn", error=_CANCEL, onerror=_keep_error)
def _on_poll(user_data: Any) -> int:
    # Python runs pending signal handlers as it enters this function.
    return _CONTINUE if ffi.from_handle(user_data).error is None else _CANCEL


@_callback("kentro_progress_fn", error=_CANCEL, onerror=_keep_error)
def _on_progress(record: Any, user_data: Any) -> int:
    state = ffi.from_handle(user_data)
    if state.error is not None:
        return _CANCEL
    answer = state.progress(Progress(record))
    if isinstance(answer, (bool, np.bool_)) and not answer:
        return _CANCEL
    if isinstance(answer, str):
        if answer != "stop":
            raise ValueError(f'progress may answer "stop" or False, got {answer!r}')
        return _STOP
    return _CONTINUE


@_callback("kentro_log_fn", onerror=_keep_error)
def _on_log(level: int, message: Any, user_data: Any) -> None:
    state = ffi.from_handle(user_data)
    text = ffi.string(message).decode()
    if level == lib.KENTRO_LOG_WARNING:
        state.warnings.append(text)
    else:
        print(text, flush=True)
