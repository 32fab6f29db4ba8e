"""Times what Kentro chooses beside every choice that can be forced.

    python benches/peers/engines.py                        # all rows, W1 to W8k8
    python benches/peers/engines.py -w W3 -i vnni --rounds 5

For each workload and instruction set: CPU seconds of one thread, with the engine that
Kentro chooses and with each engine forced (`KENTRO_ENGINE`); the least of interleaved
rounds. A choice is good if it is within 5 % of the best: the table is printed in the end,
with the rows where it is not. Engines that are slower than the choice by `--hopeless`
times in the first round are not run again. Results go to benches/peers/results.json,
beside those of other kinds of processors.
"""

import argparse
import json
from pathlib import Path

from compare import RESULTS, measure, processor
from report import choices, write_report
from workloads import ROOT, WORKLOADS, data_path

ENGINES = ("chosen", "principal", "eight_bit", "few_centroids", "float32")

ROWS = "W1,W1i25,W2,W3,W4,W5,W6a,W6b,W7,W8,W8k8"

#: Name, and what /proc/cpuinfo calls what it needs.
SETS = {
    "avx2": ("avx2", "fma"),
    "avxvnni": ("avx_vnni",),
    "avx512": ("avx512f", "avx512bw"),
    "vnni": ("avx512_vnni",),
    "amx": ("avx512_vnni", "amx_tile", "amx_int8"),
}


def available():
    flags = set()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            flags = set(line.split(":", 1)[1].split())
            break
    return [name for name, needed in SETS.items() if flags.issuperset(needed)]


def least_times(spec, isa, cache, rounds, hopeless):
    """CPU seconds by engine."""
    least = {}
    left = list(ENGINES)
    for _ in range(rounds):
        for engine in list(left):
            environment = {"KENTRO_ISA": isa}
            if engine != "chosen":
                environment["KENTRO_ENGINE"] = engine
            seconds = measure("kentro", spec, cache, environment)["cpu"]
            least[engine] = min(seconds, least.get(engine, seconds))
            print(isa, engine, f"{seconds:.3f}", flush=True)
        left = [name for name in left if least[name] < hopeless * least["chosen"]]
    return least


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-w", "--workloads", default=ROWS)
    parser.add_argument("-i", "--sets", default=",".join(available()))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hopeless", type=float, default=1.3)
    parser.add_argument("--cache", default=str(ROOT / "build/bench-data"))
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text())
    kind = results.setdefault(processor(), {"workloads": {}})
    for title in options.workloads.split(","):
        spec = WORKLOADS[title]
        if data_path(spec["data"], options.cache) is None:
            print(f"{title}: left out, the data is not here")
            continue
        for isa in options.sets.split(","):
            print(title, flush=True)
            found = least_times(
                spec, isa, options.cache, options.rounds, options.hopeless
            )
            kind.setdefault("engines", {}).setdefault(title, {})[isa] = found
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    write_report(results)
    engines = kind.get("engines", {})
    print(choices(engines))
    for title, row in sorted(engines.items()):
        for isa, found in sorted(row.items()):
            best = min(found, key=found.get)
            if found["chosen"] > 1.05 * found[best]:
                print(f"{title} {isa}: more than 5 % slower than {best}")


if __name__ == "__main__":
    main()
