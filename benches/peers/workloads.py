"""What is measured: data sets and workloads.

Data becomes float32 `.npy` files (sparse rows `.npz`) in a cache folder once, so
that every library reads the same bytes. `minilm`, `mnist` and `tfidf` need files
that are not part of the project (100,000 sentence embeddings of all-MiniLM-L6-v2,
20,000 MNIST digits, and the words of 60,000 short summaries); without them their
workloads are left out.
"""

import os
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("KENTRO_BENCH_DATA", ROOT / "../shared/data"))


def embeddings(n, d, seed, topics=400):
    """Unit vectors like text embeddings: low rank, clustered, anisotropic, noisy."""
    rank = max(8, min(96, d // 4))
    rng = np.random.Generator(np.random.PCG64([seed, d, topics]))
    spectrum = np.arange(1, rank + 1) ** -0.35
    spectrum *= np.sqrt(rank / (spectrum**2).sum())
    basis = np.linalg.qr(rng.standard_normal((d, rank)))[0].T * spectrum[:, None]
    centres = rng.standard_normal((topics, rank))
    weights = (np.arange(topics) + 5.0) ** -0.8
    spread = rng.uniform(0.45, 1.0, topics)
    mean = rng.standard_normal(d)
    mean *= 0.35 * np.sqrt(rank) / np.linalg.norm(mean)
    out = np.empty((n, d), np.float32)
    for start in range(0, n, 8192):
        m = min(8192, n - start)
        topic = rng.choice(topics, m, p=weights / weights.sum())
        latent = centres[topic] + spread[topic, None] * rng.standard_normal((m, rank))
        x = latent @ basis / np.sqrt(2.0) + mean
        x += rng.standard_normal((m, d)) * (0.55 * np.sqrt(rank / d))
        out[start : start + m] = x / np.linalg.norm(x, axis=1, keepdims=True)
    return out


def grid(n, side=10):
    """side x side Gaussians on a grid in the plane."""
    rng = np.random.Generator(np.random.PCG64([0, n, side]))
    cell = rng.integers(0, side * side, n)
    x = np.stack([cell % side, cell // side], 1) + rng.standard_normal((n, 2)) * 0.25
    return (x * 1000.0).astype(np.float32)


def blobs(n, d, centres):
    """Gaussians of unequal weight and spread."""
    rng = np.random.Generator(np.random.PCG64([0, n, d, centres]))
    means = rng.uniform(-10, 10, (centres, d))
    weights = rng.uniform(0.2, 1.0, centres)
    label = rng.choice(centres, n, p=weights / weights.sum())
    spread = rng.uniform(0.5, 2.0, centres)
    noise = rng.standard_normal((n, d)) * spread[label, None]
    return (means[label] + noise).astype(np.float32)


def mixture(n, d, centres, apart):
    """Gaussians of one size and spread, whose centres spread `apart` times that."""
    rng = np.random.Generator(np.random.PCG64([0, n, d, centres]))
    means = (apart * rng.standard_normal((centres, d))).astype(np.float32)
    x = means[rng.integers(0, centres, n)]
    x += rng.standard_normal((n, d), np.float32)
    return x


def copies(n, d, every):
    """Embeddings, of which one row in `every` is the same."""
    x = embeddings(n, d, seed=3)
    x[::every] = x[0]
    return x


def cities(n):
    """Points of the plane in 500 places of very different size and extent."""
    rng = np.random.Generator(np.random.PCG64([0, n]))
    weights = rng.pareto(1.2, 500) + 0.1
    place = rng.choice(500, n, p=weights / weights.sum())
    middle = rng.uniform(0, 100, (500, 2))
    extent = rng.lognormal(-1, 1, 500)
    x = middle[place] + extent[place, None] * rng.standard_normal((n, 2))
    return x.astype(np.float32)


def heavy_tails(n, d):
    rng = np.random.Generator(np.random.PCG64([0, n, d]))
    return np.exp(2 * rng.standard_normal((n, d))).astype(np.float32)


def minilm(rows=None):
    x = np.load(DATA / "minilm_summaries_f16.npy")[:rows].astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def tfidf():
    """Unit rows, 6.6 values each of 12,247 columns; without those that are empty,
    for scikit-learn's sake."""
    import scipy.sparse

    with np.load(DATA / "tfidf_summaries.npz") as file:
        values = file["data"].astype(np.float32)
        parts = values, file["indices"].astype(np.int32), file["indptr"]
        rows = scipy.sparse.csr_matrix(parts, shape=tuple(file["shape"]))
    return rows[np.diff(rows.indptr) > 0]


def texts(n, d):
    """Unit rows of 200 to 300 of d words: frequencies of Zipf, half of them moved
    about by one of 50 topics."""
    import scipy.sparse

    rng = np.random.default_rng(0)
    frequency = np.cumsum((np.arange(d) + 10.0) ** -0.9)
    frequency /= frequency[-1]
    topics = [rng.permutation(d) for _ in range(50)]
    columns, values, indptr = [], [], [0]
    for _ in range(n):
        size, topic = rng.integers(200, 301), topics[rng.integers(50)]
        drawn = np.searchsorted(frequency, rng.random(2 * size))
        drawn = np.unique(np.where(rng.random(2 * size) < 0.5, topic[drawn], drawn))
        drawn = np.sort(rng.permutation(drawn)[:size])
        weights = 1 + rng.exponential(size=len(drawn))
        columns.append(drawn.astype(np.int32))
        values.append(weights / np.linalg.norm(weights))
        indptr.append(indptr[-1] + len(drawn))
    parts = np.concatenate(values), np.concatenate(columns), np.array(indptr, np.int32)
    return scipy.sparse.csr_matrix(parts, shape=(n, d))


SPARSE = {"tfidf": tfidf, "texts": lambda: texts(20_000, 30_000)}

DATASETS = {
    "minilm": minilm,
    "minilm2k": lambda: minilm(2_000),
    "minilm10k": lambda: minilm(10_000),
    "minilm20k": lambda: minilm(20_000),
    "minilm50k": lambda: minilm(50_000),
    "mnist": lambda: np.load(DATA / "mnist_u8.npy").astype(np.float32) / 255.0,
    "emb128": lambda: embeddings(200_000, 128, seed=1),
    "emb768": lambda: embeddings(200_000, 768, seed=1),
    "emb128t": lambda: embeddings(100_000, 128, seed=2, topics=3000),
    "grid2": lambda: grid(1_000_000),
    "blobs8": lambda: blobs(1_000_000, 8, 64),
    "blobs64": lambda: blobs(1_000_000, 64, 1000),
    "noise64": lambda: mixture(1_000_000, 64, 1, apart=0),
    "mixture64": lambda: mixture(1_000_000, 64, 1000, apart=1),
    "far64": lambda: mixture(1_000_000, 64, 1000, apart=6),
    "copies64": lambda: copies(200_000, 64, every=20),
    "cities2": lambda: cities(200_000),
    "tails4": lambda: heavy_tails(50_000, 4),
    "emb64": lambda: embeddings(1_000_000, 64, seed=4, topics=1000),
    "wide32": lambda: embeddings(400_000, 32, seed=3),
    "wide256": lambda: embeddings(100_000, 256, seed=3),
    "wide1536": lambda: embeddings(40_000, 1536, seed=3),
    "wide128": lambda: embeddings(40_000, 128, seed=3),
}


def workload(
    task,
    data,
    k,
    iterations=10,
    metric="euclidean",
    threads=1,
    top=1,
    plain=False,
    batch=0,
):
    """`plain`: measured beside Kentro's own K-means without a bound on sizes.
    `batch`: rows of a call of `ask`."""
    return {
        "plain": plain,
        "task": task,
        "data": data,
        "k": k,
        "iterations": iterations,
        "metric": metric,
        "threads": threads,
        "top": top,
        **({"sparse": True} if data in SPARSE else {}),
        **({"batch": batch} if batch else {}),
    }


# task: "kmeans" equal work (given centroids, fixed iterations, labels at the end);
# "weighted" the same where rows have weights;
# "defaults" each library's own start and stopping rule; "assign" rows to given
# centroids; "ask" the same, a few rows in each call; "balanced" equal sizes; "medoids" sum of distances.
WORKLOADS = {
    "W1": workload("kmeans", "minilm", 1000),
    "W1i25": workload("kmeans", "minilm", 1000, iterations=25),
    "W1t2": workload("kmeans", "minilm", 1000, threads=2),
    "W1w": workload("weighted", "minilm", 1000),
    "W2": workload("kmeans", "minilm", 1000, metric="cosine"),
    "W3": workload("kmeans", "mnist", 100, iterations=20),
    "W3w": workload("weighted", "mnist", 100, iterations=20),
    "W4": workload("kmeans", "emb128", 1024),
    "W5": workload("kmeans", "emb768", 1024, iterations=5),
    "W5t2": workload("kmeans", "emb768", 1024, iterations=5, threads=2),
    "W6a": workload("kmeans", "grid2", 100, iterations=20),
    "W6b": workload("kmeans", "blobs8", 64, iterations=20),
    "W7": workload("kmeans", "emb128t", 10_000, iterations=5),
    "W8": workload("assign", "minilm", 4096),
    "W8k8": workload("assign", "minilm", 4096, top=8),
    "A1": workload("ask", "wide128", 1000, batch=1),
    "A1k8": workload("ask", "wide128", 1000, batch=1, top=8),
    "A64": workload("ask", "wide128", 1000, batch=64),
    "A4096": workload("ask", "wide128", 1000, batch=4096),
    "K16d32": workload("kmeans", "wide32", 16, iterations=20),
    "K16d256": workload("kmeans", "wide256", 16, iterations=20),
    "K16d1536": workload("kmeans", "wide1536", 16, iterations=20),
    "S100": workload("kmeans", "tfidf", 100),
    "S100c": workload("kmeans", "tfidf", 100, metric="cosine"),
    "S1000": workload("kmeans", "tfidf", 1000),
    "S1000c": workload("kmeans", "tfidf", 1000, metric="cosine"),
    "L100": workload("kmeans", "texts", 100),
    "L100c": workload("kmeans", "texts", 100, metric="cosine"),
    "L1000": workload("kmeans", "texts", 1000),
    "L1000c": workload("kmeans", "texts", 1000, metric="cosine"),
    "L1000i1": workload("kmeans", "texts", 1000, iterations=1),
    "W9b": workload("balanced", "minilm20k", 50),
    "P100k": workload("balanced", "minilm", 100, plain=True),
    "P1M": workload("balanced", "emb64", 1000, threads=2, plain=True),
    "P1Mnoise": workload("balanced", "noise64", 1000, threads=2, plain=True),
    "P1Mmixture": workload("balanced", "mixture64", 1000, threads=2, plain=True),
    "P1Mfar": workload("balanced", "far64", 1000, threads=2, plain=True),
    "P50k": workload("balanced", "minilm50k", 1000, plain=True),
    "P1Mblobs": workload("balanced", "blobs64", 1000, threads=2, plain=True),
    "P200kcopies": workload("balanced", "copies64", 200, plain=True),
    "P200kcities": workload("balanced", "cities2", 500, plain=True),
    "P50ktails": workload("balanced", "tails4", 200, plain=True),
    "W10b": workload("medoids", "minilm2k", 100),
    "W10d": workload("medoids", "minilm10k", 100),
    "W10e": workload("medoids", "minilm20k", 100),
    "E1": workload("defaults", "minilm", 1000),
    "E3": workload("defaults", "mnist", 100),
    "E4": workload("defaults", "emb128", 1024),
    "E6": workload("defaults", "grid2", 100),
}


def sample_weight(rows):
    """What rows weigh in weighted workloads: log-normal numbers."""
    rng = np.random.Generator(np.random.PCG64([0, rows]))
    return rng.lognormal(size=rows).astype(np.float32)


def load(path):
    """The rows of a data set."""
    if str(path).endswith(".npz"):
        import scipy.sparse

        return scipy.sparse.load_npz(path)
    return np.load(path)


def data_path(name, cache):
    """The float32 file of a data set, or None where its source is missing."""
    if name in SPARSE:
        return sparse_path(name, cache)
    path = Path(cache) / f"{name}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            x = DATASETS[name]()
        except FileNotFoundError:
            return None
        np.save(path, np.ascontiguousarray(x, np.float32))
    return path


def sparse_path(name, cache):
    path = Path(cache) / f"{name}.npz"
    if not path.exists():
        import scipy.sparse

        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            rows = SPARSE[name]()
        except FileNotFoundError:
            return None
        scipy.sparse.save_npz(path, rows.astype(np.float32))
    return path


def start_path(spec, cache):
    """k distinct random rows; to be assigned to, refined by two steps of k-means."""
    path = Path(cache) / f"start-{spec['data']}-{spec['task']}-{spec['k']}.npy"
    if not path.exists():
        x = load(data_path(spec["data"], cache))
        rng = np.random.Generator(np.random.PCG64([0, spec["k"]]))
        centroids = x[np.sort(rng.choice(x.shape[0], spec["k"], replace=False))]
        if spec.get("sparse"):
            centroids = centroids.toarray()
        if spec["task"] in ("assign", "ask"):
            from sklearn.cluster import KMeans

            model = KMeans(spec["k"], init=centroids, n_init=1, max_iter=2)
            centroids = model.fit(np.asarray(x)).cluster_centers_
        np.save(path, np.ascontiguousarray(centroids, np.float32))
    return path
