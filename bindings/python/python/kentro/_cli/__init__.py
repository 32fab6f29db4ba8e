"""The command line: `kentro` and `python -m kentro`.

It reads data, calls the package and writes what comes out; whatever computes
is in the library. docs/cli.md is its manual.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from importlib import import_module
from typing import Any, Sequence

from .. import KMeansError
from .failures import BAD_INPUT, INTERRUPTED, OWN_FAULT, Failure, Stopped, UsageError

__all__ = ["main", "run"]

_COMMANDS = {
    "fit": ("training", "fit"),
    "assign": ("applying", "assign"),
    "sweep": ("training", "sweep"),
    "info": ("describing", "info"),
    "convert": ("applying", "convert"),
}


def run() -> None:
    """Run the process that the shell started: `main`, and signals as the shell knows them."""
    _open_what_is_closed()
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _stop)
    try:
        code = main()
    except Exception:
        traceback.print_exc()
        code = OWN_FAULT
    if code > INTERRUPTED - signal.SIGINT and os.name == "posix":
        # A shell ends its loop only if the command has died of the signal.
        number = code - (INTERRUPTED - signal.SIGINT)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    sys.exit(code)


def _open_what_is_closed() -> None:
    """The streams of a shell's >&- and 2>&-, and names of files in any bytes."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="surrogateescape")


def _stop(number: int, _frame: Any) -> None:
    raise Stopped(number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; texts go to stdout and stderr."""
    from .parser import parse

    try:
        try:
            options = parse(arguments)
            module, name = _COMMANDS[options.command]
            getattr(import_module(f"{__name__}.{module}"), name)(options)
        finally:
            sys.stdout.flush()
    except SystemExit as end:  # argparse: --help, or a usage that it has explained
        return end.code if isinstance(end.code, int) else 0
    except BrokenPipeError:
        _silence_stdout()
        return INTERRUPTED - signal.SIGINT + getattr(signal, "SIGPIPE", 13)
    except KeyboardInterrupt:
        return _ended("interrupted", INTERRUPTED)
    except Stopped as stop:
        return _ended("stopped", INTERRUPTED - signal.SIGINT + stop.number)
    except UsageError as error:
        return _ended(str(error), error.code)
    except (Failure, KMeansError) as error:
        return _ended(str(error), BAD_INPUT)
    except MemoryError as error:
        text = str(error) or "out of memory"
        return _ended(f"{text}; --sample and --memory make it need less", BAD_INPUT)
    except OSError as error:
        if error.filename is None:
            _silence_stdout()  # perhaps it is what can't be written
        return _ended(_system_text(error), BAD_INPUT)
    return 0


def _ended(text: str, code: int) -> int:
    with contextlib.suppress(OSError):
        print(f"kentro: {text}", file=sys.stderr, flush=True)
    return code


def _system_text(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def _silence_stdout() -> None:
    """Let the rest go, for which there is no reader or no room; Python would try again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
