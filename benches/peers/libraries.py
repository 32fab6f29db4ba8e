"""One small adapter per library: the same six tasks through its own API.

A method that a library does not have means that it is left out of that task.
`sparse` is true where it takes sparse rows.
`given_start` is false where a library takes no initial centroids.
"""

import warnings
from pathlib import Path

import numpy as np
from workloads import sample_weight

warnings.simplefilter("ignore")


#: The kernels that OpenBLAS is told to use: the widest that the CPU has.
OPENBLAS_CORE = (
    "SkylakeX" if " avx512f " in Path("/proc/cpuinfo").read_text() else "Haswell"
)


def batches(x, spec):
    return (
        x[first : first + spec["batch"]] for first in range(0, len(x), spec["batch"])
    )


class Kentro:
    modules = ("kentro",)
    sparse = True
    given_start = True
    metrics = ("euclidean", "cosine")

    def model(self, spec):
        import kentro

        model = kentro.KMeans(spec["k"]).with_euclidean(spec["metric"] == "euclidean")
        return model.with_iterations(spec["iterations"])

    def kmeans(self, x, start, spec):
        model = self.model(spec).with_init(start)
        labels = model.train_labels(x, num_threads=spec["threads"])
        return {"centroids": model.centroids, "labels": labels}

    def weighted(self, x, start, spec):
        model = self.model(spec).with_init(start)
        weights = sample_weight(len(x))
        labels = model.train_labels(
            x, num_threads=spec["threads"], sample_weight=weights
        )
        return {"centroids": model.centroids, "labels": labels}

    def defaults(self, x, spec):
        model = self.model({**spec, "iterations": 25})
        labels = model.train_labels(x, num_threads=spec["threads"])
        return {"centroids": model.centroids, "labels": labels}

    def prepare_assign(self, x, start, spec):
        self.trained = self.model({**spec, "iterations": 1}).with_init(start)
        self.trained.train(np.repeat(start, 2, axis=0), num_threads=spec["threads"])

    def assign(self, x, start, spec):
        self.trained.predict(x, k=spec["top"], num_threads=spec["threads"])

    def ask(self, x, start, spec):
        for rows in batches(x, spec):
            self.trained.predict(rows, k=spec["top"], num_threads=spec["threads"])

    def balanced(self, x, start, spec):
        model = self.model(spec).with_init(start).with_balanced(True)
        return {"labels": model.train_labels(x, num_threads=spec["threads"])}

    def medoids(self, x, start, spec):
        model = self.model(spec).with_use_medoids(True)
        model.train_labels(x, num_threads=spec["threads"])
        return {"medoids": np.asarray(model.medoid_indices)}


class PlainKentro(Kentro):
    """What a balanced run is compared with: the same without a bound on sizes."""

    def balanced(self, x, start, spec):
        labels = (
            self.model(spec)
            .with_init(start)
            .train_labels(x, num_threads=spec["threads"])
        )
        return {"labels": labels}


class ScikitLearn:
    modules = ("sklearn.cluster",)
    sparse = True
    given_start = True
    metrics = ("euclidean",)

    def kmeans_class(self):
        from sklearn.cluster import KMeans

        return KMeans

    def neighbours_class(self):
        from sklearn.neighbors import NearestNeighbors

        return NearestNeighbors

    def kmeans(self, x, start, spec):
        model = self.kmeans_class()(
            spec["k"], init=start, n_init=1, max_iter=spec["iterations"], tol=0.0
        ).fit(x)
        return {"centroids": model.cluster_centers_, "labels": model.labels_}

    def weighted(self, x, start, spec):
        model = self.kmeans_class()(
            spec["k"], init=start, n_init=1, max_iter=spec["iterations"], tol=0.0
        ).fit(x, sample_weight=sample_weight(len(x)))
        return {"centroids": model.cluster_centers_, "labels": model.labels_}

    def defaults(self, x, spec):
        model = self.kmeans_class()(spec["k"], random_state=0).fit(x)
        return {"centroids": model.cluster_centers_, "labels": model.labels_}

    def prepare_assign(self, x, start, spec):
        model = self.kmeans_class()(spec["k"], init=start, n_init=1, max_iter=1)
        self.trained = model.fit(np.repeat(start, 2, axis=0))

    def assign(self, x, start, spec):
        if spec["top"] == 1:
            self.trained.predict(x)
        else:
            index = self.neighbours_class()(n_neighbors=spec["top"], algorithm="brute")
            index.fit(start).kneighbors(x, return_distance=False)


class ScikitLearnUnit(ScikitLearn):
    """Its Euclidean K-means on unit rows, beside Kentro's with cosine."""

    metrics = ("cosine",)
    dense = False


class OneDal(ScikitLearn):
    modules = ("sklearnex", "daal4py")
    sparse = False

    def prepare(self, spec):
        import daal4py

        daal4py.daalinit(spec["threads"])

    def kmeans_class(self):
        from sklearnex.cluster import KMeans

        return KMeans

    def neighbours_class(self):
        from sklearnex.neighbors import NearestNeighbors

        return NearestNeighbors


class Faiss:
    """faiss-cpu's bundled OpenBLAS picks an old kernel on CPUs that it does
    not know, so it is told to use the AVX-512 or AVX2 one."""

    modules = ("faiss",)
    environment = (("OPENBLAS_CORETYPE", OPENBLAS_CORE),)
    given_start = True
    metrics = ("euclidean", "cosine")

    def prepare(self, spec):
        import faiss

        faiss.omp_set_num_threads(spec["threads"])

    def kmeans(self, x, start, spec):
        import faiss

        model = faiss.Kmeans(
            x.shape[1],
            spec["k"],
            niter=spec["iterations"],
            spherical=spec["metric"] == "cosine",
            max_points_per_centroid=10**9,
            min_points_per_centroid=1,
        )
        model.train(x, init_centroids=start)
        labels = model.index.search(x, 1)[1][:, 0]
        return {"centroids": model.centroids, "labels": labels}

    def defaults(self, x, spec):
        import faiss

        model = faiss.Kmeans(
            x.shape[1], spec["k"], spherical=spec["metric"] == "cosine"
        )
        model.train(x)
        labels = model.index.search(x, 1)[1][:, 0]
        return {"centroids": model.centroids, "labels": labels}

    def prepare_assign(self, x, start, spec):
        import faiss

        self.index = faiss.IndexFlatL2(x.shape[1])
        self.index.add(start)

    def assign(self, x, start, spec):
        self.index.search(x, spec["top"])

    def ask(self, x, start, spec):
        for rows in batches(x, spec):
            self.index.search(rows, spec["top"])


class FaissAvx2(Faiss):
    environment = (("OPENBLAS_CORETYPE", "Haswell"),)


class FaissMkl(Faiss):
    environment = (
        ("LD_PRELOAD", "{prefix}/lib/libmkl_rt.so.3"),
        ("MKL_THREADING_LAYER", "GNU"),
    )


class SuperKMeans:
    """Flat, without sampling or early stop: the same work as the others."""

    modules = ("superkmeans",)
    given_start = False
    metrics = ("euclidean", "cosine")

    def kmeans(self, x, start, spec):
        import superkmeans

        model = superkmeans.SuperKMeans(
            spec["k"],
            x.shape[1],
            hierarchical=False,
            iters=spec["iterations"],
            sampling_fraction=1.0,
            max_points_per_cluster=2**30,
            n_threads=spec["threads"],
            early_termination=False,
            angular=spec["metric"] == "cosine",
        )
        centroids = model.train(x)
        return {"centroids": centroids, "labels": model.assign(x, centroids)}

    def defaults(self, x, spec):
        import superkmeans

        model = superkmeans.SuperKMeans(
            spec["k"], x.shape[1], n_threads=spec["threads"]
        )
        centroids = model.train(x)
        return {"centroids": centroids, "labels": model.assign(x, centroids)}


class KMeansConstrained:
    modules = ("k_means_constrained",)
    given_start = True
    metrics = ("euclidean",)

    def balanced(self, x, start, spec):
        from k_means_constrained import KMeansConstrained

        size = len(x) // spec["k"]
        model = KMeansConstrained(
            spec["k"],
            size_min=size,
            size_max=-(-len(x) // spec["k"]),
            init=start.astype(np.float64),
            n_init=1,
            max_iter=spec["iterations"],
            n_jobs=spec["threads"],
        ).fit(x)
        return {"labels": model.labels_}


class KMedoids:
    modules = ("kmedoids",)
    given_start = True
    metrics = ("euclidean",)

    def medoids(self, x, start, spec):
        import kmedoids
        from sklearn.metrics import pairwise_distances

        distances = pairwise_distances(x)
        result = kmedoids.fasterpam(
            distances, spec["k"], random_state=0, n_cpu=spec["threads"]
        )
        return {"medoids": result.medoids}


LIBRARIES = {
    "kentro": Kentro,
    "kentro-plain": PlainKentro,
    "scikit-learn": ScikitLearn,
    "scikit-learn-unit": ScikitLearnUnit,
    "oneDAL": OneDal,
    "faiss": Faiss,
    "faiss-mkl": FaissMkl,
    "faiss-avx2": FaissAvx2,
    "SuperKMeans": SuperKMeans,
    "k-means-constrained": KMeansConstrained,
    "kmedoids": KMedoids,
}
