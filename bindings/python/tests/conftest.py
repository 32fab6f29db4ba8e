import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from kentro import KMeans
from kentro._cli import main

# test_local_minima.py runs what benches/local_minima.py measures.
sys.path.append(str(Path(__file__).parents[3] / "benches"))


def make_blobs(rows=600, dims=8, clusters=6, seed=1, spread=0.3):
    """Rows around well separated centres of unit scale, float32."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, dims)) * 3
    noise = rng.normal(size=(rows, dims)) * spread
    return (centres[rng.integers(clusters, size=rows)] + noise).astype(np.float32)


@pytest.fixture(scope="session")
def blobs():
    data = make_blobs()
    data.setflags(write=False)
    return data


@pytest.fixture
def trained(blobs):
    kmeans = KMeans(6).with_euclidean(True)
    kmeans.train(blobs)
    return kmeans


@pytest.fixture(params=[True, False], ids=["euclidean", "cosine"])
def euclidean(request):
    return request.param


class CommandLine:
    """`kentro`, run in this process."""

    def __init__(self, monkeypatch):
        self._monkeypatch = monkeypatch

    def call(self, *arguments, stdin=None):
        """Exit code, standard output and standard error."""
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="\n") for _ in "ab")
        source = io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin or b"")))
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", source)
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setenv("COLUMNS", "80")
            # Hundreds of syncs take minutes on a busy disk; test_cli_process.py has real ones.
            patch.setattr(os, "fsync", lambda _descriptor: None)
            code = main([str(argument) for argument in arguments])
        texts = []
        for stream in (out, err):
            stream.flush()
            texts.append(stream.buffer.getvalue().decode())
        return (code, *texts)

    def run(self, *arguments, stdin=None):
        """What a command that goes well says."""
        code, out, err = self.call(*arguments, stdin=stdin)
        assert (code, err) == (0, "")
        return out

    def fails(self, code, *arguments, stdin=None):
        """The message of a command that ends with `code`: one line, and no output."""
        found, out, err = self.call(*arguments, stdin=stdin)
        assert (found, out) == (code, ""), err
        assert err.startswith("kentro")
        assert "Traceback" not in err
        return err


@pytest.fixture
def cli(monkeypatch):
    return CommandLine(monkeypatch)
