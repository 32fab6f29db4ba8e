"""Mistakes that type checkers must find, one in each line with a mark: test_types.py."""

import numpy as np

from kentro import KMeans

data = np.zeros((9, 2), dtype=np.float32)
KMeans("3")  # mistake
KMeans(3).with_quality("high")  # mistake
KMeans(3).with_init("kmeans")  # mistake
KMeans(3).with_progress("line")  # mistake
KMeans(3).train(data, n_jobs=2)  # mistake
KMeans(3).predict(data).sums()  # mistake
print(KMeans(3).centroids.shape)  # mistake
