"""The native library, once it is known to belong to this package."""

from __future__ import annotations

import os
import re
from typing import Any

from ._native import ffi as _ffi
from ._native import lib as _lib

__all__ = ["SIZE_MAX", "ffi", "lib", "version"]

# What cffi makes has no types.
ffi: Any = _ffi
lib: Any = _lib

SIZE_MAX: int = 2 ** (8 * ffi.sizeof("size_t")) - 1

version: str = ffi.string(lib.kentro_version()).decode()


def _check_version() -> None:
    # What an installer wrote beside the package. importlib.metadata tells the same
    # and takes several times as long to import as everything else here together.
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for name in os.listdir(folder):
        found = re.fullmatch(r"kentro-(.*)\.dist-info", name)
        # Only numbers: Python and Rust write pre-releases differently.
        if found and re.findall(r"\d+", found[1]) != re.findall(r"\d+", version):
            raise ImportError(
                f"kentro {found[1]} came with a native library of version {version}; "
                "install kentro again"
            )


_check_version()
