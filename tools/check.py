"""Runs every test and check of the project and counts them.

`make test` calls this inside .venv. Two lanes of steps run side by side, since much
of it, the release build above all, keeps one core only. A step's output is shown
when it ends; its tests are counted from the summary lines that its runner prints. A
step that ends badly without a failed test of its own counts as one failed test.
"""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable

# name, command, and what in its output counts (None: the step is one check)
RUST = [
    ("Rust formatting", ["cargo", "fmt", "--check"], None),
    (
        "Rust lints",
        ["cargo", "clippy", "--quiet", "--all-targets", "--", "-D", "warnings"],
        None,
    ),
    ("Rust, C and C++ tests", ["cargo", "test", "--no-fail-fast"], "cargo"),
]
PYTHON_AND_ARM = [
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
    ("64-bit ARM, emulated", ["sh", "tools/arm.sh"], "cargo"),
]

CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed", re.MULTILINE)
PYTEST = re.compile(r"(\d+) (passed|failed|errors?)\b")


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


def run(steps, done, printing):
    """Runs steps one after the other, and appends to `done` how each went."""
    for name, command, kind in steps:
        start = time.monotonic()
        process = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        seconds = time.monotonic() - start
        passed, failed = count(kind, process.returncode, process.stdout)
        done.append((name, passed, failed, seconds))
        with printing:
            print(f"\n=== {name}: {' '.join(command)}\n{process.stdout}", flush=True)


def main():
    os.environ["PATH"] = str(Path(PYTHON).parent) + os.pathsep + os.environ["PATH"]
    lanes = [(steps, []) for steps in (RUST, PYTHON_AND_ARM)]
    printing = threading.Lock()
    threads = [threading.Thread(target=run, args=(*lane, printing)) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [step for _, steps in lanes for step in steps]
    for name, passed, failed, seconds in done:
        print(f"{name:<24}{passed:5} passed {failed:4} failed {seconds:7.1f} s")
    passed, failed = (sum(step[i] for step in done) for i in (1, 2))
    print(f"\n{passed} passed, {failed} failed")
    # A lane that ended early, by a bug of this file, has not tested everything.
    whole = len(done) == len(RUST) + len(PYTHON_AND_ARM)
    return 0 if whole and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
