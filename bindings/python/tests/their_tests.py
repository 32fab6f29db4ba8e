"""A plugin of pytest: scikit-learn's tests of K-means run with Kentro's in its place.

`KENTRO_FAILED` names the file that gets the names of the tests that do not pass.
"""

import os

import numpy as np
import pytest
import sklearn.cluster

import kentro.sklearn

# Before the module of the tests imports it from there.
sklearn.cluster.KMeans = kentro.sklearn.KMeans


# Fixtures of scikit-learn's own conftest, which an installed package does not load.
@pytest.fixture
def global_random_seed():
    return 42


@pytest.fixture(params=[np.float32, np.float64])
def global_dtype(request):
    return request.param


_failed = set()


def pytest_runtest_logreport(report):
    if report.failed:
        _failed.add(report.nodeid.partition("::")[2])


def pytest_sessionfinish():
    with open(os.environ["KENTRO_FAILED"], "w", encoding="utf-8") as file:
        file.write("\n".join(sorted(_failed)))
