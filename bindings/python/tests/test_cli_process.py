"""The command line as a process: signals, pipes, terminals, and files that stay whole."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import kentro
from kentro import KMeans

COMMAND = [sys.executable, "-m", "kentro"]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")


def start(*arguments, **more):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **more,
    )


@pytest.fixture(scope="module")
def long_data(tmp_path_factory):
    """Rows that take far longer to train with than any test waits."""
    path = tmp_path_factory.mktemp("long") / "rows.npy"
    rows = np.random.default_rng(0).normal(size=(200_000, 64)).astype(np.float32)
    np.save(path, rows)
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_fit_leaves_nothing(long_data, tmp_path, number):
    model = tmp_path / "model.safetensors"
    model.write_text("what was there")
    process = start(
        *("fit", long_data, "-k", 4000, "--quality", "best", "--threads", 1),
        *("-o", model, "--labels", tmp_path / "labels.npy"),
        # A process in the background of a shell without job control ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while len(os.listdir(tmp_path)) < 2:  # the file for the labels: it is about to train
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    word = "interrupted" if number == signal.SIGINT else "stopped"
    assert (out, err) == (b"", f"kentro: {word}\n".encode())
    assert process.returncode == -number  # the shell's 128 + number
    assert os.listdir(tmp_path) == ["model.safetensors"]
    assert model.read_text() == "what was there"


def test_a_signal_while_reading_leaves_nothing(tmp_path):
    process = start("convert", "-", "-o", tmp_path / "out.npy", stdin=subprocess.PIPE)
    process.stdin.write(b"1,2\n" * 21)
    process.stdin.flush()
    while not os.listdir(tmp_path):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.stdin.close()
    process.stdin = None
    assert process.communicate(timeout=300)[1] == b"kentro: interrupted\n"
    assert os.listdir(tmp_path) == []


def test_a_reader_that_goes_is_no_error(long_data, tmp_path):
    centroids = np.random.default_rng(0).normal(size=(2, 64))
    KMeans.from_centroids(centroids).save(tmp_path / "model.safetensors")
    process = start("assign", tmp_path / "model.safetensors", long_data)
    assert process.stdout.readline() in (b"0\n", b"1\n")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=300) == -signal.SIGPIPE


def test_what_is_there_stays_if_a_command_fails(cli, tmp_path):
    out = tmp_path / "out.npy"
    out.write_text("what was there")
    (tmp_path / "rows.csv").write_text("1,2\n" * 30 + "x,y\n")
    cli.fails(1, "convert", tmp_path / "rows.csv", "-o", out)
    assert out.read_text() == "what was there"
    assert sorted(os.listdir(tmp_path)) == ["out.npy", "rows.csv"]


def test_rights_and_links_stay(cli, tmp_path):
    np.save(tmp_path / "rows.npy", np.ones((2, 2)))
    (tmp_path / "real.npy").write_text("old")
    os.chmod(tmp_path / "real.npy", 0o640)
    os.symlink("real.npy", tmp_path / "link.npy")
    cli.run("convert", tmp_path / "rows.npy", "-o", tmp_path / "link.npy")
    assert os.path.islink(tmp_path / "link.npy")
    assert os.stat(tmp_path / "real.npy").st_mode & 0o777 == 0o640
    np.testing.assert_array_equal(np.load(tmp_path / "real.npy"), np.ones((2, 2)))
    umask = os.umask(0o027)
    os.umask(umask)
    cli.run("convert", tmp_path / "rows.npy", "-o", tmp_path / "new.npy")
    assert os.stat(tmp_path / "new.npy").st_mode & 0o777 == 0o666 & ~umask
    # Onto itself: the rows are mapped from what is replaced.
    cli.run("convert", tmp_path / "rows.npy", "--dtype", "uint8", "-o", tmp_path / "rows.npy")
    assert np.load(tmp_path / "rows.npy").tolist() == [[1, 1], [1, 1]]


def test_output_to_a_pipe_and_to_a_device(cli, tmp_path):
    (tmp_path / "rows.csv").write_text("1,2\n3,4\n")
    cli.run("convert", tmp_path / "rows.csv", "--to", "csv", "-o", os.devnull)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    cli.run("convert", tmp_path / "rows.csv", "--to", "csv", "-o", pipe)
    assert reader.communicate(timeout=300)[0] == b"1.0,2.0\n3.0,4.0\n"


def test_a_model_through_pipes(tmp_path, blobs):
    np.save(tmp_path / "rows.npy", blobs)
    with start("fit", tmp_path / "rows.npy", "-k", 6, "-o", "-") as process:
        out, err = process.communicate(timeout=300)
    assert err == b""
    kmeans = KMeans(6)
    kmeans.train_labels(blobs)
    assert out == kmeans.to_bytes(labels=False)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_streams(tmp_path, closed):
    np.save(tmp_path / "rows.npy", np.ones((3, 2)))
    done = subprocess.run(
        f"{sys.executable} -m kentro info rows.npy {closed}",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (b"3 x 2" in done.stdout) is (closed != ">&-")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_no_room(tmp_path):
    np.save(tmp_path / "rows.npy", np.ones((3, 2)))
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "info", "rows.npy"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=300,
        )
    assert (done.returncode, done.stderr) == (1, b"kentro: No space left on device\n")


def on_a_terminal(*arguments, **environment):
    """What a command writes to a terminal that is its standard error."""
    import pty

    mother, child = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=child,
        env={**os.environ, **environment},
    ) as process:
        os.close(child)
        text = b""
        while True:
            try:
                part = os.read(mother, 4096)
            except OSError:  # Linux says so at the end
                break
            if not part:
                break
            text += part
        os.close(mother)
        assert process.wait(timeout=300) == 0
        return text.decode()


@pytest.mark.parametrize("bar", ["own", "tqdm"])
def test_progress_is_for_terminals(tmp_path, bar):
    rows = np.random.default_rng(0).normal(size=(40_000, 32)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    environment = {}
    if bar == "tqdm":
        pytest.importorskip("tqdm")
    else:
        (tmp_path / "tqdm.py").write_text("raise ImportError")
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
        )
    text = on_a_terminal(
        *("fit", tmp_path / "rows.npy", "-k", 300, "--metric", "euclidean", "--threads", 1),
        *("-o", tmp_path / "m.safetensors"),
        **environment,
    )
    assert "iterating" in text
    assert "inertia" in text
    assert kentro.load(tmp_path / "m.safetensors").is_trained
