"""What isolation is for: a light model's latency beside three clients of a heavy one.

One process serves a light model to one client and a ResNet-50 to three. With default settings the light model's calls
stand behind the heavy one's threads. On a NeuronCore of its own, which is a CPU of its own here, it should not notice
them. Each process is measured with the light client alone and with all four clients, in turns; the ratio is that of a
process to itself. Two CPUs, one NeuronCore each.
"""

from __future__ import annotations

from _children import Child, environment, model, scratch
from _measure import Entry, Side, Spread, interleave, ratios, values
from _report import Report, confine, parser, settings, table

WAYS = {"defaults": "torch", "adapter": "adapter", "adapter, compiled": "adapter_compiled"}
LIGHT = ("bert", "tiny")
HEAVY = "resnet50"
CLIENTS = 3


def side(light: str, name: str, way: str) -> Side:
    """A process with both models. The adapter puts the first on NC0 and the second on NC1 by itself."""
    return Side(
        f"{light}, {name}",
        lambda: [Child(way, [model(light, way), model(HEAVY, way, clients=CLIENTS)], environment(scratch()))],
    )


def main() -> None:
    """Measure the light models one after the other."""
    make = parser(__doc__, rounds=5, seconds=1.5)
    make.add_argument("--light", nargs="+", default=list(LIGHT), choices=LIGHT, metavar="NETWORK")
    options = make.parse_args()
    rounds, seconds = settings(options)
    confine(2)
    report = Report("tail", options)
    for light in options.light:
        entries = []
        for name, way in WAYS.items():
            process = side(light, name, way)
            entries += [Entry(f"{name}, alone", process, models=(0,)), Entry(f"{name}, beside", process)]
        windows = interleave(entries, rounds, seconds)
        rows, data = [], {}
        for name in WAYS:
            alone, beside = windows[f"{name}, alone"], windows[f"{name}, beside"]
            figures = [Spread.of(values(mine, key)) for key in ("p50", "p99") for mine in (alone, beside)]
            ratio = Spread.of(ratios(beside, alone, "p99"))
            if ratio is None:
                rows.append([name, *["-"] * 5])
                continue
            rows.append([name, *(f"{figure.median * 1e3:,.3g}" for figure in figures), ratio.text()])
            keys = ("p50_alone", "p50_beside", "p99_alone", "p99_beside")
            data[name] = {key: vars(figure) for key, figure in zip(keys, figures)}
            data[name]["heavy_rate"] = [window["rates"][1] for window in beside if window]
        columns = ["served by", "p50 alone", "p50 beside", "p99 alone", "p99 beside", "p99 ratio (quartiles)"]
        table(f"{light} beside {CLIENTS} clients of {HEAVY}, ms", columns, rows)
        report.data[light] = data
        for name in list(WAYS)[1:]:
            numbers = ratios(windows[f"{name}, beside"], windows[f"{name}, alone"], "p99")
            report.goal(f"{light}, {name}: p99 beside ÷ alone", 1.15, numbers, at_least=False)
        against = ratios(windows["adapter, beside"], windows["defaults, beside"], "p99")
        report.goal(f"{light}: p99 beside, adapter ÷ defaults", 1.0, against, at_least=False)
    report.finish()


if __name__ == "__main__":
    main()
