"""Kentro's algorithms as estimators of scikit-learn, which must be installed (from 1.6).

>>> import numpy as np
>>> from kentro.sklearn import KMeans
>>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
>>> kmeans = KMeans(n_clusters=2, random_state=0).fit(X)
>>> kmeans.predict([[0, 0], [12, 3]]).tolist() == kmeans.labels_[[0, 3]].tolist()
True

They take the parameters, have the attributes and follow the conventions of
`sklearn.cluster`: the distance is Euclidean unless `metric="cosine"`, `transform` gives
distances that are not squared, and `random_state=None` is another seed each time.
Importing this module has threadpoolctl list and limit Kentro's threads.
"""

try:
    from sklearn.utils.validation import validate_data  # noqa: F401 - there from 1.6
except ImportError as error:
    raise ImportError(
        "kentro.sklearn needs scikit-learn 1.6 or later: pip install 'scikit-learn>=1.6'"
    ) from error

from .. import _threadpool  # noqa: F401
from ._balanced import BalancedKMeans
from ._kmeans import KMeans
from ._medoids import KMedoids
from ._mini_batch import MiniBatchKMeans

__all__ = ["BalancedKMeans", "KMeans", "KMedoids", "MiniBatchKMeans"]
