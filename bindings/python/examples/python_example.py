"""Everything KMeans does, one section each: python examples/python_example.py"""

import numpy as np

import kentro
from kentro import KMeans


def sample(rows, seed):
    """Points in the plane around three centres."""
    rng = np.random.default_rng(seed)
    centres = np.array([[8, 0], [-4, 7], [-4, -7]], dtype=np.float32)
    noise = rng.normal(size=(rows, 2)).astype(np.float32)
    return centres[rng.choice(3, rows, p=[0.6, 0.3, 0.1])] + noise


def section(title):
    print(f"\n{title}\n{'-' * len(title)}")


def plain(data):
    section("K-means by cosine similarity")
    kmeans = KMeans(n_clusters=3)
    clusters = kmeans.train(data)
    for cluster, members in enumerate(clusters):
        print(f"cluster {cluster}: {len(members)} points, the first are {members[:5]}")
    print(f"unit centroids:\n{kmeans.centroids}")


def euclidean(data, queries):
    section("K-means by Euclidean distance, a line an iteration")
    kmeans = KMeans(3).with_euclidean(True).with_iterations(50).with_verbose(True)
    kmeans.train(data, num_threads=2)
    print(f"{kmeans.n_iter} iterations, inertia {kmeans.inertia:.1f}")
    print(f"sizes {kmeans.cluster_sizes}, centroids:\n{kmeans.centroids}")

    section("New points to their nearest clusters")
    print(f"the nearest one:  {kmeans.assign(queries, k=1)}")
    print(f"the nearest two:  {kmeans.assign(queries, k=2)}")
    print(f"as labels:        {kmeans.predict(queries)}")


def balanced(data):
    section("Balanced: sizes differ by at most max_balance_diff")
    for limit in (1, 16, 60):
        kmeans = KMeans(3).with_euclidean(True).with_balanced(True).with_max_balance_diff(limit)
        kmeans.train(data)
        print(f"at most {limit:2}: sizes {kmeans.cluster_sizes}, inertia {kmeans.inertia:.1f}")


def medoids(data):
    section("K-medoids: centres are data points")
    kmeans = KMeans(3).with_euclidean(True).with_use_medoids(True)
    kmeans.train(data)
    for cluster, idx in enumerate(kmeans.medoid_indices):
        print(f"cluster {cluster}: medoid {idx} is {data[idx]}")
    print(f"sum of distances {kmeans.inertia:.1f}")


def start_and_stop(data):
    section("Seeds, initial centroids, progress and cancelling")
    kmeans = KMeans(3).with_euclidean(True)
    print(
        "same seed, same result:",
        kmeans.with_seed(7).train(data) == kmeans.with_seed(7).train(data),
    )

    given = kmeans.with_init([[1, 0], [0, 1], [0, -1]])
    print("labels from given centroids:", given.train_labels(data)[:10])

    def progress(p):
        print(f"after iteration {p.iteration}: {p.changed} points changed")
        return p.iteration < 2

    try:
        KMeans(3).with_init("random").with_progress(progress).train(data)
        print("converged before it was cancelled")
    except kentro.Cancelled as error:
        print(error)


def errors(data):
    section("Errors name what is wrong")
    trained = KMeans(3)
    trained.train(data)
    attempts = [
        lambda: KMeans(0),
        lambda: KMeans(len(data) + 1).train(data),
        lambda: KMeans(3).assign(data, k=1),
        lambda: trained.train(data),
        lambda: trained.assign(data[:, :1], k=1),
        lambda: KMeans(3).train(np.where(data == data[5], np.nan, data)),
    ]
    for attempt in attempts:
        try:
            attempt()
        except ValueError as error:
            print(f"{type(error).__name__}: {error}")


def main():
    print(f"kentro {kentro.__version__}")
    data, queries = sample(300, seed=0), sample(6, seed=1)
    plain(data)
    euclidean(data, queries)
    balanced(data)
    medoids(data)
    start_and_stop(data)
    errors(data)


if __name__ == "__main__":
    main()
