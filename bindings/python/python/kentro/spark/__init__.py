# mypy: disable-error-code="import-not-found,import-untyped"
"""K-means over data frames of Spark: `pip install pyspark pandas pyarrow`.

`KMeans` has the parameters of `pyspark.ml.clustering.KMeans`, and fits into pipelines.
From the same first centres or the same seed, the result is that of training in memory
with quality "fast", bit for bit, however rows are cut.
"""

try:
    import pyspark.ml  # noqa: F401
except ImportError as error:
    raise ImportError("kentro.spark needs Spark: pip install pyspark pandas pyarrow") from error

from ._kmeans import KMeans, KMeansModel

__all__ = ["KMeans", "KMeansModel"]
