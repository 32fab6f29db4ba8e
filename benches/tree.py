"""A tree as the start for very many clusters, beside flat iterations and other libraries.

    python benches/tree.py [minilm[,K] | synthetic | N,D,K] [--peers | --defaults]

CPU seconds on one thread, inertia relative to ten flat iterations from random rows with
exact labels, and recall@10 of 1,000 rows in an IVF index over the centroids, 1, 4 and 16
lists probed. `minilm`: 100,000 sentence embeddings of 384 dimensions, k = 8,192; needs a
file that is not part of the project. `synthetic`: 500,000 rows of 96 dimensions about a
subspace of 24, k = 8,192; other sizes of the same kind as N,D,K. `--defaults`: both at
default settings, to the end of training, in place of a few iterations.
"""

import argparse
import os
import time
from pathlib import Path

import kentro
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("KENTRO_BENCH_DATA", ROOT / "../shared/data"))
QUERIES, NEIGHBOURS, PROBES = 1000, 10, (1, 4, 16)


def low_rank(rows, dims, rank=24, centres=2000):
    """Groups of rows in a subspace whose directions matter less and less, and noise."""
    rng = np.random.default_rng(0)
    scale = np.arange(1, rank + 1, dtype=np.float32) ** -0.5
    basis = rng.standard_normal((rank, dims), dtype=np.float32) / np.sqrt(
        np.float32(rank)
    )
    middle = rng.standard_normal((centres, rank), dtype=np.float32) * scale
    data = np.empty((rows, dims), dtype=np.float32)
    for first in range(0, rows, 50_000):
        count = min(50_000, rows - first)
        inner = 0.6 * rng.standard_normal((count, rank), dtype=np.float32) * scale
        inner += middle[rng.integers(0, centres, count)]
        noise = 0.05 * rng.standard_normal((count, dims), dtype=np.float32)
        data[first : first + count] = inner @ basis + noise
    return data


def load(name):
    if name.startswith("minilm"):
        rows = np.load(DATA / "minilm_summaries_f16.npy").astype(np.float32)
        return rows, int(name.partition(",")[2] or 8192)
    rows, dims, k = (
        (500_000, 96, 8192) if name == "synthetic" else map(int, name.split(","))
    )
    return low_rank(rows, dims), k


def train(rows, k, init, iterations, quality="fast"):
    model = kentro.KMeans(k).with_euclidean(True).with_quality(quality)
    model = model.with_iterations(iterations).with_init(init)
    model.train_labels(rows, num_threads=1)
    return model.centroids, model.labels


def superkmeans(rows, k, hierarchical, iterations):
    import superkmeans

    more = {"iters": iterations} if not hierarchical else {}
    model = superkmeans.SuperKMeans(
        k, rows.shape[1], hierarchical=hierarchical, n_threads=1, **more
    )
    centroids = model.train(rows)
    return centroids, model.assign(rows, centroids)


def faiss(rows, k, iterations):
    import faiss

    faiss.omp_set_num_threads(1)
    model = faiss.Kmeans(
        rows.shape[1],
        k,
        niter=iterations,
        max_points_per_centroid=10**9,
        min_points_per_centroid=1,
    )
    model.train(rows)
    return model.centroids, model.index.search(rows, 1)[1][:, 0]


def inertia(rows, centroids, labels):
    total = 0.0
    for first in range(0, len(rows), 10_000):
        block = rows[first : first + 10_000].astype(np.float64)
        block -= centroids[labels[first : first + 10_000]]
        total += float(np.einsum("ij,ij->", block, block))
    return total


def nearest(rows, queries, count):
    squares = np.einsum("ij,ij->i", rows, rows)
    found = [
        np.argpartition(squares - 2 * (rows @ query), count)[:count]
        for query in queries
    ]
    return np.array(found)


def recall(centroids, labels, queries, truth):
    order = np.argsort(
        np.einsum("ij,ij->i", centroids, centroids) - 2 * (queries @ centroids.T),
        axis=1,
    )
    hits = labels[truth][:, :, None] == order[:, None, : max(PROBES)]
    return [hits[:, :, :probes].any(axis=2).mean() for probes in PROBES]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("data", nargs="?", default="synthetic")
    options.add_argument("--peers", action="store_true")
    options.add_argument("--defaults", action="store_true")
    options.add_argument("--ways", help="some of them, by the beginning of their names")
    options = options.parse_args()
    rows, k = load(options.data)
    rng = np.random.default_rng(1)
    queries = rows[rng.choice(len(rows), QUERIES, replace=False)]
    truth = nearest(rows, queries, NEIGHBOURS)
    ways = {
        "flat, 10 iterations": lambda: train(rows, k, "random", 10),
        "flat, 3 iterations": lambda: train(rows, k, "random", 3),
        "tree, 1 iteration": lambda: train(rows, k, "tree", 1),
        "tree, 3 iterations": lambda: train(rows, k, "tree", 3),
    }
    if options.defaults:
        ways = {
            "random rows, 25 iterations and swaps": lambda: train(
                rows, k, "random", 25, "default"
            ),
            "random rows, 25 iterations": lambda: train(rows, k, "random", 25),
            "tree, 25 iterations": lambda: train(rows, k, "tree", 25, "default"),
        }
    if options.peers:
        ways["SuperKMeans, hierarchical"] = lambda: superkmeans(rows, k, True, 0)
        ways["faiss, 3 iterations"] = lambda: faiss(rows, k, 3)
    first = None
    print(
        "| way | CPU s | ratio | inertia | recall@10, "
        + "/".join(map(str, PROBES))
        + " lists |"
    )
    print("|---|---|---|---|---|")
    for name, way in ways.items():
        if options.ways and not any(
            name.startswith(way) for way in options.ways.split(";")
        ):
            continue
        begin = time.process_time()
        centroids, labels = way()
        seconds = time.process_time() - begin
        sum_of_squares = inertia(rows, centroids, labels)
        first = first or (seconds, sum_of_squares)
        found = "/".join(
            f"{part:.3f}" for part in recall(centroids, labels, queries, truth)
        )
        ratio, more = seconds / first[0], sum_of_squares / first[1] - 1
        print(
            f"| {name} | {seconds:.1f} | {ratio:.2f} | {more:+.2%} | {found} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
