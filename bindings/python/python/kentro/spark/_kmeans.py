# mypy: ignore-errors
# ruff: noqa: N802, N803 - names of pyspark.ml's
"""K-means as an estimator of Spark's."""

from __future__ import annotations

from functools import partial as bind
from typing import Any, Iterable

import numpy as np
from pyspark import keyword_only
from pyspark.ml.base import Estimator, Model
from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import VectorUDT
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import (
    HasDistanceMeasure,
    HasFeaturesCol,
    HasMaxIter,
    HasPredictionCol,
    HasSeed,
    HasTol,
    HasWeightCol,
)
from pyspark.sql import functions
from pyspark.sql.types import DoubleType, IntegerType, LongType

from .. import KMeans as InMemory
from .._rounds import METRICS, Settings, Trained, train, wide
from ._parts import Spilled, of_files

# Numbers that may have digits that float32 has not.
_WIDE = (DoubleType(), IntegerType(), LongType())


class _Common(HasFeaturesCol, HasPredictionCol, HasDistanceMeasure):
    def _vectors(self, dataset: Any, wide: bool) -> tuple[Any, bool]:
        """The column of features as arrays of numbers, and whether these are wide.

        They are float32, unless they are wide and may be.
        """
        name = self.getFeaturesCol()
        kind = dataset.schema[name].dataType
        if isinstance(kind, VectorUDT):
            return vector_to_array(name, "float64" if wide else "float32"), wide
        wide = wide and getattr(kind, "elementType", None) in _WIDE
        return functions.col(name) if wide else functions.col(name).cast("array<float>"), wide


class KMeans(Estimator, _Common, HasMaxIter, HasTol, HasSeed, HasWeightCol):
    """K-means: the parameters of `pyspark.ml.clustering.KMeans`.

    The column of features holds vectors of `pyspark.ml` or arrays of numbers, and is read as
    float32, wide numbers far from 0 less an offset. `tol`: stop when an iteration lowers the
    cost by less than the fraction `tol / (k * n_features)`; 0: when no label changes.
    `initialCenters`: an array of k x n_features; without it k-means|| draws them. `progress`: a
    callable that gets a `kentro.Progress`, and cancels by returning False, or "bar"; `cancel`:
    a `kentro.CancelToken`.

    `fit` reads a data frame once, and writes its vectors to the temporary
    folder of each executor for as long as it lasts; `fitFiles` has executors read
    ranges of .npy or .parquet files.
    """

    k: Param[int] = Param(
        Params._dummy(),  # type: ignore[no-untyped-call, unused-ignore]
        "k",
        "The number of clusters to create. Must be > 0.",
        typeConverter=TypeConverters.toInt,
    )

    @keyword_only
    def __init__(
        self,
        *,
        featuresCol: str = "features",
        predictionCol: str = "prediction",
        k: int = 2,
        tol: float = 1e-4,
        maxIter: int = 20,
        seed: int | None = None,
        distanceMeasure: str = "euclidean",
        weightCol: str | None = None,
        initialCenters: Any = None,
        progress: Any = None,
        cancel: Any = None,
    ) -> None:
        super().__init__()
        self._setDefault(k=2, tol=1e-4, maxIter=20, distanceMeasure="euclidean")
        given = dict(self._input_kwargs)
        self.initialCenters = given.pop("initialCenters", None)
        self.progress = given.pop("progress", None)
        self.cancel = given.pop("cancel", None)
        self._set(**given)

    def setParams(self, **params: Any) -> KMeans:
        """Set parameters by name."""
        for name in ("initialCenters", "progress", "cancel"):
            if name in params:
                setattr(self, name, params.pop(name))
        self._set(**params)
        return self

    def getK(self) -> int:
        """Return the number of clusters."""
        number: int = self.getOrDefault(self.k)
        return number

    def _setting(self, **params: Any) -> KMeans:
        self._set(**params)
        return self

    def setK(self, value: int) -> KMeans:
        """Set the number of clusters."""
        return self._setting(k=value)

    def setMaxIter(self, value: int) -> KMeans:
        """Set the most iterations."""
        return self._setting(maxIter=value)

    def setTol(self, value: float) -> KMeans:
        """Set when to stop."""
        return self._setting(tol=value)

    def setSeed(self, value: int) -> KMeans:
        """Set the seed."""
        return self._setting(seed=value)

    def setDistanceMeasure(self, value: str) -> KMeans:
        """Set "euclidean" or "cosine"."""
        return self._setting(distanceMeasure=value)

    def setWeightCol(self, value: str) -> KMeans:
        """Set the column of weights."""
        return self._setting(weightCol=value)

    def setFeaturesCol(self, value: str) -> KMeans:
        """Set the column of vectors."""
        return self._setting(featuresCol=value)

    def setPredictionCol(self, value: str) -> KMeans:
        """Set the column that gets clusters."""
        return self._setting(predictionCol=value)

    def _weight(self) -> str:
        return self.getWeightCol() if self.isDefined(self.weightCol) else ""

    def _fit(self, dataset: Any) -> KMeansModel:
        vectors, is_wide = self._vectors(dataset, wide=self._euclidean())
        weight = self._weight()
        columns = [vectors.alias("features")]
        if weight:
            columns.append(functions.col(weight).cast("double").alias("weight"))
        frame = dataset.select(*columns)
        first = frame.select(functions.size("features")).first()
        if first is None:
            raise ValueError("the data frame has no rows; pass some")
        connect = bind(Spilled, frame, bool(weight), self._euclidean(), is_wide)
        return self._train(connect, first[0])

    def fitFiles(self, spark: Any, paths: str | Iterable[str]) -> KMeansModel:
        """Cluster the rows of .npy files, or those of `featuresCol` in .parquet files.

        `paths`: files in the order of their rows, or a folder of them, which all executors
        can read under these names. Executors read ranges of rows or of groups of rows.
        """
        from ._parts import ranges
        from ._tasks import read

        column, weight = self.getFeaturesCol(), self._weight()
        place = ranges(paths, column, weight, 1)[0]
        one = place._replace(last=min(place.first + 1, place.last))
        rows = read(one)[0]
        euclidean = self._euclidean()
        connect = bind(of_files, spark, paths, column, weight, euclidean, wide(rows.dtype))
        return self._train(connect, rows.shape[1])

    def _euclidean(self) -> bool:
        return METRICS.get(self.getDistanceMeasure(), True)

    def _train(self, connect: Any, n_features: int) -> KMeansModel:
        init = "k-means||" if self.initialCenters is None else self.initialCenters
        settings = Settings(
            n_clusters=self.getK(),
            metric=self.getDistanceMeasure(),
            init=init if isinstance(init, str) else np.asarray(init),
            max_iter=self.getMaxIter(),
            tolerance=self.getTol() / max(1, self.getK() * n_features),
            seed=self.getSeed() % 2**64,
        )
        settings.check()
        opened = []

        def open_parts(watch: Any) -> Any:
            opened.append(connect(watch))
            return opened[0]

        try:
            trained = train(open_parts, settings, self.progress, self.cancel)
        finally:
            for parts in opened:
                parts.close()
        model: KMeansModel = self._copyValues(KMeansModel(trained))
        return model


class KMeansModel(Model, _Common):
    """What `KMeans.fit` returns."""

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self._trained = trained

    def clusterCenters(self) -> list[np.ndarray]:
        """Return the centres: float64 where wide numbers far from 0 lost an offset."""
        return list(self._trained.places)

    @property
    def trainingCost(self) -> float:
        """The sum of weighted distances to the nearest centre: squared, or 1 - cosine."""
        return self._trained.inertia

    @property
    def numIter(self) -> int:
        """How many iterations there were."""
        return self._trained.n_iter

    @property
    def model(self) -> InMemory:
        """The `kentro.KMeans` of these centres, which saves itself."""
        return self._trained.model(METRICS[self.getDistanceMeasure()])

    def predict(self, value: Any) -> int:
        """Return the cluster of one vector."""
        rows = np.asarray(value, dtype=self._trained.places.dtype).reshape(1, -1)
        return int(self.model.predict(rows)[0])

    def _transform(self, dataset: Any) -> Any:
        import pandas as pd

        trained, euclidean = self._trained, METRICS[self.getDistanceMeasure()]
        vectors, is_wide = self._vectors(dataset, wide=trained.offset is not None)

        def label(vectors: Any) -> Any:
            rows = np.stack(vectors.to_numpy()) if len(vectors) else None
            if rows is None:
                return pd.Series([], dtype="int32")
            rows = rows if is_wide else rows.astype(np.float32)
            return pd.Series(trained.model(euclidean).predict(rows).view(np.int32))

        # Spark looks at types, which annotations here are not.
        label.__annotations__ = {"vectors": pd.Series, "return": pd.Series}
        labels = functions.pandas_udf(label, "int")
        return dataset.withColumn(self.getPredictionCol(), labels(vectors))
