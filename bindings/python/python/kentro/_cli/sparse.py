"""Sparse rows as SciPy saves them in a .npz; CSR is read without SciPy."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from .failures import Failure
from .source import is_number

MEMBERS = {"format", "shape", "data"}


class SparseRows:
    """Rows in CSR, as the package takes them: it looks for what SciPy's matrices have."""

    format = "csr"
    ndim = 2

    def __init__(
        self, data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, columns: int
    ) -> None:
        self.data = data
        self.indices = indices
        self.indptr = indptr
        self.shape = (len(indptr) - 1, columns)
        self.dtype = data.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> SparseRows:
        """A range of rows, or rows by their numbers."""
        if isinstance(rows, slice):
            first, last, _ = rows.indices(len(self))
            starts = self.indptr[first : last + 1]
            part = slice(int(starts[0]), int(starts[-1]))
            values, indices = self.data[part], self.indices[part]
            return SparseRows(values, indices, starts - starts[0], self.shape[1])
        lengths = np.diff(self.indptr)[rows]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        # The place of each value: its row's first, and how far it is from that.
        places = np.arange(starts[-1]) + np.repeat(self.indptr[rows] - starts[:-1], lengths)
        return SparseRows(self.data[places], self.indices[places], starts, self.shape[1])

    def tocsr(self) -> SparseRows:
        """Return itself."""
        return self

    def toarray(self) -> np.ndarray:
        """A dense copy; values at one place add up."""
        dense = np.zeros(self.shape, self.dtype)
        rows = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        np.add.at(dense, (rows, self.indices), self.data)
        return dense


def read_sparse(members: dict[str, np.ndarray], name: str, path: str) -> SparseRows:
    """The rows in an archive of these arrays."""
    form = _word(members["format"])
    shape = members["shape"].ravel()
    if shape.size != 2 or shape.dtype.kind not in "iu" or (shape < 0).any():
        raise Failure(f"{name} holds sparse data of no shape points x dimensions")
    if form != "csr":
        return _by_scipy(form, name, path)
    nothing = np.empty(0)
    data, indices, indptr = (members.get(key, nothing) for key in ("data", "indices", "indptr"))
    rows, columns = (int(length) for length in shape)
    is_right = (
        is_number(data.dtype)
        and data.ndim == indices.ndim == indptr.ndim == 1
        and indices.dtype.kind in "iu"
        and indptr.dtype.kind in "iu"
        and len(data) == len(indices)
        and len(indptr) == rows + 1
        and indptr[0] == 0
        and indptr[-1] == len(data)
        and not (indptr[1:] < indptr[:-1]).any()
        and (not len(indices) or (indices.min() >= 0 and indices.max() < columns))
    )
    if not is_right:
        raise Failure(f"{name} is no whole sparse matrix: its arrays do not fit together")
    return SparseRows(data, indices, indptr.astype(np.int64), columns)


def _word(array: np.ndarray) -> str:
    """SciPy writes the name of the format as bytes."""
    value = array.ravel()[0] if array.size else b""
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _by_scipy(form: str, name: str, path: str) -> SparseRows:
    try:
        scipy_sparse: Any = import_module("scipy.sparse")
    except ImportError:
        raise Failure(
            f"{name} holds sparse columns or blocks ({form}), which need scipy: save it by "
            "scipy.sparse.save_npz(path, matrix.tocsr())"
        ) from None
    try:
        csr = scipy_sparse.load_npz(path).tocsr()
    except Exception as error:  # it does not say which
        raise Failure(f"{name} can't be read: {' '.join(str(error).split())}") from None
    return SparseRows(csr.data, csr.indices, csr.indptr.astype(np.int64), csr.shape[1])
