"""docs/cli.md: every command is run, and says what the page shows."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "cli.md"
DIGITS = ROOT / "examples" / "data" / "digits.csv"
RECIPE = "## From a parquet file"


def commands(text):
    """Command and expected output of each line with a $."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def run(cli, command, folder, code):
    """The output of a command, and its exit code: of ours in this process if it is alone."""
    if re.match(r"kentro [^|<>;&$]*$", command):
        code, out, err = cli.call(*shlex.split(command)[1:])
        return out + err, code
    done = subprocess.run(
        f'kentro() {{ {shlex.quote(sys.executable)} -m kentro "$@"; }}; '
        f"(exit {code}); {command}",
        shell=True,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return done.stdout, done.returncode


def matches(shown, found):
    pattern = ".*?".join(re.escape(part) for part in shown.split("..."))
    return re.fullmatch(pattern, found, re.DOTALL)


def check(cli, text, folder):
    code = 0
    for command, shown in commands(text):
        found, code = run(cli, command, folder, code)
        assert matches(shown, found), f"$ {command}\n{found}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    if not PAGE.exists():
        pytest.skip("not in the source tree")
    shutil.copy(DIGITS, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page(cli, folder):
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("$ kentro") > 15
    check(cli, text.partition(RECIPE)[0], folder)


def test_the_recipe(cli, folder):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = np.loadtxt("digits.csv", delimiter=",")[:, :64].astype(np.float32)
    vectors = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(rows.ravel()), 64)
    ids = [f"digit-{i}" for i in range(len(rows))]
    parquet.write_table(pyarrow.table({"id": ids, "embedding": vectors}), "embeddings.parquet")
    check(cli, PAGE.read_text(encoding="utf-8").partition(RECIPE)[2], folder)


def test_exit_codes_are_those_of_the_parser():
    from kentro._cli.texts import EXIT_CODES

    if not PAGE.exists():
        pytest.skip("not in the source tree")
    text = PAGE.read_text(encoding="utf-8")
    for code, meaning in EXIT_CODES:
        assert f"| {code} | {meaning} |" in text


def test_the_readme(cli, folder):
    np.save("vectors.npy", np.random.default_rng(0).normal(size=(1000, 2)))
    lines = re.findall(
        r"^kentro [a-z]+ .*$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert len(lines) == 3
    for line in lines:
        assert cli.run(*shlex.split(line)[1:])
