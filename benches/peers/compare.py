"""Times Kentro beside the libraries that are installed.

    python benches/peers/compare.py                     # all workloads
    python benches/peers/compare.py -w W1,W3 -l kentro,scikit-learn --rounds 5
    python benches/peers/compare.py --report            # docs/benchmarks.md again

Each measurement is a process of its own; rounds are interleaved (A B C A B C),
so that a machine that changes speed changes it for everybody. One thread
counts in CPU seconds, more in wall seconds; medians are kept. Labels are part
of the time. Results go to benches/peers/results.json, those of each kind of
processor beside those of others.
"""

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from libraries import LIBRARIES
from report import write_report
from workloads import ROOT, WORKLOADS, data_path, start_path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
DISTRIBUTIONS = (
    "kentro",
    "scikit-learn",
    "scikit-learn-intelex",
    "faiss-cpu",
    "mkl",
    "superkmeans",
    "k-means-constrained",
    "kmedoids",
    "numpy",
)
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)


def installed(name):
    return all(
        importlib.util.find_spec(m.split(".")[0]) for m in LIBRARIES[name].modules
    )


def takes(name, spec):
    library = LIBRARIES[name]
    if spec["plain"] or name == "kentro-plain":
        return spec["plain"] and name.startswith("kentro")
    if name == "faiss-avx2":
        return False  # only against Kentro held to AVX2: see --avx2
    kind, default = ("sparse", False) if spec.get("sparse") else ("dense", True)
    if not getattr(library, kind, default):
        return False
    return hasattr(library, spec["task"]) and spec["metric"] in library.metrics


def measure(name, spec, cache, extra_environment):
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "LD_PRELOAD")
    }
    environment.update({key: str(spec["threads"]) for key in THREAD_VARIABLES})
    for key, value in getattr(LIBRARIES[name], "environment", ()):
        environment[key] = value.format(prefix=sys.prefix)
    environment.update(extra_environment)
    start = None
    if spec["task"] in ("kmeans", "weighted", "assign", "ask", "balanced"):
        start = str(start_path(spec, cache))
    request = {
        "library": name,
        "spec": spec,
        "data": str(data_path(spec["data"], cache)),
        "start": start,
        "cpus": list(range(spec["threads"])),
    }
    process = subprocess.run(
        [sys.executable, str(HERE / "measure.py")],
        input=json.dumps(request).encode(),
        capture_output=True,
        env=environment,
        check=False,
    )
    if process.returncode != 0:
        tail = process.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return {"error": " ".join(tail)}
    return json.loads(process.stdout)


def summarise(runs):
    good = [run for run in runs if "error" not in run]
    if not good:
        return runs[0]
    keys = set().union(*good)
    return {key: statistics.median(run[key] for run in good) for key in keys}


def versions():
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


#: What processors of a family and a range of models are called, where the name that
#: they give themselves doesn't tell.
KINDS = {
    ("AuthenticAMD", 23): [(0x30, 0xFF, "Zen 2")],
    ("AuthenticAMD", 25): [
        (0x10, 0x1F, "Zen 4"),
        (0x60, 0xAF, "Zen 4"),
        (0x00, 0x5F, "Zen 3"),
    ],
    ("AuthenticAMD", 26): [(0x00, 0xFF, "Zen 5")],
    ("GenuineIntel", 6): [
        (85, 85, "Skylake or Cascade Lake"),
        (106, 108, "Ice Lake"),
        (143, 143, "Sapphire Rapids"),
        (173, 174, "Granite Rapids"),
        (207, 207, "Emerald Rapids"),
    ],
}


def processor():
    """The kind of processor, such as "AMD EPYC (Zen 4)"."""
    found = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    name = found.get("model name", platform.processor())
    if "cpu family" not in found:
        return name
    model = int(found["model"])
    family = found["vendor_id"], int(found["cpu family"])
    for least, most, kind in KINDS.get(family, ()):
        if least <= model <= most:
            return f"{name} ({kind})"
    return name


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-w", "--workloads", default=",".join(WORKLOADS))
    parser.add_argument("-l", "--libraries", default=",".join(LIBRARIES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", default=str(ROOT / "build/bench-data"))
    parser.add_argument("--report", action="store_true", help="only write the report")
    parser.add_argument(
        "--avx2", action="store_true", help="W1 with Kentro and faiss held to AVX2"
    )
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if options.report:
        write_report(results)
        return

    names = [name for name in options.libraries.split(",") if installed(name)]
    chosen = {name: WORKLOADS[name] for name in options.workloads.split(",")}
    kind = results.setdefault(processor(), {"workloads": {}})
    extra = {}
    if options.avx2:
        names, chosen = ["kentro", "faiss-avx2"], {"W1avx2": WORKLOADS["W1"]}
        extra = {"KENTRO_ISA": "avx2"}
    for title, spec in chosen.items():
        if data_path(spec["data"], options.cache) is None:
            print(f"{title}: left out, the data is not here")
            continue
        takers = [name for name in names if options.avx2 or takes(name, spec)]
        runs = {name: [] for name in takers}
        for _ in range(options.rounds):
            for name in takers:
                run = measure(name, spec, options.cache, extra)
                runs[name].append(run)
                print(title, name, json.dumps(run), flush=True)
        row = {name: summarise(found) for name, found in runs.items()}
        kind["workloads"][title] = {
            "spec": spec,
            "rounds": options.rounds,
            "date": datetime.date.today().isoformat(),
            "results": row,
        }
        kind["cpus"] = os.cpu_count()
        kind["versions"] = versions()
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    write_report(results)


if __name__ == "__main__":
    main()
