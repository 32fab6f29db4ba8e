"""How low Kentro and scikit-learn get, and how long that takes.

    python benches/local_minima.py [--data ../shared/data] [--seeds 20] [--seeds-10 5] [sets]

Prints the table of docs/algorithms/seeding.md: medians over seeds, CPU seconds on one
thread, inertia relative to scikit-learn's n_init=10, and the part of the seeds
that finds every true cluster (centroid index 0). Kentro, scikit-learn and the
data sets (sipu.npz, mnist_u8.npy) must be there.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
from kentro import KMeans
from sklearn import cluster
from sklearn.datasets import load_digits

ROOT = Path(__file__).resolve().parents[1]
CLUSTERS = {
    "a1": 20,
    "a2": 35,
    "a3": 50,
    "s1": 15,
    "s2": 15,
    "s3": 15,
    "s4": 15,
    "unbalance": 8,
    "d31": 31,
    "birch1": 100,
    "birch2": 100,
    "digits": 100,
    "mnist": 100,
}


def load(name, folder):
    """Rows, and the means of the true clusters where there are as many as k."""
    if name == "digits":
        return load_digits().data.astype(np.float32), None
    if name == "mnist":
        return np.load(folder / "mnist_u8.npy").astype(np.float32) / 255, None
    sets = np.load(folder / "sipu.npz")
    data, truth = sets[name + ".X"].astype(np.float32), sets[name + ".y0"]
    kinds = np.unique(truth[truth > 0])
    means = np.array([data[truth == kind].mean(0) for kind in kinds])
    return data, means if len(means) == CLUSTERS[name] else None


def inertia(data, centroids):
    """In float64, whatever the library says."""
    centroids = centroids.astype(np.float64)
    total = 0.0
    for first in range(0, len(data), 4096):
        rows = data[first : first + 4096].astype(np.float64)
        squares = (rows**2).sum(1)[:, None] + (centroids**2).sum(1)
        labels = (squares - 2 * rows @ centroids.T).argmin(1)
        total += ((rows - centroids[labels]) ** 2).sum()
    return total


def centroid_index(a, b):
    def orphans(a, b):
        distances = ((a[:, None].astype(float) - b[None]) ** 2).sum(2)
        return len(b) - len(np.unique(distances.argmin(1)))

    return max(orphans(a, b), orphans(b, a))


def kentro(quality):
    def fit(data, k, seed):
        model = KMeans(k).with_euclidean(True).with_seed(seed).with_quality(quality)
        model.train_labels(data, num_threads=1)
        return model.centroids

    return fit


def sklearn(n_init):
    def fit(data, k, seed):
        model = cluster.KMeans(k, n_init=n_init, random_state=seed)
        return model.fit(data).cluster_centers_

    return fit


def measure(fit, data, k, truth, seeds):
    """Median inertia, median seconds, and the part that finds all clusters."""
    inertias, seconds, found = [], [], []
    for seed in range(seeds):
        start = time.process_time()
        centroids = fit(data, k, seed)
        seconds.append(time.process_time() - start)
        inertias.append(inertia(data, centroids))
        if truth is not None:
            found.append(centroid_index(centroids, truth) == 0)
    share = f"{sum(found)}/{len(found)}" if found else "–"
    return statistics.median(inertias), statistics.median(seconds), share


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=list(CLUSTERS))
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--seeds-10", type=int, default=5)
    arguments = parser.parse_args()
    fits = {
        "default": (kentro("default"), arguments.seeds),
        "best": (kentro("best"), arguments.seeds),
        "scikit-learn": (sklearn(1), arguments.seeds),
        "n_init=10": (sklearn(10), arguments.seeds_10),
    }
    columns = [f"{name} {what}" for name in fits for what in ("inertia", "s", "found")]
    print("| set | k |", " | ".join(columns), "|")
    print("|---" * (len(columns) + 2) + "|")
    for name in arguments.sets:
        data, truth = load(name, arguments.data)
        k = CLUSTERS[name]
        results = [measure(fit, data, k, truth, n) for fit, n in fits.values()]
        lowest = results[-1][0]
        cells = [f"{i / lowest:.5f} | {s:.4f} | {f}" for i, s, f in results]
        print(f"| {name} | {k} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
