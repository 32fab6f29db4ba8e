"""How calls run: threads, processes, Ctrl-C, callbacks, memory."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from conftest import make_blobs

import kentro
from kentro import KMeans


def long_run():
    """A model and data that would train for minutes."""
    data = np.random.default_rng(12).normal(size=(50_000, 48)).astype(np.float32)
    return KMeans(200).with_euclidean(True).with_iterations(10**6), data


def run_python(code, **options):
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Threads


@pytest.mark.parametrize("num_threads", [1, 2, 3, 64, 10**9, 2**64, np.int32(2), None])
def test_any_number_of_threads(num_threads, blobs, trained):
    kmeans = KMeans(6).with_euclidean(True)
    assert kmeans.train(blobs, num_threads=num_threads) == trained.assign(blobs, 1, num_threads)


def test_num_threads_controls_the_threads():
    if not sys.platform.startswith("linux"):
        pytest.skip("reads /proc")
    output = run_python(
        """
        import os
        import numpy as np
        from kentro import KMeans

        data = np.random.default_rng(0).normal(size=(20_000, 32)).astype(np.float32)
        before = len(os.listdir("/proc/self/task"))

        def started(num_threads):
            seen = []
            count = lambda progress: seen.append(len(os.listdir("/proc/self/task")) - before)
            kmeans = KMeans(50).with_iterations(5).with_progress(count)
            kmeans.train(data, num_threads=num_threads)
            return max(seen)

        print(started(1), started(2), started(10**9), len(os.sched_getaffinity(0)))
        """
    )
    one, two, many, cores = map(int, output.split())
    assert one == 0
    assert two <= 2
    assert many <= cores


def test_two_models_at_once():
    data = make_blobs(rows=10_000, dims=16)
    expected = KMeans(40).train(data)
    results = [None] * 4

    def train(slot):
        results[slot] = KMeans(40).train(data, num_threads=1 + slot % 2)

    workers = [threading.Thread(target=train, args=(slot,)) for slot in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [expected] * 4


def test_one_model_from_several_threads(trained, blobs):
    expected = trained.assign(blobs, 2)
    wrong = []

    def use():
        for _ in range(20):
            if trained.assign(blobs, 2) != expected:
                wrong.append("assign")
            try:
                trained.assign(np.zeros((2, 3)))
                wrong.append("no error")
            except ValueError as error:
                if str(error) != "Dimension mismatch: expected 8, got 3":
                    wrong.append(str(error))

    workers = [threading.Thread(target=use) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_one_model_is_trained_once_by_two_threads():
    data = make_blobs(rows=20_000, dims=16)
    kmeans = KMeans(40)
    outcomes = []

    def train():
        try:
            outcomes.append(kmeans.train(data))
        except ValueError as error:
            outcomes.append(str(error))

    workers = [threading.Thread(target=train) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert outcomes.count("Clustering has already been trained") == 1
    assert kmeans.assign(data) in outcomes


def test_other_threads_run_while_computing():
    data = np.random.default_rng(13).normal(size=(20_000, 64)).astype(np.float32)
    ticks, done = [], threading.Event()

    def tick():
        while not done.wait(0.002):
            ticks.append(time.perf_counter())

    ticker = threading.Thread(target=tick)
    ticker.start()
    start = time.perf_counter()
    KMeans(100).with_iterations(10).train(data, num_threads=1)
    end = time.perf_counter()
    done.set()
    ticker.join()
    during = [time for time in ticks if start < time < end]
    assert len(during) > 5


# Processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork_after_training():
    output = run_python(
        """
        import os, warnings
        import numpy as np
        from kentro import KMeans

        data = np.random.default_rng(0).normal(size=(20_000, 32)).astype(np.float32)
        parent = KMeans(30)
        expected = parent.train(data, num_threads=2)
        warnings.simplefilter("ignore")  # Python warns of forks in general
        child = os.fork()
        if child == 0:
            same = KMeans(30).train(data, num_threads=2) == expected
            os._exit(0 if same and parent.assign(data) == expected else 1)
        _, status = os.waitpid(child, 0)
        print(status, KMeans(30).train(data) == expected)
        """
    )
    assert output.split() == ["0", "True"]


def test_importing_starts_no_thread():
    if not sys.platform.startswith("linux"):
        pytest.skip("reads /proc")
    code = """
        import os
        import numpy
        before = len(os.listdir("/proc/self/task"))
        import kentro
        print(len(os.listdir("/proc/self/task")) - before)
        """
    assert run_python(code).strip() == "0"


# Ctrl-C


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no POSIX signals")
@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("call", ["train", "assign"])
def test_ctrl_c(call, num_threads):
    kmeans, data = long_run()
    if call == "assign":
        kmeans = kmeans.with_iterations(1)
        kmeans.train(data[:1000])
        data = np.broadcast_to(data[:1], (50_000_000, 48))
    sent = []

    def interrupt():
        time.sleep(0.3)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=interrupt)
    sender.start()
    with pytest.raises(KeyboardInterrupt):
        getattr(kmeans, call)(data, num_threads=num_threads)
    waited = time.perf_counter() - sent[0]
    sender.join()
    print(f"KeyboardInterrupt after {waited:.3f} s")
    assert waited < 5  # a fraction of a second, but this machine may be busy
    assert kmeans.is_trained == (call == "assign")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")
def test_other_signal_handlers_run_and_may_return():
    kmeans, data = long_run()
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        kmeans.with_iterations(10).train(data[:5000])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(seen) > 1


# Callbacks


def test_progress(blobs):
    seen = []
    kmeans = KMeans(12).with_euclidean(True).with_progress(seen.append)
    kmeans.train(blobs)
    assert all(isinstance(p, kentro.Progress) for p in seen)
    assert all(a.seconds <= b.seconds for a, b in zip(seen, seen[1:]))
    # Where the machine is slow there are reports between iterations.
    last = {p.iteration: p for p in reversed(seen) if p.iteration > 0}
    assert sorted(last) == list(range(1, kmeans.n_iter + 1))
    assert last[1].changed == len(blobs)
    assert last[1].inertia >= last[kmeans.n_iter].inertia > 0
    assert (last[1].phase, last[1].run, last[1].total) == ("iterating", 1, 1)


def test_progress_stops_and_keeps_the_model(blobs):
    kmeans = KMeans(6).with_euclidean(True).with_n_init(100)
    seen = []

    def progress(p):
        seen.append(p)
        return "stop" if p.total == 2 else None

    kmeans = kmeans.with_progress(progress)
    labels = kmeans.train_labels(blobs)
    assert max(p.total for p in seen) <= 3
    np.testing.assert_array_equal(labels, kmeans.predict(blobs))
    with pytest.raises(ValueError, match="stop"):
        KMeans(6).with_progress(lambda _: "halt").train(blobs)


def test_a_token_cancels_from_another_thread():
    kmeans, data = long_run()
    token = kentro.CancelToken()
    cancelled = kmeans.with_cancel(token)
    timer = threading.Timer(0.05, token.request)
    timer.start()
    with pytest.raises(kentro.Cancelled):
        cancelled.train(data)
    timer.join()
    assert not cancelled.is_trained
    model = cancelled.with_cancel(None)
    model.train(data[:300])
    with pytest.raises(kentro.Cancelled):
        model.with_cancel(token).predict(data)
    with pytest.raises(TypeError, match="token"):
        model.with_cancel("token")


@pytest.mark.parametrize("answer", [None, True, 0, 1])
def test_other_answers_of_progress_do_not_cancel(answer, blobs):
    kmeans = KMeans(6).with_progress(lambda _: answer)
    kmeans.train(blobs)
    assert kmeans.is_trained


@pytest.mark.parametrize("answer", [False, np.False_])
def test_progress_cancels(answer, blobs):
    kmeans, data = long_run()
    cancelled = kmeans.with_progress(lambda p: answer if p.iteration == 3 else None)
    with pytest.raises(kentro.Cancelled, match="ancelled"):
        cancelled.train(data)
    assert not cancelled.is_trained
    assert cancelled.with_progress(None).train(data[:300])


def test_exceptions_of_progress_come_out_as_they_are():
    class Mine(Exception):
        pass

    def progress(p):
        if p.iteration == 2:
            raise Mine("here")

    kmeans, data = long_run()
    kmeans = kmeans.with_progress(progress)
    with pytest.raises(Mine, match="here"):
        kmeans.train(data)
    assert not kmeans.is_trained


def test_exceptions_do_not_keep_the_data_alive():
    import gc
    import weakref

    def progress(_):
        raise ValueError("stop")

    data = make_blobs()
    gone = weakref.ref(data)
    gc.disable()
    try:
        with pytest.raises(ValueError, match="stop") as caught:
            KMeans(3).with_progress(progress).train(data)
        del data, caught
        assert gone() is None
    finally:
        gc.enable()


def test_progress_may_use_other_models(blobs):
    inner = []

    def progress(_):
        inner.append(KMeans(2).train(blobs))

    KMeans(6).with_progress(progress).train(blobs)
    assert inner


def test_callbacks_in_other_threads(blobs, capsys):
    caught = []

    def train():
        try:
            KMeans(6).with_verbose(True).with_progress(lambda _: False).train(blobs)
        except kentro.Cancelled as error:
            caught.append(error)

    worker = threading.Thread(target=train)
    worker.start()
    worker.join()
    assert caught
    assert "iteration 1" in capsys.readouterr().out


def test_verbose_prints_a_line_an_iteration(blobs, capsys):
    kmeans = KMeans(6).with_verbose(True)
    kmeans.train(blobs)
    lines = [line for line in capsys.readouterr().out.splitlines() if "iteration" in line]
    assert len(lines) == kmeans.n_iter
    for line in lines:
        assert all(word in line for word in ("inertia", "changed", " s"))
    kmeans.with_verbose(False).assign(blobs)
    KMeans(6).train(blobs)
    assert capsys.readouterr() == ("", "")


def test_verbose_to_a_broken_stdout(blobs, monkeypatch):
    class Broken:
        def write(self, _):
            raise BrokenPipeError("gone")

        def flush(self):
            pass

    kmeans = KMeans(6).with_verbose(True)
    monkeypatch.setattr(sys, "stdout", Broken())
    with pytest.raises(BrokenPipeError, match="gone"):
        kmeans.train(blobs)
    assert not kmeans.is_trained


# Memory


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads /proc")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_train_does_not_copy_the_data(dtype):
    output = run_python(
        f"""
        import resource
        import numpy as np
        from kentro import KMeans

        data = np.empty((200_000, 256), dtype="{dtype}")
        for start in range(0, len(data), 2000):
            data[start : start + 2000] = np.random.default_rng(0).normal(size=(2000, 256))
        KMeans(2).train(data[:1000])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        KMeans(8).with_euclidean(True).with_iterations(2).train(data)
        KMeans(300).with_init("random").with_iterations(2).train(data)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print((after - before) * 1024 / (data.size * 4))
        """
    )
    assert float(output) < 0.3


def test_memory_is_given_back(blobs):
    resource = pytest.importorskip("resource")
    data = make_blobs(rows=20_000)

    def use():
        kmeans = KMeans(3).with_iterations(1)
        kmeans.train(data)
        kmeans.assign(data, 2)
        with pytest.raises(ValueError, match="Dimension"):
            kmeans.assign(np.zeros((2, 3)))

    for _ in range(5):
        use()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(40):
        use()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 20 * data.nbytes
