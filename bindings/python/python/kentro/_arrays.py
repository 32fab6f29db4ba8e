"""NumPy arrays, and what can be read as one, to native points and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import KMeansError, call
from ._library import ffi, lib
from ._tables import array_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPES = {
    "float32": lib.KENTRO_DTYPE_F32,
    "float64": lib.KENTRO_DTYPE_F64,
    "float16": lib.KENTRO_DTYPE_F16,
    "bfloat16": lib.KENTRO_DTYPE_BF16,
    "int8": lib.KENTRO_DTYPE_I8,
    "uint8": lib.KENTRO_DTYPE_U8,
    "int16": lib.KENTRO_DTYPE_I16,
    "uint16": lib.KENTRO_DTYPE_U16,
    "int32": lib.KENTRO_DTYPE_I32,
    "uint32": lib.KENTRO_DTYPE_U32,
    "int64": lib.KENTRO_DTYPE_I64,
    "uint64": lib.KENTRO_DTYPE_U64,
    "bool": lib.KENTRO_DTYPE_BOOL,
}


def _codes() -> dict[np.dtype, int]:
    """What the library calls the number types of NumPy, in both byte orders."""
    codes = {}
    for name, code in _DTYPES.items():
        if name != "bfloat16":  # of another package
            dtype = np.dtype(name)
            codes[dtype] = code
            if dtype.itemsize > 1:
                codes[dtype.newbyteorder()] = code | lib.KENTRO_DTYPE_SWAPPED
    return codes


_CODES = _codes()
_FLOAT32 = np.dtype(np.float32)


def _code(dtype: np.dtype) -> int | None:
    """What the library calls a number type; None if it knows none."""
    code = _CODES.get(dtype)  # names take longer to make
    if code is None and dtype.name in _DTYPES:
        code = _DTYPES[dtype.name] | (0 if dtype.isnative else lib.KENTRO_DTYPE_SWAPPED)
    return code


class Points:
    """A native view of an array, which it keeps alive.

    Nothing is copied, whatever the strides, byte order or number type, unless
    the numbers are not aligned in memory. Sparse matrices and arrays of SciPy are
    read as they are if they are CSR; others are converted once, by SciPy.
    """

    def __init__(self, data: Any, name: str = "data", weights: Any = None) -> None:
        if hasattr(data, "tocsr"):
            self._view_sparse(data, name)
        else:
            self._view_dense(data, name)
        self.weights: NDArray[Any] | None = None
        if weights is not None:
            self._set_weights(weights)

    def _view_dense(self, data: Any, name: str) -> None:
        array = matrix(data, name)
        code, size = _code(array.dtype), array.dtype.itemsize
        if any(offset % size for offset in (array.ctypes.data, *array.strides)):
            array = array.copy()
        points = ffi.new("kentro_points **")
        base = ffi.cast("void *", array.ctypes.data)
        call(lib.kentro_points_new, base, *array.shape, *array.strides, code, points)
        self.rows, self.cols = array.shape
        self.memory: Any = array
        self.handle = ffi.gc(points[0], lib.kentro_points_free)

    def _view_sparse(self, data: Any, name: str) -> None:
        if len(data.shape) != 2:
            raise KMeansError(
                f"{name} must have 2 dimensions (points x dimensions), got shape {data.shape}"
            )
        csr = data if data.format == "csr" else data.tocsr()
        if csr.data.dtype.name not in _DTYPES:
            raise TypeError(
                f"{name} must be float16 to float64, integer or bool, "
                f"got dtype {csr.data.dtype} and shape {csr.shape}"
            )
        memory = plain(csr.data), _indices(csr.indices), _indices(csr.indptr)
        arguments: list[Any] = []
        for array in memory:
            code = _DTYPES[array.dtype.name]
            if not array.dtype.isnative:
                code |= lib.KENTRO_DTYPE_SWAPPED
            arguments += ffi.cast("void *", array.ctypes.data), code
        points = ffi.new("kentro_points **")
        call(lib.kentro_points_new_csr, *arguments, *csr.shape, memory[0].size, points)
        self.rows, self.cols = csr.shape
        self.memory = memory
        self.handle = ffi.gc(points[0], lib.kentro_points_free)

    def _set_weights(self, weights: Any) -> None:
        array = np.asarray(weights)
        if array.dtype.name not in _DTYPES:
            raise TypeError(f"sample_weight must be numbers, got dtype {array.dtype}")
        if array.shape != (self.rows,):
            raise KMeansError(
                f"sample_weight must have shape ({self.rows},), one weight for each point, "
                f"got shape {array.shape}"
            )
        is_float32 = array.dtype == np.float32
        array = plain(np.asarray(array, dtype=np.float32 if is_float32 else np.float64))
        code = lib.KENTRO_DTYPE_F32 if is_float32 else lib.KENTRO_DTYPE_F64
        base = ffi.cast("void *", array.ctypes.data)
        call(lib.kentro_points_set_weights, self.handle, base, code, array.size)
        self.weights = array


def _indices(array: Any) -> NDArray[Any]:
    """The columns or the row starts of a sparse matrix, copied only if they must be."""
    kept = array.dtype.name in ("int32", "int64") and array.dtype.isnative
    return plain(array if kept else array.astype(np.int64))


def plain(array: Any) -> np.ndarray:
    """`array` side by side in memory and aligned, copied only if it must be."""
    plain = np.ascontiguousarray(array)
    return plain if plain.flags.aligned else plain.copy()


def plain_rows(data: Any) -> Any:
    """The values of float32 rows without gaps, and their shape; None of other data.

    What a single row costs is mostly what is made around it.
    """
    if type(data) is np.ndarray and data.dtype == _FLOAT32 and data.ndim == 2 and data.size:
        flags = data.flags
        if flags.c_contiguous and flags.aligned:
            return (ffi.from_buffer("float[]", data), *data.shape)
    return None


def matrix(data: Any, name: str) -> NDArray[Any]:
    """`data` as a 2-D array of numbers, copied only if it is not an array yet."""
    array = array_of(data, name)
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise KMeansError(f"{name} has masked values; fill them or leave those rows out")
    if _code(array.dtype) is None:
        hint = "; call its toarray()" if hasattr(data, "toarray") else ""
        raise TypeError(
            f"{name} must be float16 to float64, integer or bool, "
            f"got dtype {array.dtype} and shape {array.shape}{hint}"
        )
    if array.ndim != 2:
        hint = ""
        if array.ndim == 1:
            hint = (
                f"; {name}[None] is one point, {name}.reshape(-1, 1) are points of one "
                "dimension"
            )
        raise KMeansError(
            f"{name} must have 2 dimensions (points x dimensions), "
            f"got shape {array.shape}{hint}"
        )
    return np.asarray(array)


def label_buffer(out: NDArray[np.uint32] | None, shape: tuple[int, ...]) -> NDArray[np.uint32]:
    """`out` if labels can be written to it, or a new array."""
    if out is None:
        return np.empty(shape, dtype=np.uint32)
    if not isinstance(out, np.ndarray) or out.dtype != np.uint32:
        kind = out.dtype if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"out must be a uint32 array, got {kind}")
    if out.shape != shape:
        raise KMeansError(f"out must have shape {shape}, got {out.shape}")
    if not out.flags.carray:
        raise KMeansError("out must be contiguous, aligned and writeable")
    return out


def from_native(pointer: Any, shape: Any, dtype: Any) -> NDArray[Any]:
    """A view of native memory, for as long as its owner lives."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size == 0:
        return np.empty(shape, dtype)
    return np.frombuffer(ffi.buffer(pointer, size), dtype).reshape(shape)


def lists(clusters: Any) -> list[list[int]]:
    """The members of each cluster of a native `kentro_clusters **`, which is freed."""
    handle = ffi.gc(clusters[0], lib.kentro_clusters_free)
    pointer, length = ffi.new("const size_t **"), ffi.new("size_t *")
    call(lib.kentro_clusters_offsets, handle, pointer, length)
    offsets = from_native(pointer[0], length[0], np.uintp).tolist()
    call(lib.kentro_clusters_all_members, handle, pointer, length)
    members = from_native(pointer[0], length[0], np.uintp)
    return [members[start:end].tolist() for start, end in zip(offsets, offsets[1:])]
