"""Runs every test and check of the project and counts them.

`make test` calls this inside .venv. A step's output is shown as it comes; its
tests are counted from the summary lines that its runner prints. A step that
ends badly without a failed test of its own counts as one failed test.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable

# name, command, and what in its output counts (None: the step is one check)
STEPS = [
    ("Rust formatting", ["cargo", "fmt", "--check"], None),
    (
        "Rust lints",
        ["cargo", "clippy", "--quiet", "--all-targets", "--", "-D", "warnings"],
        None,
    ),
    ("Rust, C and C++ tests", ["cargo", "test", "--no-fail-fast"], "cargo"),
    ("64-bit ARM, emulated", ["sh", "tools/arm.sh"], "cargo"),
    ("Python formatting", ["ruff", "format", "--check", "."], None),
    ("Python lints", ["ruff", "check", "."], None),
    (
        "Python package",
        [PYTHON, "-m", "pip", "install", "--quiet", "--no-build-isolation"]
        + ["--disable-pip-version-check", "./bindings/python"],
        None,
    ),
    ("Python tests", [PYTHON, "-m", "pytest", "-q", "bindings/python/tests"], "pytest"),
    (
        "Python script test",
        [PYTHON, "bindings/python/test_python_bindings.py"],
        None,
    ),
]

CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed", re.MULTILINE)
PYTEST = re.compile(r"(\d+) (passed|failed|errors?)\b")


def run(command):
    """Runs a command, passes its output on, and returns exit code and text."""
    lines = []
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    for line in process.stdout:
        sys.stdout.write(line)
        lines.append(line)
    return process.wait(), "".join(lines)


def count(kind, code, text):
    """Passed and failed tests of a step."""
    passed = failed = 0
    if kind == "cargo":
        for match in CARGO.finditer(text):
            passed += int(match[1])
            failed += int(match[2])
    elif kind == "pytest":
        summary = text.strip().rsplit("\n", 1)[-1]
        for number, outcome in PYTEST.findall(summary):
            if outcome == "passed":
                passed += int(number)
            else:
                failed += int(number)
    elif code == 0:
        passed = 1
    if code != 0 and failed == 0:
        failed = 1
    return passed, failed


def main():
    os.environ["PATH"] = str(Path(PYTHON).parent) + os.pathsep + os.environ["PATH"]
    total_passed = total_failed = 0
    summary = []
    for name, command, kind in STEPS:
        print(f"\n=== {name}: {' '.join(command)}", flush=True)
        start = time.monotonic()
        code, text = run(command)
        passed, failed = count(kind, code, text)
        seconds = time.monotonic() - start
        summary.append(
            f"{name:<24}{passed:5} passed {failed:4} failed {seconds:7.1f} s"
        )
        total_passed += passed
        total_failed += failed
    print("\n" + "\n".join(summary))
    print(f"\n{total_passed} passed, {total_failed} failed")
    return 1 if total_failed else 0


if __name__ == "__main__":
    sys.exit(main())
