"""Turns results.json into docs/benchmarks.md and its picture."""

from workloads import ROOT

#: Inertia over Kentro's that counts as the same result of everyone's defaults.
ALIKE = 1.005

PAGE = ROOT / "docs/benchmarks.md"
PICTURE = ROOT / "docs/benchmarks.svg"

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
[results.json](../benches/peers/results.json); the same command measures again.

{machine}

Every measurement is a process of its own, in interleaved rounds; medians.
One thread counts in CPU seconds, more in wall seconds. The time includes the
labels of all rows. *Ratio* is a library's time over Kentro's: above 1 Kentro
is faster. *Inertia* is scored in float64 and relative to the lowest in the
table (for medoids the sum of distances). faiss runs with its OpenBLAS told to
use AVX-512 (`faiss`) and with MKL (`faiss-mkl`). SuperKMeans runs flat,
without sampling or early stop, and draws random rows of its own. Kentro's
labels are the float64 brute-force labels; the others compute in float32, and
SuperKMeans prunes by a probabilistic test. In the rows E everyone runs with the
defaults, and the fastest peer is that of those within 0.5 % of Kentro's inertia;
the tables show all. In W1w and W3w rows have weights; these two were measured later,
while others used the machine. In the rows S and L data is sparse (CSR), and c stands
for cosine: scikit-learn, which doesn't have it, runs on the same unit rows.

![Time of the fastest peer over Kentro's](benchmarks.svg)

| workload | fastest peer | its time, s | Kentro, s | ratio |
|---|---|---|---|---|
{summary}

What the bound on cluster sizes costs: the same start and as many iterations,
with it and without. [algorithms/balanced.md](algorithms/balanced.md) says where
it costs more.

| workload | plain, s | balanced, s | times | extra MiB, plain | balanced |
|---|---|---|---|---|---|
{plain}

A trained model that is asked for a few rows in each call, from C: what a row takes,
in microseconds, with 1,000 clusters of 128 dimensions. `make bench` builds and runs
[one_row.c](../benches/one_row.c); one thread, CPU time, the least of nine rounds; AMD
EPYC (Zen 5), 2026-11-30. A loop over the centroids (`-O3 -march=native -ffast-math`)
takes 4.2. A1, A1k8, A64 and A4096 below, of the same day, are from Python, with as
many rows in each call.

| rows in a call | 1 | 4 | 16 | 64 | 256 | 1,024 | 4,096 |
|---|---|---|---|---|---|---|---|
| nearest | 4.54 | 1.32 | 0.76 | 0.71 | 0.67 | 0.71 | 0.79 |
| nearest, cosine | 4.64 | 1.35 | 0.78 | 0.75 | 0.70 | 0.77 | 0.80 |
| nearest 8 | 5.77 | 2.18 | 1.48 | 1.47 | 1.41 | 1.40 | 1.62 |
| nearest, held to AVX2 | 4.58 | 1.81 | 1.66 | 1.61 | 1.55 | 1.68 | 1.67 |

Before, one row took 489, 64 rows 5.7 each, 4,096 rows 0.87 each.
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


def picture(rows):
    """Horizontal bars: fastest peer's time over Kentro's."""
    bar, left, width = 22, 96, 640
    most = max((ratio for _, _, ratio in rows), default=1.0)
    scale = (width - left - 170) / max(most, 1.0)
    height = bar * len(rows) + 44
    out = [
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif"',
        f' font-size="12" viewBox="0 0 {width} {height}">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        '<text x="8" y="16" font-weight="bold">',
        "Time of the fastest peer over Kentro's (longer is better)</text>",
    ]
    for i, (title, peer, ratio) in enumerate(rows):
        y = 28 + i * bar
        out.append(f'<text x="8" y="{y + 14}">{title}</text>')
        out.append(
            f'<rect x="{left}" y="{y + 2}" width="{ratio * scale:.1f}"'
            f' height="{bar - 6}" rx="2" fill="#2a6f97"/>'
        )
        out.append(
            f'<text x="{left + ratio * scale + 6:.1f}" y="{y + 14}">'
            f"{ratio:.2f}× {peer}</text>"
        )
    x = left + scale
    out.append(
        f'<line x1="{x:.1f}" y1="24" x2="{x:.1f}" y2="{height - 8}"'
        ' stroke="#888" stroke-dasharray="3 3"/>'
    )
    return "\n".join([*out, "</svg>"]) + "\n"


def write_report(results):
    machine = results["machine"]
    listed = ", ".join(f"{name} {v}" for name, v in sorted(machine["versions"].items()))
    text = (
        f"{machine['processor']}, {machine['cpus']} cores, {machine['date']}; {listed}."
    )
    summary, plain, bars, tables = [], [], [], []
    for title, row in results["workloads"].items():
        tables.append(f"\n## {title}\n\n{describe(row['spec'])}\n\n{table(row)}\n")
        if "kentro-plain" in row["results"]:
            plain.append(with_plain(title, row))
            continue
        pair = fastest_peer(row)
        if pair is None:
            continue
        (peer, _, peer_time), (_, _, own_time) = pair
        ratio = peer_time / own_time
        summary.append(
            f"| {title} | {peer} | {peer_time:.3f} | {own_time:.3f} | {ratio:.2f} |"
        )
        bars.append((title, peer, ratio))
    PAGE.write_text(
        HEAD.format(machine=text, summary="\n".join(summary), plain="\n".join(plain))
        + "".join(tables)
    )
    PICTURE.write_text(picture(bars))
