"""What a model gains from more NeuronCores: its latency against the number that it was compiled for.

A model that is compiled with ``--neuroncore-pipeline-cores N`` takes a run of N NeuronCores and, with one NeuronCore a
CPU, computes with N threads. One client; the ratio is that of its median call to the same model on one NeuronCore. With
all CPUs it is also compared with OpenVINO by hand, which has the same threads. A tiny network has one thread on any
number of NeuronCores, since helpers would cost more CPU time than they save.
"""

from __future__ import annotations

import os

from _children import Child, environment, model, scratch
from _measure import Entry, Side, Spread, interleave, ratios, values
from _report import Report, parser, settings, table

NETWORKS = ("resnet50", "bert", "tiny")
BY_HAND = "OpenVINO by hand, all CPUs"


def main() -> None:
    """Measure the networks one after the other."""
    make = parser(__doc__, rounds=5, seconds=1.5)
    make.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS, metavar="NETWORK")
    options = make.parse_args()
    rounds, seconds = settings(options)
    report = Report("pipeline", options)
    most = len(os.sched_getaffinity(0))
    counts = sorted({1, most, *(2**power for power in range(1, 6) if 2**power < most)})
    for network in options.networks:
        entries = [Entry(str(count), side(network, count)) for count in counts]
        windows = interleave([*entries, Entry(BY_HAND, by_hand(network))], rounds, seconds)
        rows, data = [], {}
        for count, mine in windows.items():
            latency, ratio = Spread.of(values(mine, "p50")), Spread.of(ratios(mine, windows["1"], "p50"))
            if latency is None or ratio is None:
                rows.append([count, "-", "-"])
                continue
            rows.append([count, latency.text(1, 1e3), ratio.text()])
            data[count] = {"latency": vars(latency), "ratio": vars(ratio)}
        table(f"{network}, one client", ["NeuronCores", "median call, ms (quartiles)", "÷ one (quartiles)"], rows)
        report.data[network] = data
        if network == "tiny":
            costs = ratios(windows[str(most)], windows["1"], "cpu")
            report.goal("tiny: CPU time of a call, all NeuronCores ÷ one", 1.2, costs, at_least=False)
        else:
            against = ratios(windows[BY_HAND], windows[str(most)], "p50")
            report.goal(f"{network}: speed on all CPUs ÷ OpenVINO by hand", 0.97, against, at_least=True)
    report.finish()


def side(network: str, count: int) -> Side:
    """A process with one model of ``count`` NCs."""
    way = "adapter_compiled"
    return Side(
        f"{network} on {count}", lambda: [Child(way, [model(network, way, cores=count)], environment(scratch()))]
    )


def by_hand(network: str) -> Side:
    """A process of OpenVINO's Python interface, for one client."""
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    return Side(
        BY_HAND, lambda: [Child("openvino", [model(network, "openvino")], environment(scratch()), options=options)]
    )


if __name__ == "__main__":
    main()
