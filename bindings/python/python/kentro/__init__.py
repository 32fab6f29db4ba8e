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

import sys as _sys

from ._amx import allow_amx
from ._blocks import Block, Partial, Update
from ._errors import Cancelled, KMeansError, KMeansWarning
from ._judging import Silhouette, SweepStep, silhouette, sweep
from ._kmeans import KMeans, load
from ._library import version as __version__
from ._run import CancelToken, Progress
from ._seeding import Seeding
from ._threads import get_num_threads, set_num_threads

if "threadpoolctl" in _sys.modules:
    from . import _threadpool  # noqa: F401

__all__ = [
    "Block",
    "CancelToken",
    "Cancelled",
    "KMeans",
    "KMeansError",
    "KMeansWarning",
    "Partial",
    "Progress",
    "Seeding",
    "Silhouette",
    "SweepStep",
    "Update",
    "__version__",
    "allow_amx",
    "get_num_threads",
    "load",
    "set_num_threads",
    "silhouette",
    "sweep",
]
