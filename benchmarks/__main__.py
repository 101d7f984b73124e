"""Every benchmark, one after the other, and one table of all goals: ``python -m benchmarks``.

About twenty-five minutes, on a machine that does nothing else. Each benchmark is a script of its own beside this file and says
with ``--help`` what it compares. The results go to one JSON file, from which ``benchmarks/plot.py`` draws pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)  # for `python -m benchmarks`

from _children import models_folder, scratch  # noqa: E402
from _report import GOAL_COLUMNS, Goal, Spread, machine, table  # noqa: E402

NAMES = (
    "imports", "ownership", "placement_scale", "call_cost", "load_time", "compile_cost", "memory", "tail", "two_models",
    "pipeline", "pinned_path", "data_parallel", "keras_models", "keras_pairs", "mxnet_models", "top_cost", "cluster",
)  # fmt: skip


def main() -> int:
    """Run them; 1 where one of them broke."""
    make = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    make.add_argument("--quick", action="store_true", help="short windows: shows that all of it works, measures little")
    make.add_argument("--only", nargs="+", default=NAMES, choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    make.add_argument("--out", default=os.path.join(HERE, "results.json"), metavar="FILE", help="default %(default)s")
    options = make.parse_args()
    models_folder()  # of this process, so that each file is made once
    answers, broken = scratch(), []
    results = {"machine": machine(), "quick": options.quick, "benchmarks": {}}
    for number, name in enumerate(options.only, 1):
        print(f"\n== {number} of {len(options.only)}: {name}", flush=True)
        path = os.path.join(answers, f"{name}.json")
        command = [sys.executable, os.path.join(HERE, f"{name}.py"), "--json", path]
        began = time.monotonic()
        code = subprocess.call([*command, *(["--quick"] if options.quick else [])])
        print(f"== {name}: {time.monotonic() - began:.0f} s", flush=True)
        if code:
            broken.append(name)
            print(f"== {name} ended with exit status {code}", flush=True)
            continue
        with open(path) as file:
            results["benchmarks"][name] = json.load(file)
        write(options.out, results)  # after each, so that an end by Ctrl-C loses little
    summarise(results)
    print(f"\nwritten to {options.out}" + (f"; broken: {', '.join(broken)}" if broken else ""))
    return 1 if broken else 0


def write(path: str, results: dict[str, object]) -> None:
    """Replace the file of results in one step."""
    with open(path + ".new", "w") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
    os.replace(path + ".new", path)


def summarise(results: dict[str, object]) -> None:
    """The goals of all benchmarks."""
    rows = []
    for name, benchmark in results["benchmarks"].items():
        for goal in benchmark["goals"]:
            fields = {key: value for key, value in goal.items() if key != "met"}
            fields["measured"] = fields["measured"] and Spread(**fields["measured"])
            rows.append([f"{name}: {fields.pop('name')}", *Goal("", **fields).row()[1:]])
    if rows:
        table("all goals", GOAL_COLUMNS, rows)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
