"""K-means on sparse rows beside scikit-learn's, from the same rows, on one thread.

    OMP_NUM_THREADS=1 python benches/sparse.py [K ...]

CPU seconds of ten iterations and the memory that they add, on

* tfidf: words of 60,000 short summaries, 12,247 columns, 6.6 values a row; needs a
  file that is not part of the project, and is left out without it;
* long: 20,000 made-up texts of 200 to 300 words out of 30,000: word frequencies of
  Zipf, half of them moved about by one of 50 topics.

Each fit runs in a process of its own. Empty rows are left out, for scikit-learn's sake.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import scipy.sparse

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("KENTRO_BENCH_DATA", ROOT / "../shared/data"))
ITERATIONS = 10
REPEATS = 3


def tfidf():
    with np.load(DATA / "tfidf_summaries.npz") as file:
        parts = (
            file["data"].astype(np.float32),
            file["indices"].astype(np.int32),
            file["indptr"],
        )
        rows = scipy.sparse.csr_matrix(parts, shape=tuple(file["shape"]))
    return rows[np.diff(rows.indptr) > 0]


def long(n=20_000, d=30_000):
    rng = np.random.default_rng(0)
    frequency = np.cumsum((np.arange(d) + 10.0) ** -0.9)
    frequency /= frequency[-1]
    topics = [rng.permutation(d) for _ in range(50)]
    columns, values, indptr = [], [], [0]
    for _ in range(n):
        size, topic = rng.integers(200, 301), topics[rng.integers(50)]
        drawn = np.searchsorted(frequency, rng.random(2 * size))
        drawn = np.unique(np.where(rng.random(2 * size) < 0.5, topic[drawn], drawn))
        drawn = np.sort(rng.permutation(drawn)[:size])
        weights = 1 + rng.exponential(size=len(drawn))
        columns.append(drawn.astype(np.int32))
        values.append((weights / np.linalg.norm(weights)).astype(np.float32))
        indptr.append(indptr[-1] + len(drawn))
    parts = np.concatenate(values), np.concatenate(columns), np.array(indptr, np.int32)
    return scipy.sparse.csr_matrix(parts, shape=(n, d))


def fit(library, rows, k):
    """The inertia of ten iterations from k random rows, and the seconds they take."""
    chosen = np.random.default_rng(1).choice(rows.shape[0], k, replace=False)
    init = rows[np.sort(chosen)].toarray()
    if library == "scikit-learn":
        from sklearn.cluster import KMeans

        model = KMeans(
            k, init=init, n_init=1, max_iter=ITERATIONS, tol=0, algorithm="lloyd"
        )
        start = time.process_time()
        model.fit(rows)
        return model.inertia_, time.process_time() - start
    from kentro import KMeans

    model = KMeans(k).with_euclidean(library == "Kentro").with_iterations(ITERATIONS)
    model = model.with_quality("fast").with_init(init)
    start = time.process_time()
    model.train_labels(rows, num_threads=1)
    return model.inertia, time.process_time() - start


def run(library, data, k):
    """`fit` with the megabytes it adds, in this process."""
    rows = {"tfidf": tfidf, "long": long}[data]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    inertia, seconds = fit(library, rows, k)
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({"inertia": float(inertia), "seconds": seconds, "memory": memory}))


def main(counts):
    libraries = ["Kentro", "Kentro, cosine", "scikit-learn"]
    print("| rows | k | library | CPU s | MB | inertia |\n|---|---|---|---|---|---|")
    for data in ["tfidf", "long"]:
        if data == "tfidf" and not (DATA / "tfidf_summaries.npz").exists():
            continue
        for k in counts:
            results = {library: [] for library in libraries}
            for _ in range(REPEATS):
                for library in libraries:
                    command = [sys.executable, __file__, "--one", library, data, str(k)]
                    output = subprocess.run(
                        command, check=True, capture_output=True
                    ).stdout
                    results[library].append(json.loads(output))
            for library, found in results.items():
                best = min(found, key=lambda result: result["seconds"])
                numbers = f"{best['seconds']:.3f} | {best['memory']:.0f} | {best['inertia']:.7g}"
                print(f"| {data} | {k} | {library} | {numbers} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main([int(k) for k in sys.argv[1:]] or [100, 1000])
