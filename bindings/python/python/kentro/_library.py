"""The native library, once it is known to belong to this package."""

from __future__ import annotations

import re
from importlib import metadata

from ._native import ffi, lib

__all__ = ["SIZE_MAX", "ffi", "lib", "version"]

SIZE_MAX = 2 ** (8 * ffi.sizeof("size_t")) - 1

version: str = ffi.string(lib.kentro_version()).decode()


def _check_version() -> None:
    try:
        installed = metadata.version("kentro")
    except metadata.PackageNotFoundError:  # copied into another package
        return
    # Only numbers: Python and Rust write pre-releases differently.
    if re.findall(r"\d+", installed) != re.findall(r"\d+", version):
        raise ImportError(
            f"kentro {installed} came with a native library of version {version}; "
            "install kentro again"
        )


_check_version()
