"""Two compiled Keras models in one process, beside two processes that were pinned by hand.

What two threads of one process lose has two parts, so there are three sides: two threads with a model each; two
processes of the adapter with a model each, which share no interpreter; and two pinned processes of the engine by hand,
each with one request whose input and output stay where they are. Threads ÷ adapter's processes is what sharing an
interpreter costs, adapter's processes ÷ engine by hand is what the adapter's call costs.

The tiny network and the LSTM have no goal: their calls are short beside the part of a call that holds the
interpreter's lock. Two CPUs, a NeuronCore each.
"""

from __future__ import annotations

from typing import Any

from _children import Child, environment, model, scratch
from _measure import Side, Spread, entries_of, interleave, ratios, values
from _report import Report, confine, parser, settings, table
from keras_models import GROUPS

THREADS = "adapter, compiled, two threads"
PROCESSES = "2 processes, adapter, compiled"
LIMIT = "2 processes, OpenVINO, pinned"

ONE_THREAD = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": "1"}

#: Networks, and whether a call takes 1 ms and more: then there is a goal.
NETWORKS = {"mobilenet": True, "lstm": False, "tiny": False}


def sides(network: str, cpus: list[int]) -> list[Side]:
    """The ways to serve two instances of a network."""

    def threads() -> list[Child]:
        way = "keras_compiled"
        return [Child(way, [model(network, way), model(network, way)], environment(scratch(), **GROUPS))]

    def processes() -> list[Child]:
        way, env = "keras_compiled", environment(scratch(), NEURON_RT_NUM_CORES="1")
        return [Child(way, [model(network, way)], env) for _ in cpus]

    def by_hand() -> list[Child]:
        way = "keras_openvino"
        return [
            Child(way, [model(network, way)], environment(scratch()), cpus=[cpu], options=ONE_THREAD) for cpu in cpus
        ]

    return [Side(THREADS, threads), Side(PROCESSES, processes), Side(LIMIT, by_hand)]


def main() -> None:
    """Measure."""
    make = parser(__doc__, rounds=9, seconds=1.0)
    make.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS), metavar="NETWORK")
    options = make.parse_args()
    rounds, seconds = settings(options)
    cpus = confine(2)
    report = Report("keras_pairs", options)
    for network in options.networks:
        windows = interleave(entries_of(sides(network, cpus)), rounds, seconds)
        show(report, network, windows)
    report.finish()


def show(report: Report, network: str, windows: dict[str, list[Any]]) -> None:
    """The table of one network, and its goal."""
    rows, data = [], {}
    for name, mine in windows.items():
        rate, call = Spread.of(values(mine)), Spread.of(values(mine, "p50"))
        ratio = Spread.of(ratios(mine, windows[LIMIT]))
        if rate is None or call is None or ratio is None:
            rows.append([name, *["-"] * 3])
            continue
        rows.append([name, f"{rate.median:,.1f}", f"{call.median * 1e6:,.0f}", ratio.text(3)])
        data[name] = {"rate": rate.median, "p50": call.median, "ratio": vars(ratio), "rates": values(mine)}
    columns = ["side", "inferences/s", "a call, us", "÷ OpenVINO by hand (quartiles)"]
    table(f"two compiled Keras models of {network}", columns, rows)
    sharing = Spread.of(ratios(windows[THREADS], windows[PROCESSES]))
    if sharing is not None:
        print(f"two threads ÷ two processes of the adapter: {sharing.text(3)}")
        data["sharing"] = vars(sharing)
    report.data[network] = data
    if NETWORKS[network]:
        against = ratios(windows[THREADS], windows[LIMIT])
        report.goal(f"{network}: two threads ÷ 2 pinned processes of OpenVINO", 0.97, against, at_least=True)


if __name__ == "__main__":
    main()
