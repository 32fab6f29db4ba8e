"""The commands do what the package does, and say what is wrong with the command line."""

import json

import numpy as np
import pytest

import kentro
from kentro import KMeans
from kentro._cli import source as source_module
from kentro._cli.gather import sample
from kentro._cli.progress import Display
from kentro._cli.source import Source


@pytest.fixture
def data(tmp_path, blobs):
    np.save(tmp_path / "rows.npy", blobs)
    return tmp_path / "rows.npy"


@pytest.fixture
def model_path(data, tmp_path):
    return tmp_path / "model.safetensors"


def same(path, kmeans):
    """Whether the model in a file is `kmeans`."""
    return kentro.load(path).to_bytes(labels=False) == kmeans.to_bytes(labels=False)


@pytest.mark.parametrize(
    ("options", "configure"),
    [
        ("", lambda m: m),
        ("--metric euclidean --seed 7", lambda m: m.with_euclidean(True).with_seed(7)),
        ("--iterations 2 --tolerance 0.5", lambda m: m.with_iterations(2).with_tolerance(0.5)),
        ("--init random --n-init 3", lambda m: m.with_init("random").with_n_init(3)),
        ("--quality best", lambda m: m.with_quality("best")),
        ("--balanced", lambda m: m.with_balanced(True)),
        (
            "--max-balance-diff 3",
            lambda m: m.with_max_balance_diff(3).with_balanced(True),
        ),
        ("--min-size 90 --max-size 110", lambda m: m.with_size_bounds(90, 110)),
        (
            "--medoids --metric euclidean",
            lambda m: m.with_use_medoids(True).with_euclidean(True),
        ),
        ("--memory 1G --threads 1", lambda m: m.with_memory_limit(10**9)),
    ],
)
def test_fit_is_what_the_package_does(cli, data, model_path, blobs, options, configure):
    labels = data.with_name("labels.npy")
    cli.run("fit", data, "-k", 6, *options.split(), "-o", model_path, "--labels", labels)
    kmeans = configure(KMeans(6))
    expected = kmeans.train_labels(blobs)
    assert same(model_path, kmeans)
    np.testing.assert_array_equal(np.load(labels), expected)
    assert kentro.load(model_path).labels is None


def test_min_size_alone(cli, data, model_path):
    cli.run("fit", data, "-k", 6, "--min-size", 99, "-o", model_path)
    assert min(kentro.load(model_path).cluster_sizes) >= 99
    cli.run("fit", data, "-k", 6, "--max-size", 101, "-o", model_path)
    assert max(kentro.load(model_path).cluster_sizes) <= 101


def test_fit_with_json_and_labels_in_the_model(cli, data, model_path, blobs):
    out = cli.run("fit", data, "-k", 6, "--json", "--keep-labels", "-o", model_path)
    found = json.loads(out)
    kmeans = KMeans(6)
    labels = kmeans.train_labels(blobs)
    assert found.pop("seconds") > 0
    assert found == {
        "model": str(model_path),
        "n_points": 600,
        "n_dimensions": 8,
        "n_clusters": 6,
        "metric": "cosine",
        "inertia": kmeans.inertia,
        "n_iter": kmeans.n_iter,
        "balance_gap": None,
        "cluster_sizes": kmeans.cluster_sizes.tolist(),
        "medoid_indices": None,
        "info": None,
        "warnings": [],
    }
    np.testing.assert_array_equal(kentro.load(model_path).labels, labels)


def test_quiet_says_nothing_and_warnings_are_lines(cli, tmp_path):
    np.save(tmp_path / "same.npy", np.ones((5, 2)))
    arguments = "fit", tmp_path / "same.npy", "-k", 3, "-o", tmp_path / "m.safetensors"
    assert cli.run(*arguments, "--quiet") == ""
    code, out, err = cli.call(*arguments, "--json")
    assert code == 0
    assert err.startswith("kentro: warning: ")
    assert json.loads(out)["warnings"]


def test_weights(cli, data, tmp_path, blobs):
    weights = np.arange(600) % 3
    np.save(tmp_path / "w.npy", weights)
    (tmp_path / "w.csv").write_text("\n".join(map(str, weights.tolist())))
    kmeans = KMeans(6).with_use_medoids(True)
    kmeans.train_labels(blobs, sample_weight=weights)
    for name in ("w.npy", "w.csv"):
        arguments = "--medoids", "--weights", tmp_path / name, "-o", tmp_path / "m.safetensors"
        cli.run("fit", data, "-k", 6, *arguments)
        assert same(tmp_path / "m.safetensors", kmeans)
    np.save(tmp_path / "w.npy", weights[:5])
    arguments = "--medoids", "--weights", tmp_path / "w.npy", "-o", tmp_path / "n.safetensors"
    error = cli.fails(1, "fit", data, "-k", 6, *arguments)
    assert "w.npy must hold 600 weights, one for each row of" in error
    np.save(tmp_path / "w.npy", weights)
    drawn = sample(Source("a", "npy", array=blobs), 200, 4, Display(quiet=True))
    kmeans = KMeans(6).with_use_medoids(True).with_seed(4)
    kmeans.train_labels(drawn.points, sample_weight=weights[drawn.rows])
    arguments = *arguments[:3], "--sample", 200, "--seed", 4, "-o", tmp_path / "n.safetensors"
    cli.run("fit", data, "-k", 6, *arguments)
    assert same(tmp_path / "n.safetensors", kmeans)


def test_init_from_a_file_and_from_a_model(cli, data, model_path, blobs):
    first = KMeans(6).with_iterations(1)
    first.train_labels(blobs)
    first.save(data.with_name("first.safetensors"))
    np.save(data.with_name("first.npy"), first.centroids)
    expected = KMeans(6).with_init(first.centroids)
    expected.train_labels(blobs)
    for name in ("first.npy", "first.safetensors"):
        init = data.with_name(name)
        cli.run("fit", data, "-k", 6, "--init", init, "-o", model_path)
        np.testing.assert_array_equal(kentro.load(model_path).centroids, expected.centroids)


def test_sample(cli, data, model_path, blobs):
    def sampled(count, seed):
        out = data.with_name("sample.npy")
        cli.run("convert", data, "--sample", count, "--seed", seed, "-o", out)
        return np.load(out)

    rows = sampled(100, 3)
    places = [int(np.flatnonzero((blobs == row).all(axis=1))[0]) for row in rows]
    assert places == sorted(set(places))
    assert len(places) == 100
    np.testing.assert_array_equal(sampled(100, 3), rows)
    assert not np.array_equal(sampled(100, 4), rows)
    assert {tuple(row) for row in sampled(30, 3)} < {tuple(row) for row in rows}
    np.testing.assert_array_equal(sampled("5k", 3), blobs)
    cli.run("fit", data, "-k", 6, "--sample", "0.1k", "--seed", 3, "-o", model_path)
    kmeans = KMeans(6).with_seed(3)
    kmeans.train_labels(rows)
    assert same(model_path, kmeans)


def test_a_sample_is_uniform():
    source = Source("a", "npy", array=np.arange(40)[:, None])
    counts = np.zeros(40)
    for seed in range(200):
        counts[sample(source, 10, seed, Display(quiet=True)).rows] += 1
    assert ((counts - 50) ** 2 / 37.5).sum() < 75  # chi square, 39 degrees: 0.0004


def test_sample_of_a_long_stream_is_that_of_the_array():
    rows = np.arange(500_000)[:, None]
    display = Display(quiet=True)
    whole = sample(Source("a", "npy", array=rows), 1000, 5, display)
    blocks = (rows[first : first + 7001] for first in range(0, len(rows), 7001))
    source = Source("b", "csv", blocks=blocks, shape=(None, 1), dtype=rows.dtype)
    stream = sample(source, 1000, 5, display)
    np.testing.assert_array_equal(whole.points, stream.points)
    np.testing.assert_array_equal(whole.rows, stream.rows)
    np.testing.assert_array_equal(rows[whole.rows], whole.points)
    assert whole.of == stream.of == 500_000


def test_errors_name_the_row_of_the_file(cli, tmp_path, blobs, trained):
    rows = blobs.copy()
    rows[431, 2] = np.nan
    np.save(tmp_path / "rows.npy", rows)
    trained.save(tmp_path / "model.safetensors")
    error = cli.fails(
        *(1, "fit", tmp_path / "rows.npy", "-k", 2, "--sample", 599, "--seed", 1),
        *("-o", tmp_path / "m.safetensors"),
    )
    assert "row 431 of the file" in error
    (tmp_path / "rows.csv").write_text("\n".join(",".join(map(str, row)) for row in rows))
    for name in ("rows.csv", "rows.npy"):
        labels = tmp_path / "labels.npy"
        error = cli.fails(
            1, "assign", tmp_path / "model.safetensors", tmp_path / name, "-o", labels
        )
        assert "row 431 of the file" in error
        assert not labels.exists()


def test_assign(cli, data, model_path, blobs):
    kmeans = KMeans(6).with_euclidean(True).with_balanced(True)
    kmeans.train_labels(blobs)
    kmeans.save(model_path)
    out, far = data.with_name("out.npy"), data.with_name("far.npy")
    text = cli.run("assign", model_path, data, "-o", out, "--distances", far, "--json")
    labels, distances = kmeans.predict(blobs, return_distances=True)
    np.testing.assert_array_equal(np.load(out), labels)
    np.testing.assert_array_equal(np.load(far), distances)
    found = json.loads(text)
    assert found["cluster_sizes"] == np.bincount(labels, minlength=6).tolist()
    assert found["n_points"] == 600
    cli.run("assign", model_path, data, "-o", out, "--balanced", "--threads", 1)
    np.testing.assert_array_equal(np.load(out), kmeans.predict(blobs, balanced=True))
    assert np.load(out).dtype == np.uint32
    # The model from a pipe, nine clusters of six, and no rows at all.
    stdin = model_path.read_bytes()
    cli.run("assign", "-", data, "-n", 9, "-o", out, stdin=stdin)
    np.testing.assert_array_equal(np.load(out), kmeans.predict(blobs, k=9))
    np.save(data, blobs[:0])
    cli.run("assign", model_path, data, "-o", out)
    assert np.load(out).shape == (0,)


def test_assign_by_small_blocks(cli, data, model_path, trained, blobs, monkeypatch):
    monkeypatch.setattr(source_module, "_BLOCK_BYTES", 1000)
    trained.save(model_path)
    cli.run("assign", model_path, data, "-o", data.with_name("out.npy"))
    np.testing.assert_array_equal(np.load(data.with_name("out.npy")), trained.predict(blobs))


def test_assign_refuses(cli, data, model_path, trained):
    trained.save(model_path)
    error = cli.fails(1, "assign", model_path, data, "--balanced")
    assert "is not balanced: leave --balanced out" in error
    np.save(data.with_name("narrow.npy"), np.zeros((3, 5)))
    error = cli.fails(1, "assign", model_path, data.with_name("narrow.npy"))
    assert "has 5 columns, and the model has 8 dimensions" in error
    assert f"kentro: {data}: " in cli.fails(1, "assign", data, data)
    KMeans(3).save(model_path)
    assert "has not been trained" in cli.fails(1, "assign", model_path, data)


def test_sweep(cli, data, blobs):
    arguments = "sweep", data, "-k", "1:6:2,2", "--metric", "euclidean", "--seed", 2
    found = json.loads(cli.run(*arguments, "--json"))
    steps = kentro.sweep(blobs, [1, 2, 3, 5], KMeans(1).with_euclidean(True).with_seed(2))
    assert found["metric"] == "euclidean"
    for trial, step in zip(found["trials"], steps):
        assert trial.pop("seconds") >= 0
        assert trial == {
            "n_clusters": step.n_clusters,
            "inertia": step.inertia,
            "silhouette": step.silhouette,
            "n_iter": step.model.n_iter,
            "cluster_sizes": step.model.cluster_sizes.tolist(),
        }
    lines = cli.run(*arguments).splitlines()
    assert lines[0].split() == ["clusters", "inertia", "silhouette", "iterations", "sizes"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3", "5"]
    assert len(found["trials"]) == len(steps) == 4


def test_info_of_a_model(cli, model_path, blobs, monkeypatch):
    kmeans = KMeans(6).with_euclidean(True).with_balanced(True).with_seed(5)
    kmeans.train_labels(blobs)
    kmeans.save(model_path)

    def no_loading(*_):
        raise AssertionError("the header is enough")

    monkeypatch.setattr("kentro._cli.rows.load", no_loading)
    found = json.loads(cli.run("info", model_path, "--json"))
    monkeypatch.undo()
    expected = {
        "format_version": 1,
        "metric": "euclidean",
        "n_clusters": 6,
        "n_dimensions": 8,
        "n_points": 600,
        "balanced": True,
        "seed": 5,
        "tolerance": 0.0,
        "inertia": kmeans.inertia,
        "n_iter": kmeans.n_iter,
        "balance_gap": kmeans.balance_gap,
        "cluster_sizes": kmeans.cluster_sizes.tolist(),
        "has_labels": True,
        "is_trained": True,
    }
    assert {key: found[key] for key in expected} == expected
    text = cli.run("info", model_path)
    for part in ("balanced K-means, euclidean", "6 x 8", "seed 5", "of 600 points"):
        assert part in text
    KMeans(3).save(model_path)
    assert "3, not trained" in cli.run("info", model_path)
    KMeans.from_centroids(blobs[:4]).save(model_path)
    assert json.loads(cli.run("info", model_path, "--json"))["cluster_sizes"] is None
    assert "4 x 8" in cli.run("info", model_path)


def test_info_of_models_that_are_damaged(cli, model_path, trained):
    trained.save(model_path)
    content = bytearray(model_path.read_bytes())
    content[-1] ^= 1
    model_path.write_bytes(content)
    cli.run("info", model_path)
    assert "checksum" in cli.fails(1, "info", "--check", model_path)
    model_path.write_bytes(content[:200])
    assert "header can't be read" in cli.fails(1, "info", model_path)
    other = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    model_path.write_bytes(len(other).to_bytes(8, "little") + other + b"\0" * 4)
    assert "no model of Kentro's" in cli.fails(1, "info", model_path)
    other = b'{"__metadata__":{"format":"kentro","n_clusters":"x"}}'
    model_path.write_bytes(len(other).to_bytes(8, "little") + other)
    assert "header can't be read" in cli.fails(1, "info", model_path)


def test_info_of_rows(cli, data):
    assert json.loads(cli.run("info", data, "--json")) == {
        "file": str(data),
        "format": "npy",
        "shape": [600, 8],
        "dtype": "float32",
        "is_mapped": True,
    }
    text = cli.run("info", "-", stdin=b"1,2\n")
    assert text.splitlines()[1].split() == ["shape", "?", "x", "2,", "float64"]
    assert "--check is for models" in cli.fails(1, "info", data, "--check")


def test_parts_of_a_model(cli, data, model_path, blobs):
    kmeans = KMeans(6).with_use_medoids(True)
    kmeans.train_labels(blobs)
    kmeans.save(model_path)
    out = data.with_name("out.npy")
    parts = {
        "centroids": kmeans.centroids,
        "labels": kmeans.labels,
        "sizes": kmeans.cluster_sizes,
        "medoids": kmeans.medoid_indices,
    }
    for part, expected in parts.items():
        cli.run("convert", model_path, "--part", part, "-o", out)
        np.testing.assert_array_equal(np.load(out), expected)
    cli.run("convert", model_path, "-o", out)
    np.testing.assert_array_equal(np.load(out), kmeans.centroids)
    cli.run("convert", out, "-o", model_path)
    assert same(model_path, KMeans.from_centroids(kmeans.centroids))
    error = cli.fails(1, "convert", model_path, "--part", "labels", "-o", out)
    assert "holds no labels; fit with --keep-labels" in error
    assert "is a model already" in cli.fails(2, "convert", model_path, "-o", model_path)
    assert "is a file of safetensors" in cli.fails(1, "assign", model_path, model_path)
    assert "--part is for models" in cli.fails(2, "convert", out, "--part", "sizes", "-o", out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "required: COMMAND"),
        ("fitt", "invalid choice: 'fitt'"),
        ("fit DATA -o m.safetensors", "required: -k"),
        ("fit DATA -k 2 -o m --metrik=x", "kentro fit: --metrik=x is not known here; did you "),
        ("info DATA more", "kentro info: more is not known here\n"),
        ("fit DATA -k 2", "required: -o"),
        ("fit DATA -k 0 -o m.safetensors", "must be at least 1, got 0"),
        ("fit DATA -k two -o m.safetensors", "'two' is no whole number"),
        ("fit DATA -k 2 -o m.npy", "fit writes a model, not a .npy"),
        ("fit DATA -k 2 -o - --json", "--json and -o - would both write"),
        ("fit DATA -k 2 -o m --labels - --json", "--labels - needs standard output"),
        ("fit DATA -k 2 -o m --labels l.csv --sample 9", "use kentro assign"),
        ("fit DATA -k 2 -o m --labels m", "--labels and -o name one file"),
        ("assign m DATA -o l.npy --distances l.npy", "--distances and -o name one file"),
        ("fit DATA -k 2 -o m --labels l.xyz", "what to write is told by .npy"),
        ("fit DATA -k 2 -o m --sample many", "'many' is no amount such as"),
        ("fit DATA -k 2 -o m --sample 5i", "is no amount such as"),
        ("fit DATA -k 2 -o m --tolerance -1", "is no number from 0"),
        ("fit DATA -k 2 -o m --tolerance=nan", "'nan' is no number from 0"),
        ("fit DATA -k 2 -o m --quality good", "quality must be one of 'fast'"),
        ("fit DATA -k 2 -o m --init guess", "init must be one of 'auto'"),
        ("fit DATA -k 2 -o m --seed 99999999999999999999", "must be below 2**64"),
        ("fit DATA -k 2 -o m --metric l2", "invalid choice: 'l2'"),
        ("fit DATA -k 2 -o m --min-size 5 --max-balance-diff 2", "not both"),
        ("fit DATA -k 2 -o m --min-size 9 --max-size 5", "size"),
        ("fit DATA -k 2 -o m --header", "are for .csv alone"),
        ("fit DATA -k 2 -o m --column 0", "--column is for .csv"),
        ("fit - -k 2 -o m --delimiter ab", "--delimiter must be one character"),
        ("fit - -k 2 -o m --column 2:3", "has the columns 0 to 1"),
        ("fit - -k 2 -o m --column x", "has numbers from 0 to 1 only"),
        ("sweep DATA -k 5:2", "'5:2' has no number of clusters"),
        ("sweep DATA -k 1:99999", "has more than 10000 numbers"),
        ("sweep DATA -k two", "'two' is no range such as"),
        ("assign - - -o l.npy", "can't both be standard input"),
        ("assign m DATA --json", "--json needs standard output"),
        ("assign m DATA -n 2 --balanced", "leave --nearest out"),
        ("assign m DATA -o l.npz", "what to write is told by .npy"),
        ("convert DATA -o c.npy --metric cosine", "--metric is for centroids"),
        ("convert - -o - --to npy", "begins with the number of rows"),
    ],
)
def test_usage(cli, data, monkeypatch, arguments, message):
    monkeypatch.chdir(data.parent)
    before = sorted(data.parent.iterdir())
    words = [str(data) if word == "DATA" else word for word in arguments.split()]
    error = cli.fails(2, *words, stdin=b"1,2\n3,4\n")
    assert message in error
    assert sorted(data.parent.iterdir()) == before


def test_what_is_not_there(cli, data, model_path):
    missing = data.with_name("missing.npy")
    for arguments in (
        ("fit", missing, "-k", 2, "-o", model_path),
        ("assign", missing, data),
        ("info", missing),
        ("convert", missing, "-o", model_path),
    ):
        error = cli.fails(1, *arguments)
        assert error == f"kentro: {missing}: No such file or directory\n"
    folder = data.parent / "no" / "m.safetensors"
    error = cli.fails(1, "fit", data, "-k", 2, "-o", folder)
    assert "there is no folder" in error
    assert "is a folder" in cli.fails(1, "fit", data.parent, "-k", 2, "-o", model_path)
    assert "is a folder" in cli.fails(1, "fit", data, "-k", 2, "-o", data.parent)
    error = cli.fails(1, "fit", data, "-k", 2, "--init", "no.npy", "-o", model_path)
    assert "there is no such file" in error
    error = cli.fails(1, "fit", data, "-k", 601, "-o", model_path)
    assert "Number of points (600) must be at least as large" in error
    assert list(data.parent.iterdir()) == [data]
