import sys
from pathlib import Path

import numpy as np
import pytest

from kentro import KMeans

# test_local_minima.py runs what benches/local_minima.py measures.
sys.path.append(str(Path(__file__).parents[3] / "benches"))


def make_blobs(rows=600, dims=8, clusters=6, seed=1, spread=0.3):
    """Rows around well separated centres of unit scale, float32."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, dims)) * 3
    noise = rng.normal(size=(rows, dims)) * spread
    return (centres[rng.integers(clusters, size=rows)] + noise).astype(np.float32)


@pytest.fixture(scope="session")
def blobs():
    data = make_blobs()
    data.setflags(write=False)
    return data


@pytest.fixture
def trained(blobs):
    kmeans = KMeans(6).with_euclidean(True)
    kmeans.train(blobs)
    return kmeans


@pytest.fixture(params=[True, False], ids=["euclidean", "cosine"])
def euclidean(request):
    return request.param
