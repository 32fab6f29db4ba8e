"""More rows than memory: training on a mapped file and on a source, beside an array.

    python benches/out_of_core.py FILE [--rows 8000000] [--limit 2000000000] [--keep]

Makes FILE of float32 rows of 384 dimensions (12.3 GB of them: sentence embeddings,
repeated with noise) unless it is there, and deletes it in the end. Trains with k = 256,
8 iterations, quality "fast" and two threads: on an array of the first third of the rows,
then under the limit on all rows, mapped and from a source whose thread reads the next
block ahead; with the file in the page cache, and with every page dropped soon after it
was used. Each way has a process of its own. Tells seconds, rows x iterations a second
beside the array's, gigabytes read a second beside what the disk gives a plain reader in
the same run, and the peak of anonymous memory. "By CPU" is the rate in CPU seconds, which a
loaded machine leaves as it is. Needs Linux, and a file that is not part
of the project.
"""

import argparse
import mmap
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("KENTRO_BENCH_DATA", ROOT / "../shared/data"))
DIMS, BLOCK = 384, 100_000
ROW = 4 * DIMS


def make(path, rows):
    rng = np.random.default_rng(0)
    some = np.load(DATA / "minilm_summaries_f16.npy").astype(np.float32)
    assert some.shape[1] == DIMS
    noise = 0.01 * rng.standard_normal((2 * BLOCK, DIMS), dtype=np.float32)
    with open(path, "wb") as file:
        for first in range(0, rows, BLOCK):
            order = rng.permutation(len(some))[: min(BLOCK, rows - first)]
            start = rng.integers(BLOCK)
            block = some[order]
            block += noise[start : start + len(block)]
            file.write(memoryview(block).cast("B"))


class Anonymous(threading.Thread):
    """The most anonymous memory that the process has had."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak = 0

    @staticmethod
    def now():
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split("RssAnon:")[1].split()[0])

    def run(self):
        while True:
            self.peak = max(self.peak, self.now())
            time.sleep(0.02)


def drop(path, mapped=None):
    if mapped is not None:
        mapped.madvise(mmap.MADV_DONTNEED)
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_all(path):
    """What the disk gives: bytes a second."""
    drop(path)
    buffer, size, begin = bytearray(16 << 20), 0, time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while count := file.readinto(buffer):
            size += count
            if size > 4 << 30:
                break
    return size / (time.perf_counter() - begin)


class Blocks:
    """Blocks of a file; a thread reads the next one while this one is in use."""

    def __init__(self, path, rows, dropping):
        self.path, self.rows, self.dropping, self.passes = path, rows, dropping, 0

    def __iter__(self):
        self.passes += 1
        ready, free = queue.Queue(), queue.Queue()
        for _ in range(2):
            free.put(np.empty((BLOCK, DIMS), np.float32))
        threading.Thread(target=self.read, args=(ready, free), daemon=True).start()
        while (block := ready.get()) is not None:
            yield block
            free.put(block.base if block.base is not None else block)

    def read(self, ready, free):
        with open(self.path, "rb", buffering=0) as file:
            for first in range(0, self.rows, BLOCK):
                block = free.get()[: min(BLOCK, self.rows - first)]
                view, done = memoryview(block).cast("B"), 0
                while done < len(view):
                    done += file.readinto(view[done:])
                if self.dropping:
                    offset = (first * ROW, block.nbytes, os.POSIX_FADV_DONTNEED)
                    os.posix_fadvise(file.fileno(), *offset)
                ready.put(block)
        ready.put(None)


def run(way, path, rows, limit, clusters, iterations):
    import kentro

    model = kentro.KMeans(clusters).with_euclidean(True).with_quality("fast")
    model = model.with_init("random").with_iterations(iterations)
    dropping = way.endswith("dropped")
    mapped = None
    if way == "array":
        rows //= 3
        data = np.fromfile(path, np.float32, rows * DIMS).reshape(rows, DIMS)
    else:
        model = model.with_memory_limit(limit)
    if way.startswith("mapped"):
        with open(path, "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        data = np.frombuffer(mapped, np.float32, rows * DIMS).reshape(rows, DIMS)
        mapped.madvise(mmap.MADV_SEQUENTIAL)
    if dropping:
        drop(path, mapped)
    elif way != "array":
        with open(path, "rb", buffering=0) as file:  # into the cache
            buffer = bytearray(16 << 20)
            while file.tell() < rows * ROW and file.readinto(buffer):
                pass
    if dropping and mapped is not None:

        def keep_dropping():
            while True:
                time.sleep(0.5)
                drop(path, mapped)

        threading.Thread(target=keep_dropping, daemon=True).start()
    anonymous = Anonymous()
    before = anonymous.now()
    anonymous.start()
    begin, cpu = time.perf_counter(), time.process_time()
    if way.startswith("source"):
        source = Blocks(path, rows, dropping)
        model.train_source(source, 2)
        passes = source.passes
    else:
        model.train_labels(data, 2)
        passes = iterations + 2  # ranges, and the labels
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    peak = anonymous.peak - (before if way == "array" else 0)
    inertia = model.inertia / rows
    print(rows, seconds, cpu, passes, peak, inertia)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--rows", type=int, default=8_000_000)
    parser.add_argument("--limit", type=int, default=2_000_000_000)
    parser.add_argument("--clusters", type=int, default=256)
    parser.add_argument("--iterations", type=int, default=8)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--way")
    arguments = parser.parse_args()
    path, rows, limit = arguments.file, arguments.rows, arguments.limit
    if arguments.way:
        run(arguments.way, path, rows, limit, arguments.clusters, arguments.iterations)
        return
    if not os.path.exists(path):
        make(path, rows)
    disk = read_all(path)
    print(f"the disk gives {disk / 1e9:.2f} GB/s to a plain reader")
    print(
        "way               seconds    CPU  rate/array  by CPU  GB/s  of disk  anonymous GB"
    )
    first = None
    for way in [
        "array",
        "mapped, cached",
        "source, cached",
        "mapped, dropped",
        "source, dropped",
    ]:
        given = [__file__, path, f"--way={way}"]
        for name in ("rows", "limit", "clusters", "iterations"):
            given.append(f"--{name}={getattr(arguments, name)}")
        out = subprocess.run(
            [sys.executable, *given], check=True, stdout=subprocess.PIPE
        )
        count, seconds, cpu, passes, peak, _ = map(float, out.stdout.split())
        rate, work = count / seconds, count / cpu
        first = first or (rate, work)
        read = passes * count * ROW / seconds
        print(
            f"{way:<16}{seconds:9.1f}{cpu:7.1f}{rate / first[0]:12.2f}{work / first[1]:8.2f}"
            f"{read / 1e9:6.2f}{read / disk:9.2f}{peak / 1e9:14.2f}",
            flush=True,
        )
    if not arguments.keep:
        os.remove(path)


if __name__ == "__main__":
    main()
