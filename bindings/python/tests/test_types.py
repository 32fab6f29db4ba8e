"""The package and a user's program are clean under type checkers; mistakes are found."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROJECT = HERE.parent
PACKAGE = PROJECT / "python" / "kentro"
CLEAN, WRONG = HERE / "typed_program.py", HERE / "mistyped_program.py"


def mistakes():
    """The lines of the second program that are wrong."""
    lines = WRONG.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# mistake")}


def check(command):
    """The places of the errors that a checker finds, as (file, line), and its text."""
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    found = re.findall(r"(\w+\.py):(\d+)(?::\d+)*(?: -)?:? error", text)
    return {(name, int(line)) for name, line in found}, text


def check_all(command, found, text):
    assert {name for name, _ in found} == {WRONG.name}, text
    assert {line for _, line in found} == mistakes(), text


def test_mypy():
    pytest.importorskip("mypy")
    if not PACKAGE.exists():
        pytest.skip("not in the source tree")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental"]
    check_all(command, *check([*command, str(PACKAGE), str(CLEAN), str(WRONG)]))


def test_pyright():
    pyright, node = shutil.which("pyright"), shutil.which("node")
    if pyright is None or node is None or not PACKAGE.exists():
        pytest.skip("needs pyright, which needs node")
    command = [pyright, "--pythonpath", sys.executable]
    check_all(command, *check([*command, str(PACKAGE), str(CLEAN), str(WRONG)]))
