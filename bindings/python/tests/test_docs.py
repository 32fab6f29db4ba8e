"""What the documentation shows is true."""

import contextlib
import doctest
import importlib
import io
import re
from pathlib import Path

import pytest

import kentro

HERE = Path(__file__).parents[1]
ROOT = HERE.parents[1]


@pytest.mark.parametrize(
    "module",
    [
        "kentro",
        "kentro._blocks",
        "kentro._judging",
        "kentro._kmeans",
        "kentro._seeding",
        "kentro._threads",
        "kentro.dask",
        "kentro.sklearn",
    ],
)
def test_docstrings(module):
    if module == "kentro.sklearn":
        pytest.importorskip("sklearn", minversion="1.6")
    if module == "kentro.dask":
        pytest.importorskip("dask.array")
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


PAGES = [
    HERE / "README.md",
    ROOT / "docs/python.md",
    ROOT / "docs/scale.md",
    ROOT / "README.md",
]


OTHERS = [ROOT / "docs/dask.md", ROOT / "docs/sklearn.md"]


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: page.name)
def test_code_of_a_page(page):
    """It runs, and prints what a block of text right behind it shows."""
    if not page.exists():
        pytest.skip("not in the source tree")
    if page.name == "sklearn.md":
        pytest.importorskip("sklearn", minversion="1.6")
    if page.name == "scale.md":
        pytest.importorskip("pyarrow", reason="the recipe reads Parquet; install pyarrow")
    if page.name == "dask.md":
        pytest.importorskip("distributed")
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```(?:\n+```text\n(.*?)```)?", text, re.DOTALL)
    assert blocks
    names = {}
    for code, expected in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        if expected:
            assert printed.getvalue() == expected


def test_every_public_member_is_explained():
    names = [name for name in dir(kentro.KMeans) if not name.startswith("_")]
    for name in names:
        assert getattr(kentro.KMeans, name).__doc__, name
    manual = ROOT / "docs/python.md"
    if manual.exists():
        text = manual.read_text(encoding="utf-8")
        for name in names:
            if name.startswith("with_"):
                assert f"`{name}(" in text
