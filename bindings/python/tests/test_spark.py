"""kentro.spark: the bits of training in memory. `make spark` runs it."""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import kentro

pytest.importorskip("pyspark")

from kentro import spark as ks


def rows(seed, n=3000, dims=8):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 6, (12, dims))
    return (centres[rng.integers(12, size=n)] + rng.normal(size=(n, dims))).astype(np.float32)


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[2]").appName("kentro")
    for key, value in {
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "3",
    }.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


def frame(spark, data, partitions, weights=None, vectors=False, kind="float"):
    """In order: each partition a range of the rows."""
    from pyspark.ml.linalg import Vectors

    def cell(row):
        return Vectors.dense(row) if vectors else row

    weights = np.ones(len(data)) if weights is None else weights
    cells = [
        (cell(row.tolist()), float(weight)) for row, weight in zip(data, weights, strict=True)
    ]
    rdd = spark.sparkContext.parallelize(cells, partitions)
    schema = None if vectors else f"features array<{kind}>, weight double"
    return spark.createDataFrame(rdd, schema or ["features", "weight"])


def in_memory(data, k, init, iterations, weights=None, euclidean=True):
    model = kentro.KMeans(k).with_euclidean(euclidean).with_init(init).with_quality("fast")
    model = model.with_iterations(iterations).with_seed(3)
    model.train_labels(data, sample_weight=weights)
    return model


def check(model, memory):
    assert np.array_equal(np.array(model.clusterCenters()), memory.centroids_f64)
    assert model.trainingCost == memory.inertia
    assert model.numIter == memory.n_iter


def predictions(model, data):
    return [row["prediction"] for row in model.transform(data).select("prediction").collect()]


def test_the_bits_of_memory(spark):
    data = rows(1)
    weights = np.random.default_rng(2).random(len(data))
    for partitions, vectors, own in [(1, False, None), (3, True, weights)]:
        table = frame(spark, data, partitions, own, vectors)
        for measure in ("euclidean", "cosine"):
            start = data[5:20] if vectors else None
            kmeans = ks.KMeans(k=15, maxIter=4, tol=0.0, seed=3, distanceMeasure=measure)
            kmeans.setParams(initialCenters=start)
            if own is not None:
                kmeans.setWeightCol("weight")
            model = kmeans.fit(table)
            euclidean = measure == "euclidean"
            init = "k-means||" if start is None else start
            memory = in_memory(data, 15, init, 4, own, euclidean)
            check(model, memory)
            assert predictions(model, table) == memory.labels.tolist()
            assert model.predict(data[0]) == memory.labels[0]


def far(seed, n):
    data = rows(seed, n).astype(np.float64) / 64 + 3e9
    data[: n // 3] = data[0]  # partitions that lose an offset by themselves
    return data


@pytest.mark.parametrize("near", [False, True])
def test_wide_numbers_far_from_0(spark, tmp_path, near):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    data = far(11, 900)
    if near:
        data = (data - 3e9) / 3
    weights = np.random.default_rng(2).integers(0, 3, size=900).astype(float)
    kmeans = ks.KMeans(k=9, maxIter=4, tol=0.0, seed=3, weightCol="weight")
    memory = in_memory(data, 9, "k-means||", 4, weights)
    assert (memory.offset is None) == near
    for partitions, vectors in [(1, True), (4, True), (3, False)]:
        table = frame(spark, data, partitions, weights, vectors, "double")
        model = kmeans.fit(table)
        check(model, memory)
        assert predictions(model, table) == memory.labels.tolist()
        assert model.predict(data[5]) == memory.labels[5]
    for name, piece in zip("ab", np.split(np.arange(900), [350]), strict=True):
        np.save(tmp_path / f"{name}.npy", data[piece])
        columns = {"features": list(data[piece]), "weight": weights[piece]}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet", row_group_size=80)
    check(kmeans.fitFiles(spark, sorted(map(str, tmp_path.glob("*.parquet")))), memory)
    start = data[-9:]
    kmeans = ks.KMeans(k=9, maxIter=4, tol=0.0, initialCenters=start)
    files = sorted(map(str, tmp_path.glob("*.npy")))
    check(kmeans.fitFiles(spark, files), in_memory(data, 9, start, 4))
    ids = (data * 640).astype(np.int64)
    table = frame(spark, ids, 3, kind="long")
    kmeans.setParams(initialCenters=ids[-9:])
    check(kmeans.fit(table), in_memory(ids, 9, ids[-9:], 4))


def test_first_centres_do_not_depend_on_partitions(spark):
    data = rows(4, n=2500)
    kmeans = ks.KMeans(k=10, maxIter=3, tol=0.0, seed=3)
    memory = in_memory(data, 10, "k-means||", 3)
    for count in (1, 4):
        check(kmeans.fit(frame(spark, data, count)), memory)


def test_clusters_that_are_empty_in_the_end(spark):
    data = np.repeat(rows(12, n=40), 10, axis=0)
    far = data[:20] + 1000 * np.arange(20, dtype=np.float32)[:, None]
    kmeans = ks.KMeans(k=20, maxIter=1, tol=0.0, initialCenters=far)
    check(kmeans.fit(frame(spark, data, 3)), in_memory(data, 20, far, 1))


def test_ranges_of_files(spark, tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    data = rows(5)
    weights = np.random.default_rng(6).random(len(data))
    for name, piece in zip("ab", np.split(np.arange(3000), [1000]), strict=True):
        np.save(tmp_path / f"{name}.npy", data[piece])
        columns = {"x": list(data[piece]), "w": weights[piece]}
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=300)
    arrays = [str(tmp_path / f"{name}.npy") for name in "ab"]
    kmeans = ks.KMeans(k=15, maxIter=4, tol=0.0, initialCenters=data[:15])
    check(kmeans.fitFiles(spark, arrays), in_memory(data, 15, data[:15], 4))
    tables = [str(tmp_path / f"{name}.parquet") for name in "ab"]
    kmeans = kmeans.setParams(featuresCol="x", weightCol="w")
    check(kmeans.fitFiles(spark, tables), in_memory(data, 15, data[:15], 4, weights))
    with pytest.raises(ValueError, match=r"weightCol is for \.parquet"):
        kmeans.fitFiles(spark, arrays)
    with pytest.raises(ValueError, match=r"must be a \.npy or \.parquet"):
        kmeans.fitFiles(spark, [__file__])


def test_pipelines_progress_and_errors(spark):
    from pyspark.ml import Pipeline

    data = rows(7, n=200)
    table = frame(spark, data, 2)
    seen = []
    kmeans = ks.KMeans(k=3, seed=1, progress=seen.append)
    model = Pipeline(stages=[kmeans]).fit(table)
    assert len(predictions(model, table)) == 200
    assert seen[0].phase == "seeding"
    assert seen[-1].phase == "labelling"
    assert kmeans.getK() == 3
    assert kmeans.setK(4).setMaxIter(2).setTol(0.0).setSeed(2).fit(table).numIter <= 2
    token = kentro.CancelToken()
    token.request()
    for parameters, error, text in [
        ({"cancel": token}, kentro.Cancelled, "token"),
        ({"progress": lambda p: False, "cancel": None}, kentro.Cancelled, "callback"),
        ({"progress": None, "distanceMeasure": "l1"}, ValueError, "metric must be one of"),
        ({"distanceMeasure": "euclidean", "k": 201}, ValueError, "201"),
    ]:
        with pytest.raises(error, match=text):
            kmeans.setParams(**parameters).fit(table)
    with pytest.raises(ValueError, match="no rows"):
        kmeans.fit(table.limit(0))


def test_the_recipe_of_the_manual(spark):
    """Last: it stops the session."""
    page = Path(__file__).parents[3] / "docs/spark.md"
    if not page.exists():
        pytest.skip("not in the source tree")
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert len(blocks) == 2
    names = {}
    for code in blocks:
        exec(code, names)
