"""K-means, balanced K-means and K-medoids: exact, deterministic, fast.

>>> import numpy as np
>>> from kentro import KMeans
>>> data = np.array([[1, 0], [9, 1], [0, 1], [1, 9]], dtype=np.float32)
>>> kmeans = KMeans(2)
>>> kmeans.train(data)
[[0, 1], [2, 3]]
>>> kmeans.assign([[5, 0]])
[[0], []]
"""

from ._errors import Cancelled, KMeansError, KMeansWarning
from ._kmeans import KMeans, load
from ._library import version as __version__
from ._run import CancelToken, Progress

__all__ = [
    "CancelToken",
    "Cancelled",
    "KMeans",
    "KMeansError",
    "KMeansWarning",
    "Progress",
    "__version__",
    "load",
]
