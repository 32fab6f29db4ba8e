"""What each command takes."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from . import values
from .opening import NAMES
from .writers import WRITTEN

_METRICS = ["cosine", "euclidean"]
_DTYPES = ["float16", "float32", "float64", "uint8", "int8", "int32"]
_PARTS = ["centroids", "labels", "sizes", "medoids"]
_DATA = (
    "rows of vectors: .npy .npz .csv .tsv .txt .parquet .arrow .feather .fvecs .bvecs "
    ".ivecs, or - for standard input"
)


class Command(NamedTuple):
    """A command: its line of usage, its texts, its options."""

    arguments: str
    summary: str
    description: str
    add_options: Callable[[Any], None]


def _adder(group: Any) -> Callable[..., None]:
    """`add(names, metavar, help, ...)` to a group; names are separated by a space."""

    def add(names: str, metavar: str | None, text: str, **more: Any) -> None:
        if metavar is not None:
            more["metavar"] = metavar
        group.add_argument(*names.split(), help=text, **more)

    return add


def _flag(action: str = "store_true") -> dict[str, Any]:
    return {"action": action}


def _fit(parser: Any) -> None:
    add = _adder(parser.add_argument_group("what"))
    add("data", "DATA", _DATA)
    add("-k --clusters", "K", "number of clusters", type=values.positive, required=True)
    _training(parser)
    _input(parser)
    add = _output(parser, "the model, a file of safetensors; - for standard output")
    add("--labels", "FILE", "also write the cluster of each row")
    add("--keep-labels", None, "keep labels in the model: 4 bytes a row", **_flag())


def _assign(parser: Any) -> None:
    add = _adder(parser.add_argument_group("what"))
    add("model", "MODEL", "what fit wrote, or - for standard input")
    add("data", "DATA", _DATA)
    text = "clusters for each row, nearest first; default 1"
    add("-n --nearest", "N", text, type=values.positive, default=1)
    text = "by the prices of a balanced model: sizes are as even as they were in training"
    add("--balanced", None, text, **_flag())
    _threads(add)
    _input(parser)
    text = (
        "labels: .npy .csv .tsv .txt .ivecs .parquet .arrow; default: lines on standard output"
    )
    add = _output(parser, text, "-")
    add("--to", "FORMAT", _TO, choices=WRITTEN)
    text = "also write the distances: squared Euclidean, or 1 - cosine"
    add("--distances", "FILE", text)


def _sweep(parser: Any) -> None:
    add = _adder(parser.add_argument_group("what"))
    add("data", "DATA", _DATA)
    text = "numbers of clusters: 2:10, 10:100:10, 8,16,32"
    add("-k --clusters", "RANGE", text, type=values.counts, required=True)
    _training(parser)
    _input(parser)
    _output(parser)


def _info(parser: Any) -> None:
    add = _adder(parser.add_argument_group("what"))
    add("file", "FILE", "a model, or a file of rows")
    add("--check", None, "read the whole model and verify its checksum", **_flag())
    _input(parser)
    _output(parser)


def _convert(parser: Any) -> None:
    add = _adder(parser.add_argument_group("what"))
    add("input", "INPUT", "rows, as those of fit, or a model")
    text = "of a model: centroids (default), labels, sizes, or medoids (numbers of rows)"
    add("--part", "PART", text, choices=_PARTS)
    text = "of the model that is made of centroids: cosine (default) or euclidean"
    add("--metric", "METRIC", text, choices=_METRICS)
    text = f"{', '.join(_DTYPES)}; default: as they are"
    add("--dtype", "TYPE", text, choices=_DTYPES)
    _sample(add)
    add("--seed", "N", "of --sample; default 0", type=values.seed, default=0)
    _input(parser)
    text = (
        "rows: .npy .csv .tsv .txt .parquet .arrow .fvecs .bvecs .ivecs, or - for lines on "
        "standard output; a model: .safetensors"
    )
    add = _output(parser, text)
    add("--to", "FORMAT", _TO, choices=WRITTEN)


_TO = f"instead of what the name of the output tells: {', '.join(WRITTEN)}"


def _training(parser: Any) -> None:
    add = _adder(parser.add_argument_group("training"))
    text = "cosine (default) or euclidean"
    add("--metric", "METRIC", text, choices=_METRICS, default="cosine")
    text = "bound the sizes of clusters, as one of the next says"
    add("--balanced", None, text, **_flag())
    text = "the largest difference of sizes; default 16"
    add("--max-balance-diff", "N", text, type=values.positive)
    add("--min-size", "N", "the least points in a cluster", type=values.natural)
    add("--max-size", "N", "the most points in a cluster", type=values.positive)
    add("--medoids", None, "centres are rows of the data (K-medoids)", **_flag())
    add("--weights", "FILE", "a weight for each row: .npy, .csv and so on")
    _sample(add)
    add("--iterations", "N", "at most; default 25", type=values.positive)
    text = "stop when an iteration gains less than this fraction; default 0"
    add("--tolerance", "X", text, type=values.fraction)
    text = (
        "auto (default), k-means++, k-means||, random, tree; or a file of centroids, or a model"
    )
    add("--init", "HOW", text)
    text = "starts, of which the best is kept; default 1"
    add("--n-init", "N", text, type=values.positive)
    add("--quality", "LEVEL", "fast, default or best")
    add("--seed", "N", "of every random choice; default 0", type=values.seed, default=0)
    _threads(add)
    add("--memory", "BYTES", "to use beside the data: 4G", type=values.amount)


def _sample(add: Any) -> None:
    text = "take so many rows by chance, for one --seed always the same: 256k"
    add("--sample", "ROWS", text, type=values.amount)


def _threads(add: Any) -> None:
    text = "default: all cores; results do not depend on it"
    add("--threads", "N", text, type=values.positive)


def _input(parser: Any) -> None:
    add = _adder(parser.add_argument_group("input"))
    text = (
        "column of vectors, or columns of numbers: names, numbers, ranges: a,b,2:5; of a "
        ".npz the array; may be repeated"
    )
    add("--column", "NAME", text, action="append")
    text = f"instead of what the file's name and start tell: {', '.join(NAMES)}"
    add("--format", "FORMAT", text, dest="form", choices=NAMES)
    text = "of a .csv: one character, tab or space; default: found out"
    add("--delimiter", "MARK", text)
    text = "the first line of a .csv holds names; default: found out"
    add("--header", None, text, default=None, **_flag())
    text = "the first line of a .csv is a row"
    add("--no-header", None, text, dest="header", **_flag("store_false"))


def _output(parser: Any, what: str = "", default: str | None = None) -> Callable[..., None]:
    add = _adder(parser.add_argument_group("output"))
    if what:
        add("-o --output", "FILE", what, required=default is None, default=default)
    add("--json", None, "one JSON object on standard output", **_flag())
    add("-q --quiet", None, "nothing but errors", **_flag())
    add("-h --help", None, "show this", **_flag("help"))
    return add


COMMANDS = {
    "fit": Command(
        "DATA -k K -o MODEL",
        "train a model",
        "Train a model of K clusters and save it.",
        _fit,
    ),
    "assign": Command(
        "MODEL DATA -o LABELS",
        "find the nearest clusters of rows",
        "Write the nearest cluster of each row of DATA, or several, block by block.",
        _assign,
    ),
    "sweep": Command(
        "DATA -k 2:10",
        "compare numbers of clusters",
        "Train with several numbers of clusters and compare the results.",
        _sweep,
    ),
    "info": Command(
        "FILE",
        "tell what a model, or a file of rows, holds",
        "Tell what a model holds, or of what shape and type a file of rows is. Of models the "
        "header and the sizes of clusters are read, no more.",
        _info,
    ),
    "convert": Command(
        "INPUT -o OUTPUT",
        "change the format of rows; take the centroids out of a model",
        "Write the rows of INPUT in another format. Of a model, the rows are its centroids or "
        "what --part says. An OUTPUT.safetensors is the model of the centroids in INPUT.",
        _convert,
    ),
}
