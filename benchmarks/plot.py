"""Draws the results of ``python -m benchmarks`` as PNG files, and writes the tables of docs/performance.md. Needs
matplotlib."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, NullLocator
from two_models import LIMIT

HERE = os.path.dirname(os.path.abspath(__file__))
#: Okabe and Ito's colours, which people with any kind of colour vision tell apart.
OURS, THEIRS, CROWDED, DARK = "#0072b2", "#b0b7c0", "#d55e00", "#24292f"
LINES = [*zip(["#000000", "#0072b2", "#009e73", "#d55e00", "#cc79a7"], "osD^v")]
STYLE = {
    "font.size": 11, "text.color": DARK, "axes.labelcolor": DARK, "axes.edgecolor": DARK, "xtick.color": DARK,
    "ytick.color": DARK, "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left",
    "axes.titleweight": "bold", "axes.titlesize": 12, "axes.titlepad": 10, "figure.titlesize": 12,
    "figure.titleweight": "bold", "legend.frameon": False, "grid.alpha": 0.3, "lines.markersize": 5,
}  # fmt: skip
WHISKERS = {"ecolor": DARK, "capsize": 3, "elinewidth": 1}
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
PIXELS = 1800  # twice the width of a page, for sharp screens
NETWORKS = {"resnet50": "ResNet-50", "bert": "BERT", "tiny": "a tiny network"}
IMAGES = os.path.join(os.path.dirname(HERE), "docs", "images")


def main() -> None:
    """Draw whatever the results have."""
    make = argparse.ArgumentParser(description=__doc__)
    make.add_argument("results", nargs="?", default=os.path.join(HERE, "results.json"))
    make.add_argument("--out", default=IMAGES, metavar="FOLDER")
    options = make.parse_args()
    with open(options.results) as file:
        results = json.load(file)
    benchmarks = results["benchmarks"]
    os.makedirs(options.out, exist_ok=True)
    plt.rcParams.update(STYLE)
    for name, draw in PICTURES.items():
        if benchmarks.get(name, {}).get("data"):
            draw(benchmarks[name]["data"], options.out)
    flame(os.path.join(IMAGES, "call.svg"), options.out)
    page(results, os.path.join(os.path.dirname(os.path.abspath(options.out)), "performance.md"))


def page(results: dict[str, Any], path: str) -> None:
    """Put tables between the marks of a page: ``<!-- NAME -->`` and ``<!-- end -->``."""
    if not os.path.exists(path):
        return
    blocks = {"machine": [about(results["machine"])], "goals": goals(results["benchmarks"])}
    for benchmark, prefix in {"two_models": "", "keras_models": "keras-", "mxnet_models": "mxnet-"}.items():
        for network, sides in results["benchmarks"].get(benchmark, {}).get("data", {}).items():
            if all(isinstance(side, dict) and "rate" in side for side in sides.values()):  # other parts have other data
                blocks[prefix + network] = rates(sides)
    with open(path) as file:
        text = file.read()
    for name, lines in blocks.items():
        before, mark, rest = text.partition(f"<!-- {name} -->\n")
        if mark:
            text = before + mark + "\n".join(lines) + "\n" + rest[rest.index("<!-- end -->") :]
    with open(path, "w") as file:
        file.write(text)


def rates(sides: dict[str, Any]) -> list[str]:
    """Two models at once as rows."""
    return [
        "| two models at once | inferences a second | ÷ naive (quartiles) |",
        "|---|---|---|",
        *(f"| {name} | {side['rate']:,.1f} | {spread(side['ratio'], 2)} |" for name, side in sides.items()),
    ]


def about(machine: dict[str, Any]) -> str:
    """The machine in a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    return (
        f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['memory_gib']:.0f} GiB, Linux {machine['kernel']}, "
        f"Python {machine['python']}, {versions}; {machine['time'][:10]}."
    )


def goals(benchmarks: dict[str, Any]) -> list[str]:
    """All goals as rows."""
    rows = ["| goal | wanted | median (quartiles) | |", "|---|---|---|---|"]
    for name, benchmark in benchmarks.items():
        for goal in benchmark["goals"]:
            sign = "at least" if goal["at_least"] else "at most"
            measured = spread(goal["measured"], 2) if goal["measured"] else "not measured"
            met = "met" if goal["met"] else "**not met**"
            wanted = f"{sign} {goal['goal']:g} {goal['unit']}".strip()
            rows.append(f"| `{name}`: {goal['name']} | {wanted} | {measured} | {met} |")
    return rows


def spread(measured: dict[str, Any], digits: int) -> str:
    """``1.49 (1.47 to 1.52)``."""
    median, low, high = (f"{measured[key]:,.{digits}f}" for key in ("median", "low", "high"))
    return f"{median} ({low} to {high})"


def two_models(data: dict[str, Any], folder: str) -> None:
    """One picture a network: bars of the ratio to naive, with a line at two pinned processes of the engine, by hand."""
    for network, sides in data.items():
        if not sides:
            continue
        ratios = {name: side["ratio"] for name, side in sides.items()}
        figure, axes = plt.subplots(figsize=(9, 0.42 * len(sides) + 1.5))
        bars(axes, ratios, "{:.2f}", "longer is better")
        if LIMIT in sides:
            axes.axvline(ratios[LIMIT]["median"], color=DARK, linestyle="--", linewidth=1, zorder=0)
        axes.set_xlabel(
            "inferences a second ÷ two threads of PyTorch with defaults\n"
            "median and quartiles of pairs of windows; dashed: two pinned processes of OpenVINO, by hand"
        )
        axes.set_title(f"Two models at once on two CPUs: {NETWORKS.get(network, network)}")
        save(figure, folder, f"two_models_{network}.png")


def keras_models(data: dict[str, Any], folder: str) -> None:
    """The same for Keras."""
    sides = data.get("resnet50")
    if not sides:
        return
    figure, axes = plt.subplots(figsize=(9, 0.42 * len(sides) + 1.5))
    bars(axes, {name: side["ratio"] for name, side in sides.items()}, "{:.2f}", "longer is better")
    axes.set_xlabel("inferences a second ÷ two threads that call model(x)\nmedian and quartiles of pairs of windows")
    axes.set_title("Two Keras models at once on two CPUs: ResNet-50")
    save(figure, folder, "keras_resnet50.png")


def call_cost(data: dict[str, Any], folder: str) -> None:
    """Bars of one call."""
    figure, axes = plt.subplots(figsize=(9, 0.42 * len(data) + 1.5))
    costs = {name: {k: v * 1e6 for k, v in side["cost"].items()} for name, side in data.items()}
    bars(axes, costs, "{:.1f}", "shorter is better")
    axes.set_xlabel("microseconds a call (median, quartiles of rounds)")
    axes.set_title("One call of a tiny network")
    save(figure, folder, "call_cost.png")


def tail(data: dict[str, Any], folder: str) -> None:
    """p50 and p99 of the light model, alone and beside the heavy one."""
    figure, panels = plt.subplots(1, len(data), figsize=(9, 4.2), squeeze=False)
    for axes, (light, ways) in zip(panels[0], data.items()):
        for position, way in enumerate(ways.values()):
            for shift, key, colour in ((-0.2, "alone", THEIRS), (0.2, "beside", CROWDED)):
                p50, p99 = ({k: v * 1e3 for k, v in way[f"{what}_{key}"].items()} for what in ("p50", "p99"))
                look = {"color": colour, "width": 0.38}
                axes.bar(position + shift, p99["median"], alpha=0.5, yerr=quartiles(p99), error_kw=WHISKERS, **look)
                axes.bar(position + shift, p50["median"], **look)
                axes.text(position + shift, p99["high"], f" {p99['median']:.3g}", ha="center", va="bottom", fontsize=9)
        axes.set_xticks(range(len(ways)), [name.replace(", ", ",\n") for name in ways])
        axes.set_ylabel("milliseconds a call")
        axes.set_title(NETWORKS.get(light, light), fontsize=11)
        say_better(axes, "shorter is better")
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in (THEIRS, CROWDED)]
    labels = ["alone", "beside three clients of a ResNet-50"]
    figure.legend(handles, labels, loc="lower center", ncol=2, bbox_to_anchor=(0.5, -0.07))
    figure.suptitle(
        "Latency of a light model: p50 (full colour) and p99 (pale, with its median and quartiles)", x=0.01, ha="left"
    )
    save(figure, folder, "tail.png")


def placement_scale(data: dict[str, Any], folder: str) -> None:
    """Time of a placement over the number of models, a line for each number of NCs. Medians: a mean of a quarter of a
    second contains one or two renewals of the record or none, which is chance."""
    figure, axes = plt.subplots(figsize=(9, 4))
    for (ncs, medians), (colour, marker) in zip(data.items(), itertools.cycle(LINES)):
        median = [median["place_median"] + median["release_median"] for median in medians.values()]
        axes.plot([int(count) for count in medians], median, color=colour, marker=marker, label=f"{ncs} NCs")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda count, _place: f"{count:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)
    axes.set_xlabel("models that are placed already")
    axes.set_ylabel("microseconds (median)")
    axes.set_title("To place one more model and release it")
    axes.grid(visible=True, axis="y")
    axes.legend(bbox_to_anchor=(1.0, 1.0), loc="upper left")
    say_better(axes, "lower is better")
    save(figure, folder, "placement_scale.png")


def bars(axes: Any, spreads: dict[str, dict[str, float]], form: str, better: str) -> None:
    """Horizontal bars with quartiles and numbers, from the top; ours in colour."""
    most = max(measured["high"] for measured in spreads.values())
    for position, (name, measured) in enumerate(spreads.items()):
        colour = OURS if "adapter" in name else THEIRS
        axes.barh(position, measured["median"], 0.7, color=colour, xerr=quartiles(measured), error_kw=WHISKERS)
        axes.text(
            measured["high"] + most * 0.015,
            position,
            form.format(measured["median"]),
            va="center",
            fontsize=10,
            bbox=PAPER,
        )
    axes.set_yticks(range(len(spreads)), list(spreads))
    axes.invert_yaxis()
    axes.set_xlim(0, most * 1.1)
    say_better(axes, better)


def quartiles(measured: dict[str, float]) -> list[list[float]]:
    """The whiskers of a bar, down and up."""
    return [[measured["median"] - measured["low"]], [measured["high"] - measured["median"]]]


def say_better(axes: Any, text: str) -> None:
    """Say above the right end what is better."""
    axes.set_title(text, loc="right", fontsize=10, style="italic", weight="normal")


def flame(path: str, folder: str) -> None:
    """Copy a flame graph of py-spy's. Code without symbols goes by its library there, not by an address, which is
    another in every process."""
    if not os.path.exists(path):
        return
    with open(path) as file:
        text = file.read()
    text = re.sub(r"<title>0x[0-9a-f]+ \(([^)]*)\)", r"<title>\1", text)
    text = re.sub(r"(<title>(lib[^ ]*)[^<]*</title><rect[^>]*/><text[^>]*>)0x[0-9a-f.]*", _label, text)
    with open(os.path.join(folder, os.path.basename(path)), "w") as file:
        file.write(text)


def _label(match: re.Match[str]) -> str:
    """A frame with the name of its library, as long as what was there."""
    room = len(match[0]) - len(match[1])
    return match[1] + (match[2] if len(match[2]) <= room else match[2][: max(0, room - 2)] + "..")


def save(figure: Any, folder: str, name: str) -> None:
    """Write and forget a picture."""
    path = os.path.join(folder, name)
    figure.tight_layout()
    figure.savefig(path, dpi=PIXELS / 9, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    print(path)


PICTURES = {
    "two_models": two_models,
    "keras_models": keras_models,
    "call_cost": call_cost,
    "tail": tail,
    "placement_scale": placement_scale,
}

if __name__ == "__main__":
    main()
