"""What it costs to own NeuronCores, and to fight for them. The core alone, no framework.

First fit, uncontended: ``neuron_rt.init()`` in fresh processes, after the imports, and again and again in one process.
The fight: this process owns all 16 NeuronCores, and 200 processes wait for 1 to 5 of them each, in a queue that is kept
by the kernel. Then it lets go, and everyone who gets some notes the time and ends at once. What is measured is the time
from the first free NeuronCore to the last grant, and so how quickly 200 owners can follow each other.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time

from _children import environment, scratch
from _files import BenchmarkError
from _measure import Spread, progress
from _report import Report, parser, settings, table
from _scripts import run

import neuron_rt

CORE = os.path.dirname(os.path.dirname(os.path.abspath(neuron_rt.__file__)))
FRESH = """
import json, time, neuron_rt
began = time.perf_counter()
neuron_rt.init()
print(json.dumps({"ms": (time.perf_counter() - began) * 1e3}))
"""
AGAIN = """
import json, sys, time, neuron_rt
times = []
for _ in range(int(sys.argv[1])):
    began = time.perf_counter()
    runtime = neuron_rt.init()
    times.append((time.perf_counter() - began) * 1e3)
    runtime.close()
print(json.dumps({"ms": times}))
"""
#: The monotonic clock is one clock for all processes.
FIGHTER = """
import os, time, neuron_rt
print("waiting", flush=True)
neuron_rt.init()
os.write(1, f"{time.monotonic()}\\n".encode())
os._exit(0)
"""
SETTLE = 1.0  # seconds for the last of them to come from its "waiting" into the queue
PATIENCE = 300


def fight(count: int) -> tuple[float, int]:
    """Seconds from the first free NC to the last grant, and how many got theirs."""
    state, chance = scratch(), random.Random(count)
    os.environ.update(NEURON_ADAPTERS_STATE_DIR=state, NEURON_ADAPTERS_INSTANCE="16")
    holder = neuron_rt.init()
    fighters: list[subprocess.Popen[str]] = []
    try:
        for _ in range(count):
            asks = {"NEURON_RT_NUM_CORES": str(chance.randint(1, 5)), "NEURON_ADAPTERS_WAIT": str(PATIENCE)}
            env = environment(state, NEURON_ADAPTERS_INSTANCE="16", PYTHONPATH=CORE, **asks)
            fighters.append(
                subprocess.Popen(
                    [sys.executable, "-S", "-c", FIGHTER],  # -S: without the packages that a site starts
                    env=env,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            )
        watch = threading.Timer(PATIENCE, lambda: [fighter.kill() for fighter in fighters])
        watch.start()
        for fighter in fighters:
            fighter.stdout.readline()
        time.sleep(SETTLE)
        freed = time.monotonic()
        holder.close()
        granted = [float(said) for fighter in fighters if (said := fighter.communicate()[0].strip())]
        watch.cancel()
    finally:
        holder.close()
        for fighter in fighters:
            if fighter.poll() is None:
                fighter.kill()
            fighter.wait()
    if not granted:
        raise BenchmarkError("nobody got any")
    return max(granted) - freed, len(granted)


def main() -> None:
    """Measure."""
    make = parser(__doc__, rounds=3)
    make.add_argument("--processes", type=int, metavar="N", help="how many fight; default 200, quick 20")
    options = make.parse_args()
    rounds, _seconds = settings(options)
    rounds = options.rounds or (1 if options.quick else rounds)
    count = options.processes or (20 if options.quick else 200)
    report = Report("ownership", options)
    env = environment(scratch(), NEURON_ADAPTERS_INSTANCE="16")
    fresh = [run(FRESH, env)["ms"] for _ in range(5 if options.quick else 30)][1:]
    again = run(AGAIN, env, "300")["ms"][1:]
    lasts, granted = [], []
    for turn in range(rounds):
        seconds, served = fight(count)
        progress(f"fight {turn + 1} of {rounds}: {served} of {count} served, the last after {seconds:.2f} s")
        lasts.append(seconds)
        granted.append(served)
    rows = [
        ["first fit in a fresh process, ms", Spread.of(fresh).text(3)],
        ["first fit, again in one process, ms", Spread.of(again).text(3)],
        [f"{count} processes fight for 16 NCs: the last grant, s", Spread.of(lasts).text(2)],
        [f"of {count} were served", str(min(granted))],
    ]
    table("ownership", ["", "median (quartiles)"], rows)
    report.data = {"fresh": fresh, "again": vars(Spread.of(again)), "lasts": lasts, "served": granted, "of": count}
    report.goal("first fit, uncontended, fresh process", 1.0, fresh, at_least=False, unit="ms")
    report.goal("first fit, uncontended, again", 1.0, again, at_least=False, unit="ms")
    report.goal(f"{count} processes: the last grant after the first free NC", 2.0, lasts, at_least=False, unit="s")
    report.goal(f"{count} processes: served", count, granted, at_least=True)
    report.finish()


if __name__ == "__main__":
    main()
