"""Lists, files, frames and arrays of other libraries as NumPy arrays.

No library is imported for it: what a caller passes comes from one that is there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import KMeansError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# DLPack's devices whose memory the processor reads: itself, and pinned or managed
# memory of a graphics card's.
_CPU = (1, 3, 11, 13)

_VECTORS = (list, tuple, np.ndarray)


def array_of(data: Any, name: str) -> NDArray[Any]:
    """`data` as an array, of whatever shape and type; copied only where it must be."""
    if isinstance(data, np.ndarray):
        return data
    if isinstance(data, (str, os.PathLike)):
        return _from_path(os.fspath(data), name)
    library = type(data).__module__.partition(".")[0]
    if library == "polars":
        return _from_polars(data, name)
    if library == "pyarrow":
        return _from_pyarrow(data, name)
    if hasattr(data, "dtypes") and hasattr(data, "columns"):
        return _from_pandas(data, name)
    if not _is_array_like(data):
        if hasattr(data, "__dlpack__"):
            return _from_dlpack(data, name)
        if hasattr(data, "__arrow_c_array__") or hasattr(data, "__arrow_c_stream__"):
            return _from_arrow(data, name)
    return _of_vectors(np.asanyarray(data), name)


def _is_array_like(data: Any) -> bool:
    return any(
        hasattr(data, member)
        for member in ("__array__", "__array_interface__", "__array_struct__", "__len__")
    )


def _from_path(path: Any, name: str) -> NDArray[Any]:
    """A file of NumPy's, mapped into memory."""
    if os.fsdecode(path).endswith(".npy"):
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return array
    raise TypeError(
        f"{name} is the text {path!r}; of files only .npy is read, load others first"
    )


def _of_vectors(array: NDArray[Any], name: str) -> NDArray[Any]:
    """`array`, or the matrix of an array whose elements are vectors of one length."""
    if array.dtype != object or not array.size:
        return array
    rows = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if rows.ndim != 1:
        return array
    others = [at for at, row in enumerate(rows) if not isinstance(row, _VECTORS)]
    if len(others) == len(rows):
        return array
    if others:
        raise KMeansError(
            f"{name} has {len(others)} rows that are no vectors, the first is row "
            f"{others[0]}; leave those rows out"
        )
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        _refuse_lengths(min(lengths), max(lengths), name)
    return np.array([np.asarray(row) for row in rows])


def _refuse_lengths(least: int, most: int, name: str) -> None:
    raise KMeansError(
        f"{name} has vectors of {least} to {most} numbers; all must have the same length"
    )


def _refuse_columns(others: list[tuple[Any, Any, bool]], name: str, remedy: str) -> None:
    """An error if there are columns (label, type, whether of vectors) of no numbers."""
    for label, kind, is_vectors in others:
        if is_vectors:
            raise TypeError(
                f"{name} has a column of vectors, {label!r} of type {kind}, beside others; "
                f"pass it alone: {name}[{label!r}]"
            )
    if others:
        label, kind, _ = others[0]
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise TypeError(
            f"{name} has columns that are not numbers: {label!r} of type {kind}{more}; "
            f"leave them out, as {remedy} does"
        )


def _refuse_nulls(count: int, name: str) -> None:
    if count:
        raise KMeansError(f"{name} has {count} nulls; leave those rows out")


def _from_pandas(data: Any, name: str) -> NDArray[Any]:
    others = []
    for at, (label, dtype) in enumerate(data.dtypes.items()):
        if getattr(dtype, "kind", "O") not in "biuf":
            first = data.iloc[0, at] if len(data) else None
            others.append((label, dtype, isinstance(first, _VECTORS)))
    if data.shape[1] == 1 and others and others[0][2]:
        return _of_vectors(data.iloc[:, 0].to_numpy(), name)
    _refuse_columns(others, name, f'{name}.select_dtypes("number")')
    array: NDArray[Any] = np.asanyarray(data)
    if array.dtype == object:  # pandas' numbers that may be missing
        return np.asarray(data.to_numpy(dtype=np.float64, na_value=np.nan))
    return array


def _from_polars(data: Any, name: str) -> NDArray[Any]:
    if type(data).__name__ == "LazyFrame":
        raise TypeError(f"{name} is a LazyFrame, which holds no rows yet; call its collect()")
    if hasattr(data, "schema"):
        columns = list(data.schema.items())
        if len(columns) == 1 and columns[0][1].is_nested():
            data = data.to_series()
        else:
            others = [
                (label, kind, kind.is_nested())
                for label, kind in columns
                if not kind.is_numeric() and str(kind) != "Boolean"
            ]
            _refuse_columns(others, name, f"{name}.select(polars.selectors.numeric())")
    elif data.dtype.is_nested():
        _refuse_nulls(data.null_count(), name)
    return _of_vectors(np.asanyarray(data.to_numpy()), name)


def _from_pyarrow(data: Any, name: str) -> NDArray[Any]:
    from pyarrow import types

    def is_vectors(kind: Any) -> bool:
        kinds = (types.is_list, types.is_large_list, types.is_fixed_size_list)
        return any(is_kind(kind) for is_kind in kinds)

    if hasattr(data, "schema"):  # a table, or a batch of one
        fields = list(data.schema)
        if len(fields) == 1 and is_vectors(fields[0].type):
            data = data.column(0)
        else:
            others = [
                (field.name, field.type, is_vectors(field.type))
                for field in fields
                if not (
                    types.is_integer(field.type)
                    or types.is_floating(field.type)
                    or types.is_boolean(field.type)
                )
            ]
            wrong = [label for label, _, _ in others]
            _refuse_columns(others, name, f"{name}.drop_columns({wrong})")
            return np.asanyarray(data)
    if hasattr(data, "combine_chunks"):
        data = data.combine_chunks()
    if not hasattr(data, "type") or not is_vectors(data.type):
        return np.asanyarray(data)
    _refuse_nulls(data.null_count, name)
    if not types.is_fixed_size_list(data.type):
        lengths = np.diff(data.offsets.to_numpy())
        if len(lengths) and lengths.min() != lengths.max():
            _refuse_lengths(lengths.min(), lengths.max(), name)
    values = np.asarray(data.flatten().to_numpy(zero_copy_only=False))
    return values.reshape(len(data), -1)


def _from_dlpack(data: Any, name: str) -> NDArray[Any]:
    device = data.__dlpack_device__()[0]
    if device not in _CPU:
        raise TypeError(
            f"{name} is in the memory of another device (DLPack's type {int(device)}); "
            "copy it to the CPU first"
        )
    return np.from_dlpack(data)


def _from_arrow(data: Any, name: str) -> NDArray[Any]:
    try:
        import pyarrow
    except ImportError:
        raise TypeError(
            f"{name} of the type {type(data).__name__} tells its values by Arrow's "
            "interface alone, which is read by pyarrow: pip install pyarrow"
        ) from None
    if hasattr(data, "__arrow_c_stream__"):
        try:
            return _from_pyarrow(pyarrow.table(data), name)
        except (TypeError, ValueError, pyarrow.ArrowInvalid):
            return _from_pyarrow(pyarrow.chunked_array(data), name)
    array = pyarrow.array(data)
    if isinstance(array.type, pyarrow.StructType):
        array = pyarrow.RecordBatch.from_struct_array(array)
    return _from_pyarrow(array, name)
