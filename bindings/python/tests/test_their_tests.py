"""scikit-learn's own tests of K-means, with Kentro's estimator in the place of theirs.

their_tests.txt lists each test that doesn't pass, with the reason, and is exact: one that
fails and is not there fails this test, and so does one that is there and passes. Tests
of MiniBatchKMeans are theirs alone.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sklearn = pytest.importorskip("sklearn", minversion="1.6")

HERE = Path(__file__).parent
PINNED = HERE.parents[2] / "requirements-dev.txt"


def is_pinned():
    """Whether the installed scikit-learn is the one that the list is about."""
    wanted = f"scikit-learn=={sklearn.__version__}\n"
    return PINNED.exists() and wanted in PINNED.read_text(encoding="utf-8")


def listed():
    """The tests that are not to pass: paragraphs of a reason and the tests below it."""
    tests = set()
    for paragraph in (HERE / "their_tests.txt").read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
        assert not lines or not lines[0].startswith(" "), f"{lines[0]} has no reason"
        tests |= {line.strip() for line in lines if line.startswith(" ")}
    return tests


@pytest.mark.skipif(not is_pinned(), reason="the list is of the pinned scikit-learn's tests")
def test_their_tests_pass_but_for_those_that_are_listed(tmp_path):
    tests = Path(sklearn.__file__).parent / "cluster/tests/test_k_means.py"
    if not tests.exists():
        pytest.skip("scikit-learn is installed without its tests")
    options = ["-q", "-p", "their_tests", "-p", "no:cacheprovider", "--tb=line"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
        "KENTRO_FAILED": str(tmp_path / "failed"),
        "OMP_NUM_THREADS": "1",  # small data, on a busy machine
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-k", "not minibatch", str(tests)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert (tmp_path / "failed").exists(), done.stdout + done.stderr
    failed = set((tmp_path / "failed").read_text(encoding="utf-8").split("\n")) - {""}
    expected = listed()
    assert failed - expected == set(), done.stdout
    assert expected - failed == set(), "these pass now: take them from their_tests.txt"
    assert " passed" in done.stdout
