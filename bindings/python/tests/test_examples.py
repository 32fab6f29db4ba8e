"""The scripts run as their heads say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
DIGITS = HERE.parents[1] / "examples" / "data" / "digits.csv"


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, script, *arguments],
        cwd=HERE,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_test_script():
    assert "passed" in run("test_python_bindings.py")


def test_comprehensive_example():
    assert "medoid" in run("examples/python_example.py")


def test_lifecycle(tmp_path):
    expected = HERE.parents[1] / "examples" / "lifecycle.txt"
    if not expected.exists():
        pytest.skip("no text to compare with")
    path = str(tmp_path / "model.safetensors")
    printed = [run("examples/lifecycle.py", step, path) for step in ("train", "ask")]
    assert "".join(printed) == expected.read_text(encoding="utf-8")


def test_topics():
    pytest.importorskip("scipy")
    expected = HERE.parents[1] / "examples" / "topics.txt"
    if not expected.exists():
        pytest.skip("no text to compare with")
    assert run("examples/topics.py") == expected.read_text(encoding="utf-8")


def test_digits(tmp_path):
    pytest.importorskip("PIL")
    if not DIGITS.exists():
        pytest.skip("no data")
    picture = tmp_path / "digits.png"
    output = run("examples/digits.py", str(DIGITS), str(picture))
    assert output.startswith("1797 handwritten digits, 64 pixels each, 10 clusters\n")
    assert picture.read_bytes().startswith(b"\x89PNG")
