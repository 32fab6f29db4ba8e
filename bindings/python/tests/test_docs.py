"""What the documentation shows is true."""

import doctest
import re
from pathlib import Path

import pytest

import kentro

HERE = Path(__file__).parents[1]
ROOT = HERE.parents[1]


@pytest.mark.parametrize("module", [kentro, kentro._kmeans, kentro._threads])
def test_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    "page", [HERE / "README.md", ROOT / "docs/python.md", ROOT / "README.md"]
)
def test_code_of_a_page(page):
    if not page.exists():
        pytest.skip("not in the source tree")
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    exec("\n".join(blocks), {})


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
