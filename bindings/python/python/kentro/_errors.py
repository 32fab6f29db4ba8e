"""From the library's status codes to exceptions."""

from __future__ import annotations

from typing import Any, NoReturn

from ._library import ffi, lib


class KMeansError(ValueError):
    """A parameter, the data or the state of the model does not allow the call.

    The text names what is wrong and how to put it right. The model is as it
    was before the call.
    """


class Cancelled(RuntimeError):
    """The callable given to `KMeans.with_progress` returned False."""


class KMeansWarning(UserWarning):
    """The result is usable, but perhaps not what was expected."""


_EXCEPTIONS = {
    lib.KENTRO_STATUS_NULL_POINTER: RuntimeError,
    lib.KENTRO_STATUS_OUT_OF_MEMORY: MemoryError,
    lib.KENTRO_STATUS_CANCELLED: Cancelled,
    lib.KENTRO_STATUS_THREADS: RuntimeError,
    lib.KENTRO_STATUS_INTERNAL: RuntimeError,
}


def fail(status: int, text: str = "") -> NoReturn:
    """Raise the exception of a status, with the status' own text by default."""
    text = text or ffi.string(lib.kentro_status_message(status)).decode()
    raise _EXCEPTIONS.get(status, KMeansError)(text)


def check(status: int, handle: Any = None) -> None:
    """Raise unless `status` is OK; the detail comes from the model `handle`."""
    if status != lib.KENTRO_STATUS_OK:
        text = ffi.string(lib.kentro_kmeans_error(handle)).decode() if handle else ""
        fail(status, text)
