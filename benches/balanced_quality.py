"""Kentro's balanced K-means beside others, by quality and time.

    python benches/balanced_quality.py [--data ../shared/data] [--quality best] [sets]

Prints the table of docs/algorithms/balanced.md: all start from the same random
rows and keep the same bounds on sizes, on one thread. Kentro,
k-means-constrained, scikit-learn and sipu.npz must be there. The second peer is
a growing penalty on sizes (size_penalty.py).
"""

import argparse
import statistics
import sys
import time
import warnings
from pathlib import Path

import local_minima
import numpy as np
from k_means_constrained import KMeansConstrained
from kentro import KMeans
from size_penalty import balanced_labels

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from workloads import blobs, embeddings

warnings.simplefilter("ignore")

# name: (k, sizes differ by at most, starts, iterations)
SETS = {
    "s1": (15, 1, 6, 100),
    "s2": (15, 1, 6, 100),
    "s3": (15, 1, 6, 100),
    "s4": (15, 1, 6, 100),
    "a1": (20, 1, 6, 100),
    "a2": (35, 1, 6, 100),
    "a3": (50, 1, 6, 100),
    "unbalance": (8, 1, 6, 100),
    "digits": (10, 1, 6, 100),
    "s1 16": (15, 16, 6, 100),
    "a1 16": (20, 16, 6, 100),
    "unbalance 16": (8, 16, 6, 100),
    "birch1": (100, 1, 3, 100),
    "embeddings": (50, 1, 2, 100),
    "blobs": (50, 1, 2, 100),
}


def load(name, folder):
    if name == "embeddings":
        # k-means-constrained computes with whole thousandths of a distance
        return 100 * embeddings(20_000, 32, seed=5, topics=60)
    if name == "blobs":
        return blobs(20_000, 32, 50)
    data, _ = local_minima.load(name.split()[0], folder)
    if name == "birch1":
        data = data[np.random.default_rng(0).choice(len(data), 10_000, replace=False)]
    return data


def sse(data, labels):
    data = data.astype(float)
    parts = (data[labels == j] for j in np.unique(labels))
    return sum(((part - part.mean(0)) ** 2).sum() for part in parts)


def timed(fit):
    start = time.process_time()
    labels = fit()
    return labels, time.process_time() - start


def compare(data, k, most, start, iterations, quality):
    """SSE and time of Kentro, k-means-constrained and the size penalty."""
    rows = len(data)
    window = (rows // k, -(-rows // k))
    if most > 1:
        window = (rows // k - most // 2, rows // k + most // 2)
    kentro = KMeans(k).with_euclidean(True).with_balanced(True)
    kentro = kentro.with_max_balance_diff(most).with_iterations(iterations)
    kentro = kentro.with_init(start).with_quality(quality)
    constrained = KMeansConstrained(
        k, *window, init=start.astype(float), n_init=1, max_iter=iterations, n_jobs=1
    )
    fits = (
        lambda: kentro.train_labels(data, num_threads=1),
        lambda: constrained.fit(data.astype(float)).labels_,
        lambda: balanced_labels(data, start, most),
    )
    results = [timed(fit) for fit in fits]
    return [
        (float("nan") if labels is None else sse(data, labels), seconds)
        for labels, seconds in results
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument(
        "--data", type=Path, default=local_minima.ROOT / "../shared/data"
    )
    parser.add_argument("--quality", default="default", help="Kentro's")
    arguments = parser.parse_args()
    print(
        "| data | k | differ by at most | starts | SSE, median | most | time ", end=""
    )
    print("| SSE to size penalty, median | most |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in arguments.sets:
        data, (k, most, starts, iterations) = load(name, arguments.data), SETS[name]
        ratios, times, to_penalty = [], [], []
        for seed in range(starts):
            draw = np.random.default_rng(seed).choice(len(data), k, replace=False)
            start = np.ascontiguousarray(data[np.sort(draw)])
            own, constrained, penalty = compare(
                data, k, most, start, iterations, arguments.quality
            )
            ratios.append(own[0] / constrained[0])
            times.append(constrained[1] / own[1])
            to_penalty.append(own[0] / penalty[0])
        print(
            f"| {name.split()[0]} | {k} | {most} | {starts} "
            f"| {statistics.median(ratios):.4f} | {max(ratios):.4f} "
            f"| {statistics.median(times):.0f} "
            f"| {statistics.median(to_penalty):.4f} | {max(to_penalty):.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
