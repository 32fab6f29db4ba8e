"""A native model, and the values that are read from one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Sequence, TypeVar

from ._arrays import from_native
from ._errors import call, fail
from ._library import ffi, lib
from ._run import CancelToken
from ._watching import Watcher

if TYPE_CHECKING:
    from numpy.typing import NDArray

Model = TypeVar("Model", bound="Handle")


class Handle:
    """A native model of settings and results, and what Python keeps beside it."""

    __slots__ = (
        "__weakref__",
        "_cancel",
        "_clusters",
        "_curve",
        "_handle",
        "_progress",
        "_trained",
    )

    _handle: Any
    _progress: Watcher
    _cancel: CancelToken | None
    # What has been read once and stays.
    _clusters: int | None
    _trained: bool
    _curve: Sequence[float]

    @classmethod
    def _new(cls: type[Model], maker: Callable[..., int], *values: Any) -> Model:
        """What a native function that makes a model makes."""
        new = cls.__new__(cls)
        new._handle = made(maker, *values)
        new._progress = None
        new._cancel = None
        new._clusters = None
        new._trained = False
        new._curve = ()
        return new

    @classmethod
    def _of(cls: type[Model], handle: Any, template: Handle) -> Model:
        """A model of this native one, with what Python keeps beside `template`."""
        new = cls.__new__(cls)
        new._handle = handle
        new._progress = template._progress
        new._cancel = template._cancel
        new._clusters = None
        new._trained = False
        new._curve = ()
        return new

    def __copy__(self: Model) -> Model:
        new = self._of(self._clone(), self)
        new._clusters = self._clusters
        new._curve = self._curve
        return new

    def __deepcopy__(self: Model, _memo: Any) -> Model:
        return self.__copy__()

    def _with(self: Model, setter: Callable[..., int], *values: Any) -> Model:
        new = self.__copy__()
        call(setter, new._handle, *values)
        return new

    def _clone(self) -> Any:
        return made(lib.kentro_kmeans_clone, self._handle)

    @property
    def is_trained(self) -> bool:
        """Whether the model is trained."""
        if not self._trained:
            self._trained = read_bool(lib.kentro_kmeans_is_trained, self._handle)
        return self._trained

    def _require_trained(self) -> None:
        if not self.is_trained:
            fail(lib.KENTRO_STATUS_NOT_TRAINED)


def made(maker: Callable[..., int], *values: Any) -> Any:
    """The handle of a model that a native function makes."""
    model = ffi.new("kentro_kmeans **")
    call(maker, *values, model)
    return ffi.gc(model[0], lib.kentro_kmeans_free)


def read_value(getter: Callable[..., int], type_name: str, handle: Any) -> Any:
    value = ffi.new(f"{type_name} *")
    call(getter, handle, value)
    return value[0]


def read_size(getter: Callable[..., int], handle: Any) -> int:
    value = ffi.new("size_t *")
    call(getter, handle, value)
    return int(value[0])


def read_bool(getter: Callable[..., int], handle: Any) -> bool:
    value = ffi.new("int32_t *")
    call(getter, handle, value)
    return bool(value[0])


def read_array(getter: Callable[..., int], handle: Any, name: str, dtype: Any) -> NDArray[Any]:
    """A view of values that `getter` lends, for as long as `handle` lives."""
    pointer, length = ffi.new(f"const {name} **"), ffi.new("size_t *")
    call(getter, handle, pointer, length)
    return from_native(pointer[0], length[0], dtype)
