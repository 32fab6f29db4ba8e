"""The constants of docs/scale.md, measured small, on one thread.

    python benches/scale.py [--workers 1000]

Rows of 768 dimensions around 20,000 centres; k = 1,000 and 4,000. Prints what an
iteration, a merge, bytes and a new centroid cost, in units that do not depend on the size,
and what follows for n = 10^9, d = 768, k = 10^6. CPU seconds, the least of three.
"""

import argparse
import functools
import time

import kentro
import numpy as np

DIMS, ROWS = 768, 20_000
N, K = 10**9, 10**6


def least(work, repeats=3):
    """The CPU seconds of the quickest run, and what it returned."""
    best = float("inf")
    for _ in range(repeats):
        begin = time.process_time()
        out = work()
        best = min(best, time.process_time() - begin)
    return best, out


def search(rows, centroids):
    return kentro.Block(rows, euclidean=True).partial(centroids)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=1000)
    workers = parser.parse_args().workers
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((20_000, DIMS), dtype=np.float32)
    rows = centres[rng.integers(len(centres), size=ROWS)]
    rows = rows + 0.7 * rng.standard_normal((ROWS, DIMS), dtype=np.float32)
    kentro.set_num_threads(1)
    first, later = {}, {}
    for k in (1000, 4000):
        # Draws are rows: where centroids lie when rows are far more than clusters.
        given = rows[rng.choice(ROWS, k, replace=False)]
        first[k], _ = least(functools.partial(search, rows, given), 2)
        block, centroids = kentro.Block(rows, euclidean=True), given
        for _ in range(4):
            centroids = block.partial(centroids).finalize(centroids).centroids
        later[k] = float("inf")
        for _ in range(4):
            begin = time.process_time()
            partial = block.partial(centroids)
            later[k] = min(later[k], time.process_time() - begin)
            centroids = partial.finalize(centroids).centroids
        unit = ROWS * k * DIMS
        print(
            f"k = {k}: first iteration {first[k] / unit * 1e12:.1f} ps, "
            f"later ones {later[k] / unit * 1e12:.1f} ps a row x centroid x dimension"
        )
    partial = block.partial(centroids)
    values = k * DIMS
    write, data = least(partial.to_bytes)
    read, other = least(lambda: kentro.Partial.from_bytes(data))
    merge, _ = least(lambda: other.merge(partial))
    final, _ = least(lambda: partial.finalize(centroids))
    size = len(data) / (k * (DIMS + 1))
    gigabyte = 1e9 / len(data)
    print(f"a partial: {size:.2f} bytes a cluster and dimension")
    print(
        f"seconds a GB of partial: merge {merge * gigabyte:.2f}, to_bytes "
        f"{write * gigabyte:.2f}, from_bytes {read * gigabyte:.2f}"
    )
    print(f"finalize: {final / values * 1e9:.2f} ns a cluster and dimension")

    unit = N * K * DIMS
    whole = size * K * (DIMS + 1) / 1e9
    steps = int(np.ceil(np.log2(workers)))
    print(f"n = 10^9, d = {DIMS}, k = 10^6, {workers} workers of one core:")
    print(f"  products: {2 * unit:.2e} operations an iteration if all are computed")
    print(f"  rows: {N * DIMS * 4 / workers / 1e9:.1f} GB of float32 a worker")
    print(
        f"  search: {later[4000] * unit / (ROWS * 4000 * DIMS) / workers / 3600:.1f} h"
    )
    print(f"  partial: {whole:.2f} GB; {steps} merges one after the other in a tree:")
    cost = (merge + write + read) * gigabyte * whole
    print(
        f"    {steps * cost:.0f} s of work, {steps * whole / 1.25:.0f} s on a line of 10 Gbit/s"
    )
    print(f"  the same in {workers} shards of the clusters, each merged by one worker:")
    print(f"    {cost:.0f} s of work, {whole / 1.25:.0f} s on the line")
    print(
        f"  finalize: {final / values * K * DIMS:.0f} s, or {final / values * K * DIMS / workers:.2f} s in shards"
    )


if __name__ == "__main__":
    main()
