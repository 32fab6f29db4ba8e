"""More rows than memory: training on a mapped file and on a source, beside an array.

    python benches/out_of_core.py FILE [--rows 8000000] [--limits 2000000000 ...] [--keep]

Makes FILE of float32 rows of 384 dimensions (12.3 GB of them: sentence embeddings,
repeated with noise) unless it is there, and deletes it in the end. Trains with k = 256,
8 iterations, quality "fast" and two threads: on an array of the first third of the rows,
then under each limit on all rows: mapped, from a source of slices of the mapped file, and
from one whose thread reads the next block ahead; at last one pass of partial_fit over
slices. With the file in the page cache, and with every page dropped soon after it was
used (of a mapped file also some that were read ahead, which are read again). Each way has a process of its own. Tells seconds, rows x iterations a second beside
the array's, gigabytes read a second beside what the disk gives a plain reader just
before, the peak of anonymous memory, and the inertia a row. "By CPU" is the rate in CPU
seconds, which a loaded machine leaves as it is. `--way "mapped, cached"` runs one alone.
Needs Linux, and a file that is not part of the project.
"""

import argparse
import math
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


def bytes_read():
    """What this process has had the disk read."""
    return int(Path("/proc/self/io").read_text().split("\nread_bytes:")[1].split()[0])


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


class Slices:
    """Blocks of a mapped file."""

    def __init__(self, data):
        self.data, self.passes = data, 0

    def __iter__(self):
        self.passes += 1
        for first in range(0, len(self.data), BLOCK):
            yield self.data[first : first + BLOCK]


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
    if way.startswith(("mapped", "slices", "partial_fit")):
        with open(path, "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        data = np.frombuffer(mapped, np.float32, rows * DIMS).reshape(rows, DIMS)
        mapped.madvise(mmap.MADV_SEQUENTIAL)
    disk = float("nan")
    if dropping:
        disk = read_all(path)
        drop(path, mapped)
    elif way != "array":
        with open(path, "rb", buffering=0) as file:  # into the cache
            buffer = bytearray(16 << 20)
            while file.tell() < rows * ROW and file.readinto(buffer):
                pass
    if dropping and mapped is not None:

        def keep_dropping():
            while True:
                time.sleep(5)  # a part is read twice in a row
                drop(path, mapped)

        threading.Thread(target=keep_dropping, daemon=True).start()
    anonymous = Anonymous()
    before = anonymous.now()
    anonymous.start()
    begin, cpu, before_reading = time.perf_counter(), time.process_time(), bytes_read()
    if way.startswith(("source", "slices")):
        is_read = way.startswith("source")
        source = Blocks(path, rows, dropping) if is_read else Slices(data)
        model.train_source(source, 2)
        passes = source.passes
    elif way.startswith("partial_fit"):
        for block in Slices(data):
            model.partial_fit(block, num_threads=2)
        passes = 1
    else:
        model.train_labels(data, 2)
        passes = iterations + 2  # ranges, and the labels
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    read = bytes_read() - before_reading if dropping else passes * rows * ROW
    peak = anonymous.peak - (before if way == "array" else 0)
    work = rows * (1 if way.startswith("partial_fit") else iterations)
    inertia = (-model.score(data) if passes == 1 else model.inertia) / rows
    print(work, seconds, cpu, read / seconds, read / rows / ROW, disk, peak, inertia)


WAYS = ["mapped", "slices", "source", "partial_fit"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--rows", type=int, default=8_000_000)
    parser.add_argument("--limits", type=int, nargs="+", default=[2_000_000_000])
    parser.add_argument("--clusters", type=int, default=256)
    parser.add_argument("--iterations", type=int, default=8)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--way")
    arguments = parser.parse_args()
    path, rows, limits = arguments.file, arguments.rows, arguments.limits
    if arguments.way:
        run(
            arguments.way,
            path,
            rows,
            limits[0],
            arguments.clusters,
            arguments.iterations,
        )
        return
    if not os.path.exists(path):
        make(path, rows)
    print("| way | limit, GB | seconds | CPU | rate of the array | by CPU ", end="")
    print("| read so often | GB/s | of the disk's | anonymous, GB | inertia a row |")
    print("|" + "---|" * 11)
    first = None
    ways = [("array", limits[0])]
    for limit in limits:
        ways += [(f"{way}, cached", limit) for way in WAYS]
        ways += [(f"{way}, dropped", limit) for way in WAYS if way != "slices"]
    for way, limit in ways:
        given = [__file__, path, f"--way={way}", f"--limits={limit}"]
        for name in ("rows", "clusters", "iterations"):
            given.append(f"--{name}={getattr(arguments, name)}")
        out = subprocess.run(
            [sys.executable, *given], check=True, stdout=subprocess.PIPE
        )
        numbers = map(float, out.stdout.split())
        work, seconds, cpu, speed, often, disk, peak, inertia = numbers
        first = first or (work / seconds, work / cpu)
        limit = "" if way == "array" else f"{limit / 1e9:.1f}"
        share = "" if math.isnan(disk) else f"{speed / disk:.2f}"
        print(
            f"| {way} | {limit} | {seconds:.1f} | {cpu:.1f} | {work / seconds / first[0]:.2f} "
            f"| {work / cpu / first[1]:.2f} | {often:.1f} | {speed / 1e9:.2f} | {share} "
            f"| {peak / 1e9:.2f} | {inertia:.4f} |",
            flush=True,
        )
    if not arguments.keep:
        os.remove(path)


if __name__ == "__main__":
    main()
