"""Frames, files and arrays of other libraries, and what is refused by name."""

import ctypes

import numpy as np
import pytest
from test_arrays import check_same, whole_numbers

import kentro
from kentro import KMeans


def refused(data, *texts):
    """That training refuses the data, with all these texts."""
    with pytest.raises((TypeError, ValueError)) as caught:
        KMeans(2).train(data)
    for text in texts:
        assert text in str(caught.value)


def test_pandas_frames_of_vectors():
    pandas = pytest.importorskip("pandas")
    data = whole_numbers()
    check_same(pandas.DataFrame({"v": list(data)}), data)
    check_same(pandas.DataFrame({"v": data.tolist()}, index=range(7, 307)), data)
    frame = pandas.DataFrame({"id": range(300), "v": list(data)})
    refused(frame, "'v'", "pass it alone: data['v']")
    refused(pandas.DataFrame({"v": [[1.0], [1.0, 2.0]]}), "vectors of 1 to 2 numbers")
    refused(pandas.DataFrame({"v": [[1.0], None]}), "1 rows that are no vectors", "row 1")


def test_pandas_columns_of_arrow():
    pandas = pytest.importorskip("pandas")
    pyarrow = pytest.importorskip("pyarrow")
    data = whole_numbers()
    kind = pandas.ArrowDtype(pyarrow.list_(pyarrow.float32()))
    check_same(pandas.DataFrame({"v": pandas.Series(data.tolist(), dtype=kind)}), data)
    check_same(pandas.DataFrame(data).astype("float[pyarrow]"), data)


def test_pandas_text_is_refused_by_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [1.0, 2.0], "city": ["Rome", "Oslo"], "day": ["a", "b"]})
    refused(frame, "'city'", "and 1 more", 'data.select_dtypes("number")')
    times = pandas.DataFrame({"when": pandas.to_datetime(["2026-01-01", "2026-01-02"])})
    refused(times, "'when'", "datetime64")


def test_polars_frames_of_vectors():
    polars = pytest.importorskip("polars")
    data = whole_numbers()
    arrays = polars.Series("v", data)
    check_same(polars.DataFrame([arrays]), data)
    check_same(polars.DataFrame({"v": data.tolist()}), data)
    check_same(polars.DataFrame([arrays])["v"], data)
    check_same(polars.DataFrame(data > 50), data > 50)
    refused(polars.DataFrame({"id": [1, 2], "v": [[1.0], [2.0]]}), "pass it alone: data['v']")
    refused(polars.DataFrame({"v": [[1.0], None]}), "1 rows that are no vectors", "row 1")
    refused(polars.Series("v", [[1.0], None]), "1 nulls")
    refused(polars.DataFrame({"v": [[1.0], [1.0, 2.0]]}), "vectors of 1 to 2 numbers")


def test_polars_text_and_lazy_frames_are_refused_by_name():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"x": [1.0, 2.0], "city": ["Rome", "Oslo"]})
    refused(frame, "'city'", "String", "polars.selectors.numeric()")
    refused(frame.lazy(), "LazyFrame", "collect()")
    refused(frame["city"], "data must")


def test_pyarrow_tables_of_vectors():
    pyarrow = pytest.importorskip("pyarrow")
    data = whole_numbers()
    lists = pyarrow.array(data.tolist(), pyarrow.list_(pyarrow.float32()))
    fixed = pyarrow.array(data.tolist(), pyarrow.list_(pyarrow.float32(), 7))
    for column in (lists, fixed, lists.cast(pyarrow.large_list(pyarrow.float32()))):
        check_same(column, data)
        check_same(column[5:50], data[5:50])
        check_same(pyarrow.table({"v": column}), data)
        check_same(pyarrow.record_batch({"v": column}), data)
        check_same(pyarrow.table({"v": pyarrow.chunked_array([column[:9], column[9:]])}), data)
    refused(pyarrow.array([[1.0], [1.0, 2.0]]), "vectors of 1 to 2 numbers")
    refused(pyarrow.table({"id": [1, 2], "v": [[1.0], [2.0]]}), "pass it alone: data['v']")
    refused(pyarrow.table({"v": [[1.0], None]}), "1 nulls")
    refused(pyarrow.table({"x": [1.0], "city": ["Rome"]}), "'city'", "drop_columns(['city'])")


class OnlyArrow:
    """What tells its values by Arrow's interface and by nothing else."""

    def __init__(self, value, stream):
        export = value.__arrow_c_stream__ if stream else value.__arrow_c_array__
        name = "__arrow_c_stream__" if stream else "__arrow_c_array__"
        setattr(type(self), name, lambda self, requested_schema=None: export(requested_schema))


def only_arrow(value, stream):
    return type("OnlyArrow", (OnlyArrow,), {})(value, stream)


def test_arrows_interface():
    pyarrow = pytest.importorskip("pyarrow")
    data = whole_numbers()
    lists = pyarrow.array(data.tolist(), pyarrow.list_(pyarrow.float32(), 7))
    check_same(only_arrow(lists, False), data)
    columns = {str(i): np.ascontiguousarray(column) for i, column in enumerate(data.T)}
    check_same(only_arrow(pyarrow.record_batch(columns), False), data)
    check_same(only_arrow(pyarrow.table(columns), True), data)
    check_same(only_arrow(pyarrow.chunked_array([lists[:9], lists[9:]]), True), data)
    check_same(only_arrow(pyarrow.table({"v": lists}), True), data)


class OnlyDLPack:
    def __init__(self, array, device=None):
        self.array = array
        self.device = device or array.__dlpack_device__()

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device


def test_dlpack():
    data = whole_numbers()
    check_same(OnlyDLPack(data), data)
    check_same(OnlyDLPack(data[::2, ::-1]), data[::2, ::-1])
    refused(OnlyDLPack(data, (2, 0)), "another device", "copy it to the CPU")


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "u1"])
def test_npy_files_are_mapped(tmp_path, dtype):
    data = whole_numbers().astype(dtype)
    path = tmp_path / "data.npy"
    np.save(path, data)
    check_same(path, data.astype("f4"))
    check_same(str(path), data.astype("f4"))
    kmeans = KMeans(3).with_init(data[:3].astype("f4"))
    assert kmeans.train(str(path)) == KMeans(3).with_init(path_of(tmp_path, data[:3])).train(
        data
    )


def path_of(folder, array):
    np.save(folder / "part.npy", array)
    return folder / "part.npy"


def test_other_files_are_refused(tmp_path):
    refused("data.csv", "'data.csv'", ".npy")
    refused(tmp_path / "data.parquet", "data.parquet", ".npy")
    with pytest.raises(FileNotFoundError):
        KMeans(2).train(tmp_path / "none.npy")
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(ValueError, match="objects"):
        KMeans(1).train(tmp_path / "objects.npy")


def test_ctypes_arrays_and_buffers():
    data = whole_numbers(rows=30)
    buffer = (ctypes.c_float * 7 * 30)()
    np.ctypeslib.as_array(buffer)[:] = data
    check_same(buffer, data)


def test_one_row_is_told_what_to_add(trained):
    with pytest.raises(ValueError, match=r"data\[None\] is one point"):
        trained.predict(np.zeros(8))


def test_no_seed_is_told_what_to_do():
    with pytest.raises(TypeError, match=r"leave with_seed out .* secrets.randbits"):
        KMeans(2).with_seed(None)


@pytest.mark.parametrize(
    ("call", "texts"),
    [
        (lambda m, x: KMeans(2, random_state=0), ("with_seed(seed)", "kentro.sklearn")),
        (lambda m, x: KMeans(2, max_iter=9), ("with_iterations(iters)",)),
        (lambda m, x: KMeans(2, n_jobs=2), ("give train and predict num_threads",)),
        (lambda m, x: KMeans(2).train(x, n_jobs=2), ("here it is num_threads",)),
        (lambda m, x: KMeans(2).train(x, random_state=2), ("with_seed(seed)",)),
        (lambda m, x: KMeans(2).train_labels(x, weights=x), ("here it is sample_weight",)),
        (lambda m, x: m.predict(x, n_jobs=2), ("here it is num_threads",)),
        (lambda m, x: KMeans(k=2), ("here it is n_clusters",)),
        (lambda m, x: m.predict(x, colour=2), ("has no parameter 'colour'",)),
    ],
)
def test_other_names_are_told_the_right_one(call, texts, trained, blobs):
    with pytest.raises(TypeError) as caught:
        call(trained, blobs)
    for text in texts:
        assert text in str(caught.value)


def test_names_are_told_at_no_cost_to_signatures():
    import inspect

    assert list(inspect.signature(KMeans).parameters) == ["n_clusters"]
    assert "num_threads" in inspect.signature(kentro.KMeans.train).parameters
