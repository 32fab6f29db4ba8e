"""Rows that come block by block, as often as they are asked for."""

from __future__ import annotations

from typing import Any, Callable, Iterator, TypeVar

from ._arrays import Points
from ._library import ffi

Function = TypeVar("Function", bound=Callable[..., Any])


def blocks_of(source: Any) -> Iterator[Any]:
    """Iterate over a source anew; an error if that works only once."""
    if hasattr(source, "shape"):
        raise TypeError(
            f"source must yield blocks of rows, got an array of shape {source.shape}; "
            "train and predict take arrays"
        )
    blocks: Iterator[Any] = iter(source)
    if blocks is source:
        raise TypeError(
            f"source is a {type(source).__name__}, which can be read only once; pass an object "
            "that yields its blocks anew each time, such as one of a class whose __iter__ is a "
            "generator"
        )
    return blocks


def points_of(block: Any) -> Points:
    """A block of a source: rows, or a tuple of rows and their weights."""
    if isinstance(block, tuple):
        if len(block) != 2:
            raise TypeError(
                f"a block must be an array, or a tuple of an array and its weights, "
                f"got a tuple of {len(block)}"
            )
        return Points(block[0], "a block", weights=block[1])
    return Points(block, "a block")


class Source:
    """A source as the library knows it; what the iteration raises is kept in `error`."""

    def __init__(self, source: Any) -> None:
        blocks_of(source)  # an error now rather than in a callback
        self.source = source
        self.blocks: Iterator[Any] = iter(())
        self.points: Points | None = None  # until the next one is wanted
        self.error: BaseException | None = None
        self._user_data = ffi.new_handle(self)
        self.record = ffi.new("kentro_source *")
        self.record.size = ffi.sizeof("kentro_source")
        self.record.user_data = self._user_data
        self.record.rewind = _on_rewind
        self.record.next = _on_next

    def reraise(self) -> None:
        """Raise what the iteration raised, if it did."""
        if self.error is not None:
            try:
                raise self.error
            finally:
                self.error = None  # it refers to this frame, which refers to `self`


def _keep_error(_type: Any, error: BaseException, traceback: Any) -> None:
    source = ffi.from_handle(traceback.tb_frame.f_locals["user_data"])
    source.error = source.error or error


def _callback(signature: str) -> Callable[[Function], Function]:
    """The decorator of cffi, which has no types."""
    decorator: Callable[[Function], Function] = ffi.callback(
        signature, error=1, onerror=_keep_error
    )
    return decorator


@_callback("kentro_rewind_fn")
def _on_rewind(user_data: Any) -> int:
    source = ffi.from_handle(user_data)
    source.points = None
    source.blocks = blocks_of(source.source)
    return 0


@_callback("kentro_next_fn")
def _on_next(out_points: Any, user_data: Any) -> int:
    source = ffi.from_handle(user_data)
    source.points = None
    for block in source.blocks:
        source.points = points_of(block)
        break
    out_points[0] = ffi.NULL if source.points is None else source.points.handle
    return 0
