"""The life of a model: weights, cancelling, stopping, saving, loading, asking.

Training with weights that is cancelled from another thread, training that is
stopped and kept, saving; and in another process loading and asking for the
nearest clusters with their distances.

    python examples/lifecycle.py train MODEL
    python examples/lifecycle.py ask MODEL
"""

import sys
import threading

import numpy as np

import kentro

ROWS, COLS, NEAREST, ASKED = 2000, 8, 2, 3


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("train", "ask"):
        sys.exit("usage: lifecycle.py train|ask MODEL")
    rows, weights = make_data()
    step = train if sys.argv[1] == "train" else ask
    step(rows, weights, sys.argv[2])


def make_data():
    """Five heaps that overlap; rows of weight 0 count as if they were not there."""
    noise = np.empty(ROWS * COLS, dtype=np.float32)
    state = 1
    for i in range(noise.size):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        noise[i] = (state >> 40) / 2**24
    heaps = np.outer(np.arange(ROWS), np.arange(1, COLS + 1)) % 5
    rows = heaps.astype(np.float32) / 2 + noise.reshape(ROWS, COLS)
    return rows, np.arange(ROWS) % 4.0


def train(rows, weights, path):
    kmeans = kentro.KMeans(8).with_euclidean(True)
    kmeans = kmeans.with_n_init(1_000_000)  # longer than anybody waits

    token = kentro.CancelToken()
    threading.Timer(0.05, token.request).start()  # or in a signal handler
    try:
        kmeans.with_cancel(token).train(rows, sample_weight=weights)
    except kentro.Cancelled as error:
        print(f"trained and cancelled: {error}")

    kmeans = kmeans.with_progress(lambda now: "stop" if now.total >= 3 else None)
    kmeans.train(rows, sample_weight=weights)
    whole = np.array_equal(kmeans.labels, kmeans.predict(rows))
    print(
        f"trained and stopped: {kmeans.n_iter} iterations, inertia {kmeans.inertia:.3f},"
        f" {'a whole model' if whole else 'half a model'}"
    )

    kmeans.save(path)
    print(f"saved: {kmeans}")


def ask(rows, weights, path):
    kmeans = kentro.load(path)
    print(f"loaded: {kmeans}")

    labels, distances = kmeans.predict(rows[:ASKED], k=NEAREST, return_distances=True)
    for i in range(ASKED):
        pairs = zip(labels[i], distances[i])
        print(f"row {i}:", *(f"cluster {label} at {far:.6f}" for label, far in pairs))
    print(f"score: {kmeans.score(rows, sample_weight=weights):.3f}")


if __name__ == "__main__":
    main()
