"""Seeds, as scikit-learn's users give them."""

from __future__ import annotations

from typing import Any

import numpy as np


def seed(random_state: Any) -> int:
    """The seed that a `random_state` of scikit-learn's kinds comes to."""
    if random_state is None or random_state is np.random:
        random_state = np.random.mtrand._rand  # what np.random.seed sets
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**63))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, (int, np.integer)) and random_state >= 0:
        return int(random_state)
    raise ValueError(
        "random_state must be None, an int of at least 0, or a generator of NumPy's, "
        f"got {random_state!r}"
    )
