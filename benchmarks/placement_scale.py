"""What one more placement costs, with very many models and NeuronCores about. The core alone, no framework.

A runtime of so many NeuronCores is filled with so many models of one NeuronCore each; then one more is placed and
released, again and again. Given are microseconds of a place and of a release: the mean, which contains what the runtime
does now and then (it keeps its public record up to date in a thread of its own), and the median.
"""

from __future__ import annotations

import os
import statistics
import time

from _children import scratch
from _report import Report, parser, settings, table

import neuron_rt

NCS = (4, 16, 64, 256, 1024)
MODELS = (1, 10, 100, 1_000, 10_000, 100_000)
GOAL_AT = (64, 10_000)
WINDOW = 0.25  # seconds a measurement, several times as long as the record takes to be renewed


def new() -> neuron_rt.Model:
    """A model that is nothing but its need of one NC."""
    return neuron_rt.Model("model", 1, neuron_rt.PlainFramework(), kind="plain")


def measure(runtime: neuron_rt.Runtime, seconds: float) -> dict[str, float]:
    """Microseconds of a place and of a release beside the models that are there."""
    clock, placing, releasing = time.perf_counter, [], []
    end = clock() + seconds
    while clock() < end:
        model = new()
        began = clock()
        runtime.place(model)
        placed = clock()
        model.release()
        releasing.append((clock() - placed) * 1e6)
        placing.append((placed - began) * 1e6)
    return {
        "place": statistics.fmean(placing),
        "release": statistics.fmean(releasing),
        "place_median": statistics.median(placing),
        "release_median": statistics.median(releasing),
        "place_max": max(placing),
    }


def main() -> None:
    """Fill runtime after runtime."""
    options = parser(__doc__, rounds=5).parse_args()
    rounds, _seconds = settings(options)
    report = Report("placement_scale", options)
    counts = MODELS[:-1] if options.quick else MODELS
    rows = []
    for ncs in (4, 64) if options.quick else NCS:
        os.environ.update(NEURON_ADAPTERS_STATE_DIR=scratch(), NEURON_ADAPTERS_INSTANCE=str(ncs))
        runtime = neuron_rt.init()
        held, medians = [], {}
        for count in counts:
            for _ in range(count - len(held)):
                held.append(new())
                runtime.place(held[-1])
            tries = [measure(runtime, WINDOW) for _ in range(rounds if (ncs, count) == GOAL_AT else 1)]
            medians[count] = {key: statistics.median(times[key] for times in tries) for key in tries[0]}
            if (ncs, count) == GOAL_AT:
                for what in ("place", "release"):
                    name = f"{what}, 10,000 models on 64 NCs, mean"
                    report.goal(name, 50, [times[what] for times in tries], at_least=False, unit="us")
        runtime.close()
        report.data[str(ncs)] = {str(count): times for count, times in medians.items()}
        cells = [
            f"{times['place']:.0f}/{times['place_median']:.0f} + {times['release']:.1f}" for times in medians.values()
        ]
        rows.append([str(ncs), *cells])
    table(
        "us to place (mean/median) + to release (mean), by NCs (down) and models that are there (across)",
        ["NCs", *(f"{count:,}" for count in counts)],
        rows,
    )
    report.finish()


if __name__ == "__main__":
    main()
