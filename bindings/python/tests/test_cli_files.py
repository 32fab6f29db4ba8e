"""The command line reads every format to the same rows, and writes what others read."""

import io
import struct
import sys
import zipfile

import numpy as np
import pytest

import kentro


@pytest.fixture(scope="module")
def rows():
    values = np.random.default_rng(5).normal(size=(300, 6)).astype(np.float32)
    values[150:] += 4
    return values


def write_vectors(path, rows, dtype):
    with open(path, "wb") as file:
        for row in rows:
            file.write(struct.pack("<i", len(row)) + row.astype(dtype).tobytes())


def write_text(path, rows, delimiter=",", start=""):
    lines = [delimiter.join(repr(float(value)) for value in row) for row in rows]
    path.write_text(start + "\n".join(lines) + "\n")


def write(path, rows, how):
    """`rows` in a file of the kind `how`; the options that reading it takes."""
    if how == "npy":
        np.save(path, rows)
    elif how == "npy columns first":
        np.save(path, np.asfortranarray(rows))
    elif how == "npy big-endian":
        np.save(path, rows.astype(">f8"))
    elif how == "npz":
        np.savez(path, rows=rows)
    elif how == "npz packed":
        np.savez_compressed(path, other=rows[:3], rows=rows)
        return ["--column", "rows"]
    elif how == "npz packed columns first":
        np.savez_compressed(path, np.asfortranarray(rows))
    elif how == "csv":
        write_text(path, rows)
    elif how == "csv with words":
        head = "id; a ;b;c;d;e;f\n"
        text = [";".join(["x"] + [repr(float(value)) for value in row]) for row in rows]
        path.write_text("\ufeff# a comment\n\n" + head + "\n".join(text))
        return ["--column", "a,2:4", "--column", "e", "--column", "6"]
    elif how == "csv with quotes":
        text = [",".join(f'"{float(value)!r}"' for value in row) for row in rows]
        path.write_text('"a","b, c","d","e","f","g"\r\n' + "\r\n".join(text))
    elif how == "txt":
        write_text(path, rows, " ")
    elif how == "tsv":
        write_text(path, rows, "\t", "a\tb\tc\td\te\tf\n")
    elif how == "fvecs":
        write_vectors(path, rows, "<f4")
    else:
        write_table(path, rows, how)
        return ["--column", "a,b,c,d,e,f"] if how.endswith("columns") else []
    return []


def write_table(path, rows, how):
    pyarrow = pytest.importorskip("pyarrow")
    flat = pyarrow.array(rows.ravel())
    if how.endswith("lists"):
        column = pyarrow.array([row.tolist() for row in rows], pyarrow.list_(flat.type))
    else:
        column = pyarrow.FixedSizeListArray.from_arrays(flat, rows.shape[1])
    table = pyarrow.table({"id": [str(i) for i in range(len(rows))], "vector": column})
    if how.endswith("columns"):
        table = pyarrow.table({"id": table["id"], **dict(zip("abcdef", rows.T.copy()))})
    if how.startswith("parquet"):
        from pyarrow import parquet

        parquet.write_table(table, path, row_group_size=70)
    elif how.startswith("arrow stream"):
        with pyarrow.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=70)
    else:
        with pyarrow.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=70)


KINDS = [
    ("npy", ".npy"),
    ("npy columns first", ".npy"),
    ("npy big-endian", ".npy"),
    ("npz", ".npz"),
    ("npz packed", ".npz"),
    ("npz packed columns first", ".npz"),
    ("csv", ".csv"),
    ("csv with words", ".csv"),
    ("csv with quotes", ".csv"),
    ("txt", ".txt"),
    ("tsv", ".tsv"),
    ("fvecs", ".fvecs"),
    ("parquet", ".parquet"),
    ("parquet of lists", ".parquet"),
    ("parquet of columns", ".parquet"),
    ("arrow", ".arrow"),
    ("arrow of lists", ".feather"),
    ("arrow stream", ".arrow"),
]


@pytest.mark.parametrize(("how", "suffix"), KINDS)
def test_every_format_has_the_same_rows(cli, tmp_path, rows, how, suffix):
    path = tmp_path / f"rows{suffix}"
    options = write(path, rows, how)
    out = tmp_path / "out.npy"
    cli.run("convert", path, *options, "-o", out)
    found = np.load(out)
    assert found.shape == rows.shape
    np.testing.assert_array_equal(found, rows)
    # From a pipe, too, where .fvecs do not tell what they are.
    given = ["--format", "fvecs"] if how == "fvecs" else []
    cli.run("convert", "-", *options, *given, "-o", out, stdin=path.read_bytes())
    np.testing.assert_array_equal(np.load(out), rows)
    # And a sample is the same rows of each.
    cli.run("convert", path, *options, "--sample", "50", "--seed", "9", "-o", out)
    np.save(tmp_path / "plain.npy", rows)
    again = tmp_path / "again.npy"
    cli.run("convert", tmp_path / "plain.npy", "--sample", "50", "--seed", "9", "-o", again)
    np.testing.assert_array_equal(np.load(out), np.load(again))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        {path.name, "out.npy", "plain.npy", "again.npy"}
    )


@pytest.mark.parametrize(
    "suffix", [".npy", ".csv", ".tsv", ".txt", ".fvecs", ".parquet", ".arrow", ".feather"]
)
def test_what_is_written_is_read(cli, tmp_path, rows, suffix):
    if suffix in (".parquet", ".arrow", ".feather"):
        pytest.importorskip("pyarrow")
    np.save(tmp_path / "rows.npy", rows)
    there, back = tmp_path / f"there{suffix}", tmp_path / "back.npy"
    cli.run("convert", tmp_path / "rows.npy", "-o", there)
    cli.run("convert", there, "--dtype", "float32", "-o", back)
    np.testing.assert_array_equal(np.load(back), rows)
    assert np.load(back).dtype == np.float32


@pytest.mark.parametrize(("suffix", "dtype"), [(".bvecs", "u1"), (".ivecs", "<i4")])
def test_whole_numbers(cli, tmp_path, suffix, dtype):
    rows = np.random.default_rng(0).integers(0, 256, (40, 5))
    np.save(tmp_path / "rows.npy", rows)
    path = tmp_path / f"rows{suffix}"
    cli.run("convert", tmp_path / "rows.npy", "-o", path)
    write_vectors(tmp_path / "expected", rows, dtype)
    assert path.read_bytes() == (tmp_path / "expected").read_bytes()
    cli.run("convert", path, "-o", tmp_path / "back.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "back.npy"), rows)


def test_numbers_that_a_format_cannot_hold(cli, tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1.5, 2.0], [300.0, -1.0]]))
    for target in ("a.bvecs", "a.ivecs"):
        error = cli.fails(1, "convert", tmp_path / "a.npy", "-o", tmp_path / target)
        assert "got 1.5: write .npy" in error
        assert not (tmp_path / target).exists()
    np.save(tmp_path / "a.npy", np.array([[1e300, 2.0]]))
    assert "float32, got 1e+300" in cli.fails(
        1, "convert", tmp_path / "a.npy", "-o", tmp_path / "a.fvecs"
    )
    error = cli.fails(
        1, "convert", tmp_path / "a.npy", "--dtype", "uint8", "-o", tmp_path / "b.npy"
    )
    assert "--dtype uint8 can't hold 1e+300" in error
    np.save(tmp_path / "a.npy", np.array([[-1, 2]]))
    error = cli.fails(1, "convert", tmp_path / "a.npy", "-o", tmp_path / "a.bvecs")
    assert "from 0 to 255, got -1" in error


def test_labels_in_every_format(cli, tmp_path, rows):
    np.save(tmp_path / "rows.npy", rows)
    model = kentro.KMeans(4).with_euclidean(True)
    model.train_labels(rows)
    model.save(tmp_path / "model.safetensors")
    for nearest in (1, 3):
        expected = model.predict(rows, k=nearest)
        for suffix in (".npy", ".csv", ".txt", ".tsv", ".ivecs", ".parquet", ".arrow"):
            if suffix in (".parquet", ".arrow"):
                pytest.importorskip("pyarrow")
            labels = tmp_path / f"labels{suffix}"
            cli.run(
                *("assign", tmp_path / "model.safetensors", tmp_path / "rows.npy"),
                *("-n", nearest, "-o", labels),
            )
            back = tmp_path / "back.npy"
            cli.run("convert", labels, "-o", back)
            found = np.load(back).reshape(len(rows), -1)
            np.testing.assert_array_equal(found, expected.reshape(len(rows), -1))
        out = cli.run(
            "assign", tmp_path / "model.safetensors", tmp_path / "rows.npy", "-n", nearest
        )
        table = np.loadtxt(io.StringIO(out), delimiter=",", dtype=np.uint32)
        np.testing.assert_array_equal(table, expected)


def test_pickles_are_never_read(cli, tmp_path, rows):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "burst"), "w"))

    objects = np.empty(2, object)
    objects[:] = [Bomb(), Bomb()]
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "objects.npz", objects)
    for name in ("objects.npy", "objects.npz"):
        error = cli.fails(1, "info", tmp_path / name)
        assert "holds Python objects, which only pickle reads" in error
        assert "numpy.save(path, numpy.stack(array).astype('float32'))" in error
        data = (tmp_path / name).read_bytes()
        assert "pickle" in cli.fails(1, "convert", "-", "-o", "-", stdin=data)
    (tmp_path / "rows.pkl").write_bytes(b"\x80\x04K\x01.")
    assert "is a pickle" in cli.fails(1, "info", tmp_path / "rows.pkl")
    assert "is a pickle" in cli.fails(1, "convert", "-", "-o", "-", stdin=b"\x80\x04K\x01.")
    assert not (tmp_path / "burst").exists()


def npy_with(header):
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", b"", "a.npy is empty"),
        ("a.npy", b"1,2\n3,4\n", "is no .npy"),
        ("a.npy", npy_with("{'descr': '<f4', 'fortran_order': False}"), "is no .npy"),
        (
            "a.npy",
            npy_with("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2)}"),
            "is no .npy",
        ),
        (
            "a.npy",
            npy_with("{'descr': '<f4', 'fortran_order': False, 'shape': (10**4, 10**4)}"),
            "is no .npy",
        ),
        (
            "a.npy",
            npy_with("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 9)}"),
            "is cut off",
        ),
        (
            "a.npy",
            npy_with("{'descr': '<c8', 'fortran_order': False, 'shape': (0, 9)}"),
            "must be float16 to float64, integers or bool, got complex64",
        ),
        ("a.npz", b"PK\x03\x04 and so on", "is no .npz"),
        ("a.fvecs", b"\x02\0\0\0\0\0", "is no whole .fvecs"),
        ("a.fvecs", b"\xff\xff\xff\xff", "is no whole .fvecs"),
        ("a.bvecs", b"\x02\0\0\0ab\x03\0\0\0ab", "has 3 values in row 1, and 2 in row 0"),
        ("a.csv", b"# nothing\n\n", "has no rows"),
        ("a.csv", b"a,b\n\n", "has no rows but a line of names"),
        ("a.csv", b"1,2\n3,x\n", "line 2, column 1: 'x' is no number"),
        ("a.csv", b"1,2\n3\n", "line 2: 1 columns, and 2 in the first line"),
        ("a.csv", b"1,2\n" * 50 + b"3,4,5\n", "line 51: 3 columns, and 2 in the first line"),
        ("a.csv", b"# c\na,b\n1,2\n3,4_5\n", "line 4, column 1: '4_5' is no number"),
        ("a.csv", b"1,,2\n3,4,5\n", "line 1, column 1: '' is no number"),
        ("a.csv", b"a,b\nx,1\ny,2\n", "column 0 ('a') has 'x', which is no number"),
        ("a.csv", b",b\n0,1\n1,2\n", "column 0 has no name, as if it were an index"),
        ("a.csv", b"1,5;2,5\n2,5;3,5\n", "decimal commas aren't read"),
        ("a.csv", "\ufeff1,2\n".encode("utf-16"), "is no text in UTF-8"),
        ("a.csv", b"1,2\n\xff\xfe,3\n", "is no text in UTF-8"),
        ("a", b"\x00\x01\x02", "give --format"),
        ("a.csv.gz", b"\x1f\x8b\x08", "is compressed: unpack it, or pipe it: zcat"),
    ],
)
def test_files_that_are_wrong(cli, tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    out = tmp_path / "out.npy"
    assert message in cli.fails(1, "convert", path, "-o", out)
    assert list(tmp_path.iterdir()) == [path]


def test_shapes_that_are_wrong(cli, tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(5))
    np.save(tmp_path / "three.npy", np.zeros((2, 2, 2)))
    np.save(tmp_path / "none.npy", np.zeros((5, 0)))
    for name in ("one", "three", "none"):
        error = cli.fails(
            1, "fit", tmp_path / f"{name}.npy", "-k", 2, "-o", tmp_path / "m.safetensors"
        )
        assert "must have 2 dimensions (points x dimensions), got shape" in error
    assert "reshape(-1, 1)" in cli.fails(
        1, "fit", tmp_path / "one.npy", "-k", 2, "-o", tmp_path / "m.safetensors"
    )


def test_a_part_of_an_npz_that_is_cut_off(cli, tmp_path, rows):
    np.savez_compressed(tmp_path / "a.npz", rows)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        data = archive.read("arr_0.npy")
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", data[:-5])
    error = cli.fails(1, "convert", tmp_path / "b.npz", "-o", tmp_path / "b.npy")
    assert "is cut off in row 299 of 300" in error
    assert not (tmp_path / "b.npy").exists()
    error = cli.fails(1, "convert", "-", "-o", tmp_path / "b.npy", stdin=data[:-5])
    assert "standard input is cut off in row 299 of 300" in error


def test_tables_that_are_wrong(cli, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def error_of(code=1, *options, **columns):
        parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
        return cli.fails(code, "convert", tmp_path / "a.parquet", *options, "-o", "-")

    assert "has 1 values in row 1, and 2 in row 0" in error_of(v=[[1.0, 2.0], [3.0]])
    assert "is null in row 1" in error_of(v=[[1.0], None])
    assert "has a null within row 2" in error_of(v=[[1.0], [2.0], [None]])
    assert "has no rows" in error_of(v=pyarrow.array([], pyarrow.list_(pyarrow.float32())))
    assert "has the columns a (string), b (double): choose with --column" in error_of(
        2, a=["x"], b=[1.0]
    )
    assert "string is no numbers" in error_of(2, "--column", "a", a=["x"], b=[1.0])
    assert "has 'a', 'b'" in error_of(2, "--column", "c", a=["x"], b=[1.0])
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    assert "is no parquet file" in cli.fails(1, "info", tmp_path / "a.parquet")


@pytest.fixture
def counts():
    rng = np.random.default_rng(3)
    dense = rng.poisson(0.3, (400, 30)).astype(np.float32)
    dense[::7] = 0
    return dense


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_sparse_rows(cli, tmp_path, counts, form, compressed):
    sparse = pytest.importorskip("scipy.sparse")
    path = tmp_path / "a.npz"
    sparse.save_npz(path, sparse.csr_matrix(counts).asformat(form), compressed)
    np.save(tmp_path / "dense.npy", counts)
    for name in ("a.npz", "dense.npy"):
        options = "-k", 5, "--sample", 300, "--labels", f"{name}.labels.npy"
        cli.run("fit", tmp_path / name, *options[:4], "-o", tmp_path / f"{name}.safetensors")
        cli.run(
            *("assign", tmp_path / f"{name}.safetensors", tmp_path / name),
            *("-o", tmp_path / f"{name}.labels.npy"),
        )
    for kind in ("safetensors", "labels.npy"):
        files = [(tmp_path / f"{name}.{kind}").read_bytes() for name in ("a.npz", "dense.npy")]
        assert files[0] == files[1]
    cli.run("convert", path, "-o", tmp_path / "back.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "back.npy"), counts)
    assert "npz, sparse" in cli.run("info", path)


def test_sparse_rows_need_no_scipy(cli, tmp_path, counts, monkeypatch):
    sparse = pytest.importorskip("scipy.sparse")
    sparse.save_npz(tmp_path / "rows.npz", sparse.csr_matrix(counts))
    sparse.save_npz(tmp_path / "columns.npz", sparse.csc_matrix(counts))
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    cli.run("convert", tmp_path / "rows.npz", "-o", tmp_path / "back.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "back.npy"), counts)
    error = cli.fails(1, "info", tmp_path / "columns.npz")
    assert "(csc), which need scipy: save it by scipy.sparse.save_npz" in error


@pytest.mark.parametrize(
    "change",
    [
        {"indptr": np.array([0, 5, 3, 9])},
        {"indptr": np.array([0, 5])},
        {"indptr": np.array([0, 5, 9, 9.0])},
        {"indices": np.arange(8)},
        {"indices": np.full(9, -1)},
        {"indices": np.full(9, 99)},
        {"data": np.ones(3)},
        {"shape": np.array([3])},
        {"shape": np.array([-3, 9])},
        {"shape": np.array([10**15, 9])},
        {"data": np.array([1j] * 9)},
    ],
)
def test_sparse_rows_that_are_wrong(cli, tmp_path, change):
    right = {
        "data": np.ones(9),
        "indices": np.arange(9),
        "indptr": np.array([0, 5, 9, 9]),
        "shape": np.array([3, 9]),
        "format": np.array(b"csr"),
    }
    np.savez(tmp_path / "a.npz", **right)
    cli.run("convert", tmp_path / "a.npz", "-o", tmp_path / "a.npy")
    assert np.load(tmp_path / "a.npy").sum() == 9
    np.savez(tmp_path / "a.npz", **{**right, **change})
    for arguments in ((), ("--sample", 2)):
        cli.fails(1, "convert", tmp_path / "a.npz", *arguments, "-o", tmp_path / "b.npy")
        assert not (tmp_path / "b.npy").exists()


def test_damaged_archives(cli, tmp_path, rows):
    np.savez_compressed(tmp_path / "a.npz", rows)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    for place in range(40, len(content), len(content) // 25):
        damaged = content.copy()
        damaged[place] ^= 0x55
        (tmp_path / "b.npz").write_bytes(damaged)
        if cli.call("convert", tmp_path / "b.npz", "-o", tmp_path / "b.npy")[0]:
            assert not (tmp_path / "b.npy").exists()
        else:  # it was a date or the like
            np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), rows)
            (tmp_path / "b.npy").unlink()


def test_more_rows_than_are_held_in_memory(cli, tmp_path, rows):
    write_text(tmp_path / "rows.csv", rows)
    arguments = "--metric", "euclidean", "-k", 5
    cli.run("fit", tmp_path / "rows.csv", *arguments, "-o", tmp_path / "a.safetensors")
    cli.run(
        *("fit", tmp_path / "rows.csv", *arguments, "--json", "--memory", "10k"),
        *("-o", tmp_path / "b.safetensors"),
    )
    a, b = (kentro.load(tmp_path / f"{name}.safetensors") for name in "ab")
    np.testing.assert_array_equal(a.centroids, b.centroids)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a.safetensors", "b.safetensors", "rows.csv"]
