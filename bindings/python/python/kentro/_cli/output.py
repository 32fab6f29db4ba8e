"""Files that are whole or not there: written beside, synced, renamed."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
import uuid
from contextlib import ExitStack
from typing import Any, BinaryIO, Callable

from .failures import Failure

_umask = os.umask(0)
os.umask(_umask)


def folder_of(path: str | None) -> str:
    """The folder for temporary files of a command that writes `path`."""
    if path is None or path == "-" or not _is_replaceable(path):
        return tempfile.gettempdir()
    return os.path.dirname(os.path.realpath(path))


def _is_replaceable(path: str) -> bool:
    """Whether `path` is a file, or nothing, rather than a pipe or a device."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def check_target(path: str) -> None:
    """Refuse a path that can't be written, before there is much work to lose."""
    if path == "-":
        return
    if os.path.isdir(path):
        raise Failure(f"{path} is a folder: give the name of a file in it")
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise Failure(f"{path}: there is no folder {folder}")
    if not os.access(folder if _is_replaceable(path) else path, os.W_OK):
        raise Failure(f"{path} can't be written: permission denied")


def _fresh(folder: str, stack: ExitStack, keep: Callable[[], bool]) -> tuple[BinaryIO, str]:
    """A new file in `folder`, which goes with the stack unless it is kept."""
    path = os.path.join(folder, f".kentro-{uuid.uuid4().hex}")
    stack.callback(_remove, path, keep)  # before it is there: no signal comes between
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    return open(descriptor, "w+b"), path


_BINARY = getattr(os, "O_BINARY", 0)


def _remove(path: str, keep: Callable[[], bool]) -> None:
    if not keep():
        with contextlib.suppress(OSError):
            os.unlink(path)


def temporary_file(stack: ExitStack, folder: str) -> tuple[BinaryIO, str]:
    """A file for this command alone, and its path."""
    file, path = _fresh(folder, stack, lambda: False)
    stack.callback(file.close)
    return file, path


class Output:
    """A file to write, in the place of `path` once `commit` is called; `-` is stdout."""

    def __init__(self, path: str, stack: ExitStack) -> None:
        check_target(path)
        self.path = path
        self._target = os.path.realpath(path)
        self._committed = False
        self._replaces = path != "-" and _is_replaceable(path)
        self.can_seek = self._replaces
        if path == "-":
            self.file: Any = sys.stdout.buffer
        elif self._replaces:
            folder = os.path.dirname(self._target)
            try:
                self.file, self._temporary = _fresh(folder, stack, lambda: self._committed)
            except OSError as error:
                error.filename = path  # rather than the name of the file beside it
                raise
            stack.callback(self.file.close)
        else:
            self.file = stack.enter_context(open(path, "wb"))  # noqa: SIM115

    def commit(self) -> None:
        """Make it durable and give it its name."""
        self.file.flush()
        if not self._replaces:
            return
        with contextlib.suppress(OSError):
            os.chmod(self._temporary, self._mode())
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self._temporary, self._target)
        self._committed = True
        if os.name == "posix":
            folder = os.open(os.path.dirname(self._target), os.O_RDONLY)
            try:
                os.fsync(folder)
            except OSError:  # not every file system syncs folders
                pass
            finally:
                os.close(folder)

    def _mode(self) -> int:
        try:
            return stat.S_IMODE(os.stat(self._target).st_mode)
        except OSError:
            return 0o666 & ~_umask
