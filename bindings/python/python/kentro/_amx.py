"""What Kentro may ask the system for."""

from __future__ import annotations

from ._arguments import flag
from ._library import lib


def allow_amx(allowed: bool) -> None:
    """Set whether this process may ask Linux for the tile registers of Intel's AMX.

    By default it may, and the first search by 8-bit codes does so on an Intel Xeon since
    2023. What Linux grants it doesn't take back: from then on signals need larger
    stacks in the whole process, and `sigaltstack` (`faulthandler.enable()` uses it)
    refuses one of less than about 12 KB. If a thread has a smaller one already, Linux
    refuses the registers, and Kentro does without. A seccomp filter may kill whoever
    asks. With False, searches that begin later neither ask for the registers nor use
    them; so does the environment variable `KENTRO_ISA=vnni`. It has no influence on
    results.

    >>> import kentro
    >>> kentro.allow_amx(False)
    >>> kentro.allow_amx(True)
    """
    lib.kentro_allow_amx(flag(allowed, "allowed"))
