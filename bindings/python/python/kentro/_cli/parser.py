"""The parser of the command line; what each command takes is in options.py."""

from __future__ import annotations

import argparse
import difflib
import sys
import textwrap
from typing import Any, NoReturn, Sequence

from .. import __version__
from .failures import BAD_USAGE
from .manual import invocation, manual_page
from .options import COMMANDS
from .texts import COUNTING, DESCRIPTION, EXAMPLES, EXIT_CODES


class Formatter(argparse.RawDescriptionHelpFormatter):
    """The same text under every version of Python."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        return invocation(action)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are two lines."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is; exit code 2."""
        print(f"{self.prog}: {message}\n(see {self.prog} --help)", file=sys.stderr)
        self.exit(BAD_USAGE)
        raise AssertionError


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; what is unknown is an error of its command, with the nearest name."""
    parser = make_parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        _refuse(parser, options.command, unknown[0])
    return options


def _refuse(parser: Parser, name: str, word: str) -> NoReturn:
    command: Parser = next(
        action.choices[name]
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    known = [name for action in command._actions for name in action.option_strings]
    nearest = difflib.get_close_matches(word.partition("=")[0], known, 1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    command.error(f"{word} is not known here{hint}")
    raise AssertionError


class _Manual(argparse.Action):
    def __call__(self, parser: Any, *_: Any, **__: Any) -> None:
        print(manual_page(parser), end="")
        parser.exit()


def make_parser() -> Parser:
    """The parser; `command` of its result is the name of the command."""
    parser = Parser(
        prog="kentro",
        usage="kentro COMMAND ... [OPTIONS]",
        description=DESCRIPTION,
        epilog="\n\n".join([_wrapped(COUNTING), _exit_codes(), _examples("")]),
        formatter_class=Formatter,
        add_help=False,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(
        title="commands", prog="kentro", metavar="COMMAND", dest="command", required=True
    )
    for name, command in COMMANDS.items():
        part = commands.add_parser(
            name,
            usage=f"kentro {name} {command.arguments} [OPTIONS]",
            help=command.summary,
            description=_wrapped(command.description),
            epilog=_examples(name),
            formatter_class=Formatter,
            add_help=False,
            allow_abbrev=False,
        )
        command.add_options(part)
    add = parser.add_argument_group("options").add_argument
    add("-h", "--help", action="help", help="show this; after a command: its options")
    add("--version", action="version", version=f"kentro {__version__}", help="show it")
    add("--man", action=_Manual, nargs=0, help="print the manual page: | man -l -")
    return parser


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 78)


def _examples(command: str) -> str:
    return "\n".join(["examples:", *(f"  {example}" for example in EXAMPLES[command])])


def _exit_codes() -> str:
    return "\n".join(["exit codes:", *(f"  {code:<5}{text}" for code, text in EXIT_CODES)])
