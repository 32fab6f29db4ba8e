"""One pass of partial_fit beside ten full iterations, on one thread.

    python benches/partial_fit.py

CPU seconds and inertia on 100,000 sentence embeddings of 384 dimensions, k = 1,000, in
blocks of 10,000 rows. Needs a file that is not part of the project.
"""

import os
import time
from pathlib import Path

import kentro
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("KENTRO_BENCH_DATA", ROOT / "../shared/data"))
CLUSTERS, BLOCK, ITERATIONS, REPEATS = 1000, 10_000, 10, 3


def full(rows, start):
    model = kentro.KMeans(CLUSTERS).with_euclidean(True).with_quality("fast")
    model = model.with_iterations(ITERATIONS).with_init(start)
    model.train_labels(rows, num_threads=1)
    return model


def one_pass(rows, quality):
    model = kentro.KMeans(CLUSTERS).with_euclidean(True).with_quality(quality)
    for first in range(0, len(rows), BLOCK):
        model.partial_fit(rows[first : first + BLOCK], num_threads=1)
    return model


def main():
    rng = np.random.default_rng(0)
    rows = np.load(DATA / "minilm_summaries_f16.npy").astype(np.float32)
    rows = np.ascontiguousarray(rows[rng.permutation(len(rows))])
    start = rows[rng.choice(len(rows), CLUSTERS, replace=False)]
    ways = {
        "ten iterations": lambda: full(rows, start),
        "one pass, fast": lambda: one_pass(rows, "fast"),
        "one pass, default": lambda: one_pass(rows, "default"),
    }
    seconds, inertia = dict.fromkeys(ways, float("inf")), {}
    for _ in range(REPEATS):
        for name, train in ways.items():
            begin = time.process_time()
            model = train()
            seconds[name] = min(seconds[name], time.process_time() - begin)
            inertia[name] = -model.score(rows)
    first = "ten iterations"
    for name in ways:
        more = inertia[name] / inertia[first] - 1
        share = seconds[name] / seconds[first]
        print(f"{name:<18}{seconds[name]:7.3f} s  {share:5.2f}  inertia {more:+.2%}")


if __name__ == "__main__":
    main()
