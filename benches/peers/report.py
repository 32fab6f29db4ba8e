"""Turns results.json into docs/benchmarks.md and its picture, and into a page of
tables for each kind of processor."""

import re

from workloads import ROOT

#: Inertia over Kentro's that counts as the same result of everyone's defaults.
ALIKE = 1.005

PAGE = ROOT / "docs/benchmarks.md"
PICTURE = ROOT / "docs/benchmarks.svg"
#: A page for each kind of processor.
TABLES = ROOT / "docs/benchmarks"

#: Longer bars are cut off.
LONGEST = 14.0

COLOURS = ("#2a6f97", "#e09f3e", "#9e2a2b", "#6a994e", "#735d78")

WHAT = {
    "kmeans": "{iterations} iterations from the same {k} rows, then labels",
    "weighted": "{iterations} iterations from the same {k} rows, with log-normal weights, then labels",
    "defaults": "everyone's defaults, {k} clusters",
    "assign": "{top} nearest of {k} centroids for every row",
    "ask": "{top} nearest of {k} centroids, rows in each call: {batch}",
    "balanced": "{k} clusters of equal size, at most {iterations} iterations",
    "medoids": "{k} medoids, sum of Euclidean distances",
}

HEAD = """# Benchmarks

Written by `python benches/peers/compare.py` from
[results.json](../benches/peers/results.json); the same command measures again, and
keeps what is measured on one kind of processor beside what others gave.

Every measurement is a process of its own, in interleaved rounds; medians.
One thread counts in CPU seconds, more in wall seconds. The time includes the
labels of all rows. *Ratio* is a library's time over Kentro's: above 1 Kentro
is faster. *Inertia* is scored in float64 and relative to the lowest in the
table (for medoids the sum of distances). faiss runs with its OpenBLAS told to
use AVX-512, or AVX2 where the CPU lacks that (`faiss`), and with MKL (`faiss-mkl`). SuperKMeans runs flat,
without sampling or early stop, and draws random rows of its own. Kentro's
labels are the float64 brute-force labels; the others compute in float32, and
SuperKMeans prunes by a probabilistic test. In the rows E everyone runs with the
defaults, and the fastest peer is that of those within 0.5 % of Kentro's inertia;
the tables show all. In W1w and W3w rows have weights. In the rows S and L data is
sparse (CSR), and c stands for cosine: scikit-learn, which doesn't have it, runs on
the same unit rows. Others used the machine a little, and much for
L1000i1; those of 1,000 clusters were measured once. The machine of Zen 3, which has no
AVX-512, was never quiet: the same work takes up to 1.6 times as long from one minute to
the next. No row was measured with AMX:
Kentro's kernels for it have not been run on a CPU that has it.

![Time of the fastest peer over Kentro's](benchmarks.svg)

The ratio of the fastest peer, by kind of processor; all times are behind the names:

{summary}

What the bound on cluster sizes costs: the same start and as many iterations,
with it and without. [algorithms/balanced.md](algorithms/balanced.md) says where
it costs more.

{plain}

A trained model that is asked for a few rows in each call, from C: what a row takes,
in microseconds, with 1,000 clusters of 128 dimensions. `make bench` builds and runs
[one_row.c](../benches/one_row.c); one thread, CPU time, the least of nine rounds; AMD
EPYC (Zen 5), 2026-11-30. A loop over the centroids (`-O3 -march=native -ffast-math`)
takes 4.2. The rows A1, A1k8, A64 and A4096 are from Python, with as many rows in
each call.

| rows in a call | 1 | 4 | 16 | 64 | 256 | 1,024 | 4,096 |
|---|---|---|---|---|---|---|---|
| nearest | 4.54 | 1.32 | 0.76 | 0.71 | 0.67 | 0.71 | 0.79 |
| nearest, cosine | 4.64 | 1.35 | 0.78 | 0.75 | 0.70 | 0.77 | 0.80 |
| nearest 8 | 5.77 | 2.18 | 1.48 | 1.47 | 1.41 | 1.40 | 1.62 |
| nearest, held to AVX2 | 4.58 | 1.81 | 1.66 | 1.61 | 1.55 | 1.68 | 1.67 |

Before, one row took 489, 64 rows 5.7 each, 4,096 rows 0.87 each.

## More rows than memory

8,000,000 sentence embeddings of 384 dimensions (float32, 12.3 GB, repeated with noise), k =
512, 4 iterations from random rows, quality `"fast"`, two threads
([scale.md](scale.md#on-one-machine)); AMD EPYC (Zen 4), 2026-11-30, while others built on
both cores, so that the rates are rows × iterations in a CPU second beside those of an
array of a third of the rows (`python benches/out_of_core.py FILE --clusters 512
--iterations 4 --limits 2000000000 500000000`). *Dropped*: the pages of the file leave the cache soon after
they were used; then GB are read from the disk in a second, and a plain reader gets so
many just before. Anonymous memory is that of the whole process at its peak: a source that
reads holds two blocks of 0.15 GB itself, and what the array takes is not counted.

| way | limit, GB | CPU seconds | of the array's rate | GB/s | a plain reader | anonymous, GB |
|---|---|---|---|---|---|---|
| array of 2,666,666 rows | | 27.9 | 1.00 | | | 0.83 |
| mapped file, cached | 2 | 81.6 | 1.03 | | | 0.28 |
| source of slices of it, cached | 2 | 84.1 | 1.00 | | | 1.84 |
| source that reads, cached | 2 | 104.4 | 0.80 | | | 2.15 |
| source that reads, cached | 0.5 | 103.3 | 0.81 | | | 0.65 |
| one pass of `partial_fit` over 1,000,000 rows, cached | 0.5 | 4.3 | | | | 0.07 |
| source that reads, dropped | 2 | 114.4 | 0.73 | 0.32 | 0.17 | 2.13 |
| mapped file, 4,000,000 rows, dropped | 1 | 70.5 | 0.59 | 0.43 | 0.16 | 0.06 |

The disk gave a plain reader 0.16 to 0.68 GB/s at other times of that hour. In the last row,
which is cut off from the cache every five seconds, rows are read 8.5 times for six
passes: a part of 256 MB is first searched, then summed.

`python benches/partial_fit.py`: one pass over 100,000 embeddings of 384 dimensions in blocks of
10,000 rows, k = 1,000, beside ten full iterations, on one thread.

| | CPU seconds | share | inertia |
|---|---|---|---|
| ten iterations | 2.21 | 1.00 | |
| `partial_fit`, quality `"fast"` | 0.93 | 0.42 | +2.7 % |
| `partial_fit` | 1.18 | 0.54 | +2.6 % |
"""

WITH_PLAIN = """| workload | plain, s | balanced, s | times | extra MiB, plain | balanced |
|---|---|---|---|---|---|
"""


def seconds(spec, result):
    return result["cpu" if spec["threads"] == 1 else "wall"]


def ranked(row):
    """(name, result, seconds), fastest first."""
    timed = [
        (name, result, seconds(row["spec"], result))
        for name, result in row["results"].items()
        if "error" not in result
    ]
    return sorted(timed, key=lambda item: item[2])


def fastest_peer(row):
    """With everyone's defaults, of the peers that get about as low as Kentro."""
    own = next((item for item in ranked(row) if item[0] == "kentro"), None)
    if own is None:
        return None
    peers = [item for item in ranked(row) if item[0] != "kentro"]
    if row["spec"]["task"] == "defaults":
        enough = ALIKE * own[1]["inertia"]
        peers = [item for item in peers if item[1]["inertia"] <= enough]
    return (peers[0], own) if peers else None


def with_plain(title, row):
    plain, own = row["results"]["kentro-plain"], row["results"]["kentro"]
    times = [seconds(row["spec"], result) for result in (plain, own)]
    extra = [result["extra_mib"] for result in (plain, own)]
    return (
        f"| {title} | {times[0]:.3f} | {times[1]:.3f} | {times[1] / times[0]:.2f} "
        f"| {extra[0]:.0f} | {extra[1]:.0f} |"
    )


def describe(spec):
    text = WHAT[spec["task"]].format(**spec)
    threads = "1 thread" if spec["threads"] == 1 else f"{spec['threads']} threads"
    return f"data `{spec['data']}`, {text}; {spec['metric']}, {threads}"


def table(row):
    best = min(
        (r["inertia"] for _, r, _ in ranked(row) if "inertia" in r), default=None
    )
    own = next((time for name, _, time in ranked(row) if name == "kentro"), None)
    lines = [
        "| library | seconds | ratio | inertia | extra MiB |",
        "|---|---|---|---|---|",
    ]
    for name, result, time in ranked(row):
        ratio = f"{time / own:.2f}" if own else ""
        inertia = f"{result['inertia'] / best:.5f}" if "inertia" in result else ""
        if "spread" in result:
            inertia += f" (sizes differ by {result['spread']:.0f})"
        extra = f"{result['extra_mib']:.0f}"
        lines.append(f"| {name} | {time:.3f} | {ratio} | {inertia} | {extra} |")
    for name, result in row["results"].items():
        if "error" in result:
            lines.append(f"| {name} | failed: {result['error'][:80]} | | | |")
    return "\n".join(lines)


def picture(ratios, kinds):
    """Horizontal bars: fastest peer's time over Kentro's, a colour for each kind of
    processor; cut off where few are that long."""
    bar, left, width, top = 9, 96, 640, 28 + 16 * len(kinds)
    scale = (width - left - 170) / LONGEST
    out, y = [], top
    for title, row in ratios.items():
        middle = y + bar * len(row) / 2
        out.append(f'<text x="8" y="{middle + 4:.1f}">{title}</text>')
        for kind, (peer, ratio) in row.items():
            colour = COLOURS[kinds.index(kind) % len(COLOURS)]
            length = min(ratio, LONGEST) * scale
            more = " …" if ratio > LONGEST else ""
            out.append(
                f'<rect x="{left}" y="{y}" width="{length:.1f}"'
                f' height="{bar - 1}" rx="2" fill="{colour}"/>'
            )
            out.append(
                f'<text x="{left + length + 6:.1f}" y="{y + bar - 1}"'
                f' font-size="9">{more} {ratio:.2f}× {peer}</text>'
            )
            y += bar
        y += 8
    x = left + scale
    head = [
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif"',
        f' font-size="12" viewBox="0 0 {width} {y + 8}">',
        f'<rect width="{width}" height="{y + 8}" fill="white"/>',
        '<text x="8" y="16" font-weight="bold">',
        "Time of the fastest peer over Kentro's (longer is better)</text>",
    ]
    for i, kind in enumerate(kinds):
        place = f'y="{24 + 16 * i}"'
        colour = COLOURS[i % len(COLOURS)]
        head.append(
            f'<rect x="{left}" {place} width="10" height="10" fill="{colour}"/>'
        )
        head.append(f'<text x="{left + 16}" y="{33 + 16 * i}">{kind}</text>')
    head.extend(out)
    head.append(
        f'<line x1="{x:.1f}" y1="{top - 4}" x2="{x:.1f}" y2="{y}"'
        ' stroke="#888" stroke-dasharray="3 3"/>'
    )
    return "\n".join([*head, "</svg>"]) + "\n"


def callers_share(workloads):
    """What of a fit with several threads the calling thread does itself, beside the
    threads it started: with more threads that becomes the limit."""
    lines = []
    for title, row in sorted(workloads.items()):
        own = row["results"].get("kentro", {})
        if row["spec"]["threads"] > 1 and "caller" in own:
            share = 100 * own["caller"] / own["cpu"]
            lines.append(f"| {title} | {row['spec']['threads']} | {share:.1f} % |")
    if not lines:
        return ""
    head = "| workload | threads | CPU time of the calling thread |\n|---|---|---|\n"
    text = (
        "\n## The calling thread\n\nIts part of Kentro's CPU time, in which no other "
    )
    return text + "thread works:\n\n" + head + "\n".join(lines) + "\n"


def choices(engines):
    """What Kentro chooses beside each engine forced, by instruction set."""
    if not engines:
        return ""
    names = list(
        dict.fromkeys(n for row in engines.values() for s in row.values() for n in s)
    )
    names.sort(key=lambda name: name != "chosen")
    lines = [
        "| workload | instruction set | "
        + " | ".join(names)
        + " | chosen / best | chosen is like |",
        "|---" * (len(names) + 4) + "|",
    ]
    for title, row in sorted(engines.items()):
        for isa, found in sorted(row.items()):
            cells = " | ".join(
                f"{found[name]:.3f}" if name in found else "" for name in names
            )
            ratio = found["chosen"] / min(found.values())
            like = alike(found)
            lines.append(f"| {title} | {isa} | {cells} | {ratio:.2f} | {like} |")
    return (
        "\n## Choices\n\nCPU seconds with the engine that Kentro chooses, and with each "
        "forced; `python\nbenches/peers/engines.py`. The last column is the forced engine "
        "that takes as long as the\nchoice, to 10 %: what was chosen, unless that can't be "
        "forced (k-d trees) or changed between\niterations.\n\n"
        + "\n".join(lines)
        + "\n"
    )


def alike(found):
    """The forced engine that takes about as long as the choice."""
    own = found["chosen"]
    forced = [name for name in found if name != "chosen"]
    near = min(forced, key=lambda name: abs(found[name] - own), default=None)
    return near if near and abs(found[near] - own) <= 0.1 * own else "none"


def page_of(kind):
    """The name of a kind's page."""
    return re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-") + ".md"


def ratios_of(results):
    """By workload and kind of processor: the fastest peer, and its time over
    Kentro's."""
    ratios = {}
    for kind, found in results.items():
        for title, given in found.get("ratios", {}).items():
            ratios.setdefault(title, {})[kind] = given["peer"], given["ratio"]
        for title, row in found.get("workloads", {}).items():
            if "kentro-plain" in row["results"] or not (pair := fastest_peer(row)):
                continue
            (peer, _, peer_time), (_, _, own_time) = pair
            ratios.setdefault(title, {})[kind] = peer, peer_time / own_time
    return dict(sorted(ratios.items()))


def summary(ratios, results):
    def link(kind):
        if "workloads" not in results[kind]:
            return f"{kind}, {results[kind]['date']}, ratios alone"
        return f"[{kind}](benchmarks/{page_of(kind)})"

    lines = [
        "| workload | " + " | ".join(link(kind) for kind in results) + " |",
        "|---" * (1 + len(results)) + "|",
    ]
    for title, row in ratios.items():
        cells = [
            f"{row[kind][1]:.2f} {row[kind][0]}" if kind in row else ""
            for kind in results
        ]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_tables(kind, found):
    listed = ", ".join(f"{name} {v}" for name, v in sorted(found["versions"].items()))
    text = (
        f"# Benchmarks on {kind}\n\nWritten by `python benches/peers/compare.py`; "
        f"[what is measured](../benchmarks.md). {found['cpus']} cores; {listed}.\n"
    )
    for title, row in sorted(found["workloads"].items()):
        text += (
            f"\n## {title}\n\n{describe(row['spec'])}; {row['date']}\n\n{table(row)}\n"
        )
    text += callers_share(found["workloads"]) + choices(found.get("engines"))
    (TABLES / page_of(kind)).write_text(text)


def write_report(results):
    TABLES.mkdir(exist_ok=True)
    plain = []
    for kind, found in results.items():
        rows = found.get("workloads", {})
        if rows:
            write_tables(kind, found)
        rows = [(t, row) for t, row in rows.items() if "kentro-plain" in row["results"]]
        if rows:
            lines = "\n".join(with_plain(title, row) for title, row in rows)
            plain.append(f"On {kind}:\n\n{WITH_PLAIN}{lines}")
    ratios = ratios_of(results)
    text = HEAD.format(summary=summary(ratios, results), plain="\n\n".join(plain))
    PAGE.write_text(text)
    PICTURE.write_text(picture(ratios, list(results)))
