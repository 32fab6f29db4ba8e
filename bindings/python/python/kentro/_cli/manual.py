"""The manual page, made of the parser: nothing is said twice."""

from __future__ import annotations

import argparse
from typing import Any, Iterator

from .texts import COUNTING, DESCRIPTION, EXAMPLES, EXIT_CODES


def invocation(action: argparse.Action) -> str:
    """An option as help names it: -o, --output FILE."""
    if not action.option_strings:
        return str(action.metavar)
    text = ", ".join(action.option_strings)
    return text if action.nargs == 0 else f"{text} {action.metavar}"


def manual_page(parser: Any) -> str:
    """The page kentro(1) in the language of man."""
    return "\n".join(_lines(parser)) + "\n"


def _lines(parser: Any) -> Iterator[str]:
    commands = _commands(parser)
    yield '.\\" Made by `kentro --man`; do not edit.'
    yield '.TH KENTRO 1 "" "kentro" "User Commands"'
    yield ".SH NAME"
    yield "kentro \\- " + _escaped(DESCRIPTION[0].lower() + DESCRIPTION[1:].rstrip("."))
    yield ".SH SYNOPSIS"
    for command in commands.values():
        yield ".B " + _escaped(command.usage.replace("[OPTIONS]", "").strip())
        yield "[OPTIONS]"
        yield ".br"
    yield ".SH DESCRIPTION"
    yield _escaped(DESCRIPTION)
    yield _escaped(COUNTING)
    for name, command in commands.items():
        yield ".SH " + name.upper()
        yield _escaped(command.description)
        for group in command._action_groups:
            if group._group_actions:
                yield from _group(group)
    yield ".SH EXIT STATUS"
    for code, meaning in EXIT_CODES:
        yield from (".TP", f".B {code}", _escaped(meaning))
    yield ".SH EXAMPLES"
    for examples in EXAMPLES.values():
        for example in examples:
            yield from (".PP", ".EX", _escaped(example), ".EE")
    yield ".SH SEE ALSO"
    yield "docs/cli.md in the repository has each command with its output."


def _commands(parser: Any) -> dict[str, Any]:
    return next(
        action.choices
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    )


def _group(group: Any) -> Iterator[str]:
    yield ".SS " + _escaped(group.title.capitalize())
    for action in group._group_actions:
        yield from (".TP", ".B " + _escaped(invocation(action)), _escaped(action.help))


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text
