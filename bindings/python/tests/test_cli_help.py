"""Help and the manual page."""

from pathlib import Path

import pytest

import kentro
from kentro._cli.options import COMMANDS
from kentro._cli.texts import EXAMPLES

MANUAL = Path(__file__).parents[1] / "data" / "data" / "share" / "man" / "man1" / "kentro.1"


def test_help(cli):
    text = cli.run("--help")
    for name, command in COMMANDS.items():
        assert command.summary in text
        part = cli.run(name, "--help")
        assert part.startswith(f"usage: kentro {name} {command.arguments} [OPTIONS]\n")
        for example in EXAMPLES[name]:
            assert f"  {example}\n" in part + "\n"
    for code in ("0", "1", "2", "130"):
        assert f"\n  {code} " in text
    assert max(map(len, text.splitlines())) <= 80
    assert cli.run("--version") == f"kentro {kentro.__version__}\n"


def test_examples_are_understood():
    from kentro._cli.parser import make_parser

    for examples in EXAMPLES.values():
        for example in examples:
            part = next(p for p in example.split("|") if p.strip().startswith("kentro"))
            make_parser().parse_args(part.split()[1:])


def test_the_manual_page_is_made_of_the_parser(cli):
    if not MANUAL.exists():
        pytest.skip("not in the source tree")
    # After a change: kentro --man > the file.
    assert cli.run("--man") == MANUAL.read_text(encoding="utf-8")
