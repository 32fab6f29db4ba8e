"""How a command ends badly, and the exit codes."""

from __future__ import annotations

BAD_INPUT = 1
BAD_USAGE = 2
OWN_FAULT = 3
INTERRUPTED = 130


class Failure(Exception):
    """Data, a file or the model do not allow the command; the text says how to mend it."""

    code = BAD_INPUT


class UsageError(Failure):
    """The options do not fit together, or one of them has a wrong value."""

    code = BAD_USAGE


class Stopped(BaseException):
    """A signal, other than Ctrl-C, asks the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
