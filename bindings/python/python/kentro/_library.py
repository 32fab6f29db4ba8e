"""The native library, once it is known to be the one this package was built with."""

from __future__ import annotations

from ._native import ffi, lib

__all__ = ["SIZE_MAX", "ffi", "lib", "version"]

version: str = ffi.string(lib.kentro_version()).decode()

SIZE_MAX = 2 ** (8 * ffi.sizeof("size_t")) - 1
