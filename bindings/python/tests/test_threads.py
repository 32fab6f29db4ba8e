"""What is set for the whole process, and what importing costs."""

import os
import subprocess
import sys
import textwrap

import pytest

import kentro
from kentro import KMeans


def python(code, **environment):
    """What a new interpreter prints."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.fixture
def restored():
    """All cores again, whatever a test does."""
    yield
    kentro.set_num_threads(None)


@pytest.mark.usefixtures("restored")
def test_set_and_get(blobs):
    cores = kentro.get_num_threads()
    assert cores >= 1
    labels = KMeans(6).train(blobs)
    kentro.set_num_threads(1)
    assert kentro.get_num_threads() == 1
    assert KMeans(6).train(blobs) == labels
    kentro.set_num_threads(10**30)
    assert kentro.get_num_threads() == cores
    kentro.set_num_threads(None)
    assert kentro.get_num_threads() == cores


def test_amx_is_forbidden_and_allowed(blobs):
    labels = KMeans(6).train(blobs)
    kentro.allow_amx(False)
    try:
        assert KMeans(6).train(blobs) == labels
    finally:
        kentro.allow_amx(True)
    with pytest.raises(TypeError, match="allowed must be True or False"):
        kentro.allow_amx(0)


@pytest.mark.parametrize("number", [0, -1])
def test_a_number_below_one_is_refused(number):
    with pytest.raises(kentro.KMeansError, match=rf"num_threads must be .*{number}"):
        kentro.set_num_threads(number)


@pytest.mark.parametrize("number", ["2", 1.0, True])
def test_what_is_no_number_is_refused(number):
    with pytest.raises(TypeError, match="num_threads must be an int"):
        kentro.set_num_threads(number)


def test_the_environment():
    show = "import kentro; print(kentro.get_num_threads())"
    assert python(show, KENTRO_NUM_THREADS="1") == "1"
    assert python(show, KENTRO_NUM_THREADS="") == str(kentro.get_num_threads())
    refused = """
        import kentro
        try:
            kentro.get_num_threads()
        except ValueError as error:
            print(error)
        kentro.set_num_threads(1)
        print(kentro.get_num_threads())
        """
    text = python(refused, KENTRO_NUM_THREADS="1.5")
    assert "KENTRO_NUM_THREADS" in text
    assert '"1.5"' in text
    assert text.endswith("\n1")


LISTED = """
    listed = [x for x in threadpoolctl.threadpool_info() if x["internal_api"] == "kentro"]
    print(len(listed))
    """


def test_threadpoolctl_limits():
    pytest.importorskip("threadpoolctl")
    limited = """
        import threadpoolctl
        import kentro
        from kentro import _threadpool

        cores = kentro.get_num_threads()
        [it] = [x for x in threadpoolctl.threadpool_info() if x["internal_api"] == "kentro"]
        assert it["num_threads"] == cores
        assert it["version"] == kentro.__version__
        with threadpoolctl.threadpool_limits(1):
            print(kentro.get_num_threads())
        assert kentro.get_num_threads() == cores
        with threadpoolctl.threadpool_limits(1, user_api="kentro"):
            print(kentro.get_num_threads())
        assert kentro.get_num_threads() == cores
        """
    assert python(limited) == "1\n1"


def test_threadpoolctl_is_told_where_it_is_in_use():
    pytest.importorskip("threadpoolctl")
    assert python("import threadpoolctl, kentro" + LISTED.replace("\n    ", "\n")) == "1"
    unasked = "import sys, kentro; print('threadpoolctl' in sys.modules)"
    assert python(unasked) == "False"


def test_importing_brings_little_along():
    """What took most of the time once: importlib.metadata, and all it needs."""
    code = """
        import sys
        import numpy
        before = set(sys.modules)
        import kentro
        print(*sorted(set(sys.modules) - before))
        """
    modules = {name for name in python(code).split() if not name.startswith("kentro")}
    assert not modules & {
        "importlib.metadata",
        "email",
        "zipfile",
        "sklearn",
        "typing_extensions",
    }
    assert len(modules) < 20, sorted(modules)
