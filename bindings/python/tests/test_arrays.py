"""What can be clustered: every layout, number type and container gives the
same result as its float32 copy."""

import numpy as np
import pytest

from kentro import KMeans, KMeansError

INTEGERS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]
NUMBERS = ["f2", "f4", "f8", *INTEGERS]


def whole_numbers(rows=300, dims=7):
    """Values that every number type holds exactly."""
    return np.random.default_rng(3).integers(0, 100, size=(rows, dims)).astype(np.float32)


def check_same(data, plain=None, euclidean=True):
    """`data` gives what its float32 copy gives, bit for bit."""
    if plain is None:
        plain = np.ascontiguousarray(data, dtype=np.float32)
    kmeans, expected = (KMeans(5).with_euclidean(euclidean) for _ in range(2))
    assert kmeans.train(data) == expected.train(plain)
    assert kmeans.centroids.tobytes() == expected.centroids.tobytes()
    assert kmeans.assign(data, k=2) == expected.assign(plain, k=2)
    assert (kmeans.predict(data) == expected.predict(plain)).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_number_types_and_byte_orders(dtype, order, euclidean):
    check_same(whole_numbers().astype(order + dtype), euclidean=euclidean)


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "i2", "u1"])
@pytest.mark.parametrize(
    "view",
    [
        lambda a: np.asfortranarray(a),
        lambda a: a[::2],
        lambda a: a[:, ::2],
        lambda a: a[::-1],
        lambda a: a[:, ::-1],
        lambda a: a[::-2, ::-3],
        lambda a: a[10:200, 1:6],
        lambda a: np.broadcast_to(a[:, :1], a.shape),
        lambda a: a.reshape(300, 7, 1)[:, :, 0],
    ],
    ids=[
        "fortran",
        "rows",
        "columns",
        "reversed",
        "mirrored",
        "both",
        "inner",
        "broadcast",
        "reshaped",
    ],
)
def test_strides(dtype, view):
    check_same(view(whole_numbers().astype(dtype)))


def test_bool(euclidean):
    check_same(np.random.default_rng(4).random((200, 12)) < 0.4, euclidean=euclidean)


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    check_same(whole_numbers().astype(ml_dtypes.bfloat16))


def test_read_only():
    data = whole_numbers()
    data.setflags(write=False)
    check_same(data)


def test_the_data_are_left_alone():
    data = whole_numbers().astype(np.float64)
    before = data.copy()
    KMeans(5).train(data)
    assert (data == before).all()


@pytest.mark.parametrize("dtype", ["f4", ">f8"])
def test_memory_mapped(tmp_path, dtype):
    np.save(tmp_path / "data.npy", whole_numbers().astype(dtype))
    check_same(np.load(tmp_path / "data.npy", mmap_mode="r"))


def test_unaligned():
    packed = np.zeros(300, dtype=[("id", "u1"), ("vector", "f4", (7,))])
    packed["vector"] = whole_numbers()
    check_same(packed["vector"])
    raw = np.zeros(1 + 300 * 7 * 8, dtype=np.uint8)[1:]
    shifted = raw.view("f8").reshape(300, 7)
    shifted[:] = whole_numbers()
    check_same(shifted)


def test_padded_records():
    padded = np.zeros(300, dtype=[("vector", "f8", (7,)), ("id", "u4")])  # 60 bytes a record
    padded["vector"] = whole_numbers()
    check_same(padded["vector"])


def test_lists_and_tuples():
    rows = whole_numbers().tolist()
    check_same(rows, np.array(rows, dtype=np.float32))
    check_same(tuple(map(tuple, rows)), np.array(rows, dtype=np.float32))
    check_same([[int(v) for v in row] for row in rows], np.array(rows, dtype=np.float32))


def test_array_interface_and_subclasses():
    class Wrapper:
        def __init__(self, array):
            self.array = array

        def __array__(self, dtype=None, copy=None):
            return self.array

    data = whole_numbers()
    check_same(Wrapper(data), data)
    check_same(np.ma.masked_array(data), data)
    check_same(memoryview(data), data)


def test_pandas():
    pandas = pytest.importorskip("pandas")
    data = whole_numbers()
    frame = pandas.DataFrame(data)
    check_same(frame, data)
    check_same(frame.astype({0: "int64", 1: "float64"}), data)
    check_same(frame.astype("Float32"), data)
    check_same(frame.astype("Int16"), data)
    check_same(pandas.Series(list(data)), data)
    check_same(pandas.Series(data.tolist()), data)
    with pytest.raises(TypeError, match="not numbers: 0 of type str and 6 more"):
        KMeans(2).train(frame.astype("Int16").astype(str))
    missing = frame.astype("Float32")
    missing.iloc[1, 2] = pandas.NA
    with pytest.raises(ValueError, match="row 1, column 2"):
        KMeans(2).train(missing)


def test_polars():
    polars = pytest.importorskip("polars")
    data = whole_numbers()
    check_same(polars.DataFrame(data), data)
    check_same(polars.DataFrame(data.astype(np.int32)), data)
    check_same(polars.Series(data), data)
    check_same(polars.Series(data.tolist()), data)
    with pytest.raises(TypeError, match="not numbers: 'column_0' of type String and 6 more"):
        KMeans(2).train(polars.DataFrame(data).cast(polars.String))


def test_pyarrow():
    pyarrow = pytest.importorskip("pyarrow")
    data = whole_numbers()
    check_same(pyarrow.table({str(i): column for i, column in enumerate(data.T)}), data)
    check_same(pyarrow.array(data.tolist()), data)
    flat = pyarrow.array(data.ravel())
    vectors = pyarrow.FixedSizeListArray.from_arrays(flat, 7)
    check_same(vectors, data)
    check_same(vectors[10:200], data[10:200])
    check_same(pyarrow.chunked_array([vectors[:100], vectors[100:]]), data)
    vectors = pyarrow.array([[1.0, 2.0], None, [3.0, 4.0]], pyarrow.list_(pyarrow.float32(), 2))
    with pytest.raises(KMeansError, match="1 null"):
        KMeans(2).train(vectors)


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (np.zeros(5), r"\(5,\)"),
        (np.zeros((2, 3, 4)), r"\(2, 3, 4\)"),
        (np.float32(1), r"\(\)"),
        (3, r"\(\)"),
        ([1.0, 2.0], r"\(2,\)"),
        ([], r"\(0,\)"),
    ],
)
def test_other_shapes_are_named(data, shape, trained):
    for call in (KMeans(2).train, trained.assign, trained.predict):
        with pytest.raises(ValueError, match=shape):
            call(data)


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (np.zeros((3, 2), dtype=object), "object"),
        (np.zeros((3, 2), dtype=complex), "complex128"),
        (np.array([["a", "b"]]), "<U1"),
        (np.array([[b"a", b"b"]]), "S1"),
        (np.zeros((3, 2), dtype="datetime64[s]"), r"datetime64\[s\]"),
        (np.zeros((3, 2), dtype=[("x", "f4")]), "'x'"),
        ([[None, 1.0]], "object"),
        ([["1", "2"]], "<U1"),
        ("text", "'text'; of files only .npy is read"),
        (None, "object"),
        ({"a": [1.0]}, "object"),
    ],
)
def test_other_number_types_are_named(data, dtype, trained):
    for call in (KMeans(2).train, trained.assign, trained.predict):
        with pytest.raises(TypeError, match=dtype):
            call(data)


def test_ragged_lists():
    with pytest.raises((TypeError, ValueError), match=r"shape|object"):
        KMeans(1).train([[1.0, 2.0], [3.0]])


def test_masked_values_are_refused():
    data = np.ma.masked_less(whole_numbers(), 3)
    with pytest.raises(ValueError, match="masked"):
        KMeans(2).train(data)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ">f4"])
def test_the_first_value_that_is_not_finite_is_named(bad, dtype, euclidean):
    data = whole_numbers(rows=3000).astype(dtype)
    data[2500, 1] = bad
    data[1711, 5] = bad
    data[1712, 0] = bad
    kmeans = KMeans(3).with_euclidean(euclidean)
    with pytest.raises(ValueError, match="row 1711, column 5") as caught:
        kmeans.train(data)
    assert (caught.value.row, caught.value.column) == (1711, 5)
    assert not kmeans.is_trained
    kmeans.train(data[:1000])
    with pytest.raises(ValueError, match="row 1711, column 5"):
        kmeans.assign(data)
    with pytest.raises(ValueError, match="row 1711, column 5"):
        kmeans.predict(data)


def test_beyond_float32_is_not_finite():
    data = whole_numbers().astype(np.float64)
    data[7, 3] = 1e300
    with pytest.raises(ValueError, match="row 7, column 3"):
        KMeans(3).train(data)


@pytest.mark.parametrize("rows", [0, 5])
def test_no_dimensions(rows):
    with pytest.raises(ValueError, match=rf"{rows} x 0"):
        KMeans(1).train(np.zeros((rows, 0), dtype=np.float32))


def test_no_rows():
    with pytest.raises(ValueError, match=r"points \(0\) .* clusters \(1\)"):
        KMeans(1).train(np.zeros((0, 3)))
