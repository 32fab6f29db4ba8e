"""kentro.spark beside MLlib's K-means, on local[2], from the same first centres.

    .venv-spark/bin/python benches/on_spark.py [rows] [repeats]

100,000 x 128 rows, k = 256, 10 iterations; a cached data frame of arrays in four
partitions, vectors of MLlib's in a cached RDD for it, a .npy file for ranges of files.
CPU seconds of the driver, its JVM and the workers, and seconds by the clock; each way in
turn, the least of the repeats. `make spark` makes the environment.
"""

import os
import sys
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy is loaded, and for the workers
os.environ["PYSPARK_PYTHON"] = sys.executable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from kentro.spark import KMeans
from on_dask import DIMS, ITERATIONS, in_memory, rows, show
from pyspark.mllib.clustering import KMeans as Theirs
from pyspark.mllib.clustering import KMeansModel
from pyspark.mllib.linalg import Vectors
from pyspark.sql import SparkSession

ROWS, CLUSTERS, PARTITIONS, REPEATS = 100_000, 256, 4, 3


def cpu():
    """Of this process and all that it has started, directly or not."""
    parents, seconds = {}, {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended
        parents[name] = fields[1]
        # Of its own, and of children that have ended.
        seconds[name] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    total, own = 0.0, str(os.getpid())
    for name in parents:
        at = name
        while at in parents and at != own:
            at = parents[at]
        total += seconds[name] if at == own else 0
    return total


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else REPEATS
    data = rows(count)
    start = data[np.random.default_rng(1).choice(count, CLUSTERS, replace=False)]
    folder = tempfile.mkdtemp()
    np.save(os.path.join(folder, "rows.npy"), data)
    pieces = os.path.join(folder, "parquet")
    os.mkdir(pieces)
    for number, piece in enumerate(np.array_split(data, PARTITIONS)):
        values = pa.FixedSizeListArray.from_arrays(pa.array(piece.ravel()), DIMS)
        table = pa.table({"features": values.cast(pa.list_(pa.float32()))})
        pq.write_table(table, os.path.join(pieces, f"{number}.parquet"))
    builder = SparkSession.builder.master("local[2]").config(
        "spark.ui.enabled", "false"
    )
    spark = builder.config("spark.driver.memory", "6g").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    frame = spark.read.parquet(pieces).coalesce(PARTITIONS).cache()
    vectors = frame.rdd.map(lambda row: Vectors.dense(row[0])).cache()
    assert frame.count() == vectors.count() == count

    def ours():
        settings = {"k": CLUSTERS, "maxIter": ITERATIONS, "tol": 0.0}
        return KMeans(initialCenters=start, **settings)

    def mllib():
        model = KMeansModel(list(start.astype(np.float64)))
        found = Theirs.train(
            vectors, CLUSTERS, ITERATIONS, initialModel=model, epsilon=0.0
        )
        return found.clusterCenters

    ways = {
        "in memory": lambda: in_memory(data, start),
        "kentro.spark, frame": lambda: ours().fit(frame).clusterCenters(),
        "kentro.spark, file": lambda: ours().fitFiles(spark, folder).clusterCenters(),
        "MLlib": mllib,
    }
    best = {}
    for _ in range(repeats):
        for name, train in ways.items():
            begin, clock = cpu(), time.monotonic()
            centroids = np.asarray(train(), dtype=np.float32)
            used = (cpu() - begin, time.monotonic() - clock)
            known = best.get(name, (used, centroids))[0]
            best[name] = (tuple(map(min, used, known)), centroids)
            print(f"  {name}: {used[0]:.1f} s CPU, {used[1]:.1f} s", flush=True)
    spark.stop()
    show(best, data)


if __name__ == "__main__":
    main()
