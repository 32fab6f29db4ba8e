"""From the library's status codes to exceptions."""

from __future__ import annotations

import os
import threading
from typing import Any, Callable, NoReturn

from ._library import ffi, lib


class KMeansError(ValueError):
    """A parameter, the data or the state of the model does not allow the call.

    The text names what is wrong and how to put it right. The model is as it
    was before the call.
    """

    row: int | None = None
    """The row that is to blame, counted from 0, if it is a single one."""
    column: int | None = None
    """The column of the value in that row that is to blame, likewise."""


class Busy(KMeansError):
    """Another thread is using the object."""


class Cancelled(RuntimeError):
    """A callable given to `KMeans.with_progress` returned False, or a token was tripped."""


class KMeansWarning(UserWarning):
    """The result is usable, but perhaps not what was expected."""


_EXCEPTIONS = {
    lib.KENTRO_STATUS_NULL_POINTER: RuntimeError,
    lib.KENTRO_STATUS_OUT_OF_MEMORY: MemoryError,
    lib.KENTRO_STATUS_BUSY: Busy,
    lib.KENTRO_STATUS_CANCELLED: Cancelled,
    lib.KENTRO_STATUS_THREADS: RuntimeError,
    lib.KENTRO_STATUS_INTERNAL: RuntimeError,
}


class _Thread(threading.local):
    """What the last call of each thread had to say."""

    def __init__(self) -> None:
        self.error = ffi.gc(lib.kentro_error_new(), lib.kentro_error_free)


_thread = _Thread()


def fail(status: int) -> NoReturn:
    """Raise the exception of a status, with the text of that status."""
    raise _EXCEPTIONS.get(status, KMeansError)(_status_text(status))


def call(function: Callable[..., int], *arguments: Any) -> None:
    """Call a native function that can fail, and raise what it says then."""
    error = _thread.error
    status = function(*arguments, error)
    if status != lib.KENTRO_STATUS_OK:
        raise _exception(status, error)


def _exception(status: int, error: Any) -> Exception:
    text = ffi.string(lib.kentro_error_message(error)).decode(errors="replace")
    code = lib.kentro_error_os_code(error)
    if status == lib.KENTRO_STATUS_IO:
        return OSError(code, os.strerror(code)) if code else OSError(text)
    exception = _EXCEPTIONS.get(status, KMeansError)(text or _status_text(status))
    row, column = lib.kentro_error_row(error), lib.kentro_error_column(error)
    if isinstance(exception, KMeansError):
        exception.row = row if row >= 0 else None
        exception.column = column if column >= 0 else None
    return exception


def _status_text(status: int) -> str:
    return str(ffi.string(lib.kentro_status_message(status)).decode())
