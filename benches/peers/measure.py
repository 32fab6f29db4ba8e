"""The measured process: one library, one workload, once.

Reads the request as JSON from standard input and prints the result as JSON.
Imports, reading the data and a warm-up on a few rows are outside the clock.
"""

import json
import os
import sys
import time


def peak_mib():
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmHWM"].split()[0]) / 1024


def inertia(x, centroids, labels, metric, weights=None):
    """Scored in float64, the same way for every library."""
    import numpy as np

    total = 0.0
    centroids = np.asarray(centroids)
    step = max(1, min(4096, 2**23 // x.shape[1]))
    for start in range(0, x.shape[0], step):
        rows = x[start : start + step].astype(np.float64)
        rows = rows if isinstance(rows, np.ndarray) else rows.toarray()
        own = centroids[labels[start : start + step]].astype(np.float64)
        if metric == "cosine":
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            own = own / np.linalg.norm(own, axis=1, keepdims=True)
            total += len(rows) - float((rows * own).sum())
        else:
            squares = ((rows - own) ** 2).sum(1)
            if weights is not None:
                squares *= weights[start : start + step]
            total += float(squares.sum())
    return total


def score(x, result, spec):
    import numpy as np

    if "medoids" in result:
        medoids = x[result["medoids"]].astype(np.float64)
        total = 0.0
        for start in range(0, len(x), 2048):
            rows = x[start : start + 2048].astype(np.float64)
            squared = (rows**2).sum(1)[:, None] - 2 * rows @ medoids.T
            squared += (medoids**2).sum(1)
            total += float(np.sqrt(np.maximum(squared.min(1), 0)).sum())
        return {"inertia": total}
    labels = result["labels"]
    if spec["task"] == "balanced":
        sizes = np.bincount(labels, minlength=spec["k"])
        sums = np.zeros((spec["k"], x.shape[1]))
        np.add.at(sums, labels, x)
        means = sums / np.maximum(sizes, 1)[:, None]
        spread = int(sizes.max() - sizes.min())
        return {"inertia": inertia(x, means, labels, "euclidean"), "spread": spread}
    weights = None
    if spec["task"] == "weighted":
        from workloads import sample_weight

        weights = sample_weight(len(x)).astype(np.float64)
    centroids = result["centroids"]
    return {"inertia": inertia(x, centroids, labels, spec["metric"], weights)}


def main():
    request = json.load(sys.stdin)
    reply = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    spec = request["spec"]
    os.sched_setaffinity(0, request["cpus"])

    import numpy as np
    from libraries import LIBRARIES
    from workloads import load

    library = LIBRARIES[request["library"]]()
    for module in library.modules:
        __import__(module)
    if hasattr(library, "prepare"):
        library.prepare(spec)
    x = load(request["data"])
    start = np.load(request["start"]) if request["start"] else None

    if hasattr(library, "kmeans"):
        few, first = x[:512], x[:16]
        first = first.toarray() if spec.get("sparse") else first.copy()
        library.kmeans(few, first, {**spec, "k": 16, "iterations": 2})
    if spec["task"] in ("assign", "ask") and hasattr(library, "prepare_assign"):
        library.prepare_assign(x, start, spec)

    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")  # resets the peak
    before = peak_mib()
    task = getattr(library, spec["task"])
    arguments = (x, spec) if spec["task"] == "defaults" else (x, start, spec)
    cpu, own, wall = time.process_time(), time.thread_time(), time.perf_counter()
    result = task(*arguments)
    out = {
        "cpu": time.process_time() - cpu,
        "caller": time.thread_time() - own,
        "wall": time.perf_counter() - wall,
        "extra_mib": peak_mib() - before,
    }
    if result is not None:
        out.update(score(x, result, spec))
    os.write(reply, json.dumps(out).encode())


if __name__ == "__main__":
    main()
