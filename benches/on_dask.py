"""kentro.dask beside training in memory and dask-ml, on a cluster of two processes.

    python benches/on_dask.py [rows] [repeats]

400,000 x 128 rows, k = 1,024, 10 iterations from the same first centroids; two workers of
one thread each. CPU seconds of all processes, and seconds by the clock; each way in turn,
the least of the repeats. In memory is one thread. Needs dask-ml for its rows; its threads
of BLAS and OpenMP are held to one a worker, as Kentro's are.
"""

import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy is loaded, and for the workers

import dask.array as da
import kentro
import numpy as np
from distributed import Client, LocalCluster, wait
from kentro.dask import KMeans

ROWS, DIMS, CLUSTERS, ITERATIONS, PARTITIONS, REPEATS = 400_000, 128, 1024, 10, 4, 3


def rows(count):
    """Overlapping clusters in directions of falling variance, as embeddings are."""
    rng = np.random.default_rng(0)
    scale = (1 / np.sqrt(1 + np.arange(DIMS) / 8)).astype(np.float32)
    centres = rng.normal(size=(3000, DIMS)).astype(np.float32)
    noise = rng.normal(size=(count, DIMS)).astype(np.float32)
    return (centres[rng.integers(3000, size=count)] + noise) * scale


def inertia_of(data, centroids):
    model = kentro.KMeans.from_centroids(np.asarray(centroids), euclidean=True)
    return -model.score(data)


def in_memory(data, start):
    model = kentro.KMeans(len(start)).with_euclidean(True).with_quality("fast")
    model = model.with_iterations(ITERATIONS).with_init(start)
    model.train_labels(data, num_threads=1)
    return model.centroids


def on_dask(array, start):
    kmeans = KMeans(CLUSTERS, init=start, max_iter=ITERATIONS, tol=0).fit(array)
    return kmeans.cluster_centers_


def seeded(array):
    kmeans = KMeans(CLUSTERS, max_iter=ITERATIONS, tol=0, random_state=0).fit(array)
    return kmeans.cluster_centers_


def dask_ml(array, start):
    from dask_ml.cluster import KMeans as Theirs

    kmeans = Theirs(CLUSTERS, init=start, max_iter=ITERATIONS, tol=0).fit(array)
    assert kmeans.n_iter_ >= ITERATIONS - 1, kmeans.n_iter_
    return kmeans.cluster_centers_


def show(best, data):
    """What each way took at the least, CPU and clock, and what came of it."""
    first = best["in memory"]
    for name, ((seconds, clock), centroids) in best.items():
        same = np.array_equal(centroids, first[1])
        share = inertia_of(data, centroids) / inertia_of(data, first[1]) - 1
        print(
            f"{name:<24}{seconds:8.1f} s CPU {seconds / first[0][0]:6.2f}  {clock:7.1f} s"
            f"  inertia {share:+.3%}{'  the same bits' if same else ''}"
        )
    print("load", os.getloadavg())


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else REPEATS
    data = rows(count)
    start = data[np.random.default_rng(1).choice(count, CLUSTERS, replace=False)]
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=None
    )
    with cluster, Client(cluster) as client:
        array = da.from_array(data, chunks=(-(-count // PARTITIONS), DIMS)).persist()
        wait(array)
        ways = {
            "in memory": lambda: in_memory(data, start),
            "kentro.dask": lambda: on_dask(array, start),
            "kentro.dask, k-means||": lambda: seeded(array),
            "dask-ml": lambda: dask_ml(array, start),
        }

        def cpu():
            return time.process_time() + sum(client.run(time.process_time).values())

        best = {}
        for repeat in range(repeats):
            for name, train in ways.items():
                if name == "dask-ml" and repeat > 0:
                    continue  # it takes long
                begin, clock = cpu(), time.monotonic()
                centroids = train()
                used = (cpu() - begin, time.monotonic() - clock)
                known = best.get(name, (used, centroids))[0]
                best[name] = (tuple(map(min, used, known)), centroids)
                print(f"  {name}: {used[0]:.1f} s CPU", flush=True)
    show(best, data)


if __name__ == "__main__":
    main()
