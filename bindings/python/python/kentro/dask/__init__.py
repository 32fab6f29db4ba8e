"""K-means over collections of Dask, which must be installed: `pip install dask distributed`.

>>> import dask.array as da
>>> from kentro.dask import KMeans
>>> X = da.random.default_rng(0).normal(size=(1000, 4), chunks=(250, 4))
>>> kmeans = KMeans(n_clusters=3, random_state=0).fit(X)
>>> kmeans.cluster_centers_.shape, kmeans.labels_.compute().shape
((3, 4), (1000,))

Blocks of rows stay with the workers that have them. With a `distributed.Client` those
are its workers, without one the threads of this process. From the same first centres or
the same seed, the result is that of training in memory with quality "fast", bit for bit,
however rows are cut.
"""

try:
    import dask.array  # noqa: F401
except ImportError as error:
    raise ImportError("kentro.dask needs Dask: pip install dask distributed") from error

from ._kmeans import KMeans

__all__ = ["KMeans"]
