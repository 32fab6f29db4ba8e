"""What is going on, on stderr while it is a terminal: tqdm's bars, or one line of ours."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from importlib import import_module
from typing import Any, Iterator

from .. import Progress

_SECONDS = 0.1
_TRAINING = "{l_bar}{bar}| {n_fmt}/{total_fmt} iterations, {elapsed}{postfix}"


class Display:
    """Phases of a command; nothing is shown unless stderr is a terminal."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._shows = not quiet and sys.stderr is not None and sys.stderr.isatty()

    @contextlib.contextmanager
    def phase(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Any]:
        """A part of the work, named; `update(n)` of what it gives counts on."""
        bar = _bar(name, total, unit) if self._shows else _Nothing()
        try:
            yield bar
        finally:
            bar.close()

    @contextlib.contextmanager
    def training(self, iterations: int, name: str = "") -> Iterator[Any]:
        """What to give to `KMeans.with_progress`; None where nothing is shown."""
        if not self._shows:
            yield None
            return
        bar = _bar(f"{name}seeding", iterations, "iterations", _TRAINING)

        def progress(state: Progress) -> None:
            run = f" {state.run}" if state.run > 1 else ""
            bar.set(f"{name}{state.phase}{run}", state.iteration, iterations, _details(state))

        try:
            yield progress
        finally:
            bar.close()

    def note(self, text: str) -> None:
        """A line for the one who watches."""
        if self._shows:
            print(f"kentro: {text}", file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """A line for the one who watches or reads the log."""
        if not self._quiet:
            print(f"kentro: warning: {text}", file=sys.stderr, flush=True)


def _details(state: Progress) -> str:
    if state.inertia != state.inertia:
        return ""
    return f"inertia {state.inertia:.6g}, {state.changed} changed"


def _bar(name: str, total: int | None, unit: str, form: str | None = None) -> Any:
    try:
        tqdm = import_module("tqdm").tqdm
    except (ImportError, AttributeError):
        return _Line(name, total, unit)
    return _Bar(tqdm, name, total, unit, form)


def _width() -> int:
    """Of the terminal; one that does not know how wide it is counts as 80."""
    return shutil.get_terminal_size().columns - 1


class _Nothing:
    def update(self, number: int) -> None:
        """Count on."""

    def close(self) -> None:
        """End."""


class _Bar:
    """A bar of tqdm's."""

    def __init__(
        self, tqdm: Any, name: str, total: int | None, unit: str, form: str | None
    ) -> None:
        self._bar = tqdm(
            desc=name,
            total=total,
            unit=f" {unit}",
            unit_scale=form is None,
            bar_format=form,
            ncols=_width(),
            nrows=shutil.get_terminal_size().lines,
            leave=False,
            file=sys.stderr,
        )

    def update(self, number: int) -> None:
        self._bar.update(number)

    def set(self, name: str, count: int, total: int, details: str) -> None:
        bar = self._bar
        bar.total = total
        bar.n = count
        bar.set_description_str(name, refresh=False)
        bar.set_postfix_str(details, refresh=False)
        bar.refresh()

    def close(self) -> None:
        self._bar.close()


class _Line:
    """A line that is written over, ten times a second at most, and goes at the end."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        self._name = name
        self._total = total
        self._unit = unit
        self._count = 0
        self._start = self._shown = time.monotonic()
        self._has_text = False

    def update(self, number: int) -> None:
        self._count += number
        of = f" of {self._total}" if self._total else ""
        self._show(f"{self._name} {self._count}{of} {self._unit}")

    def set(self, name: str, count: int, total: int, details: str) -> None:
        text = f"{name} {count} of {total} iterations"
        self._show(f"{text}, {details}" if details else text)

    def _show(self, text: str) -> None:
        now = time.monotonic()
        if now - self._shown < _SECONDS:
            return
        self._shown = now
        line = f"{text}, {now - self._start:.0f} s"[: _width()]
        self._write(f"\r{line}\x1b[K")
        self._has_text = True

    def close(self) -> None:
        if self._has_text:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()
