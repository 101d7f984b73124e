"""Draws the results of ``python -m benchmarks`` as PNG files, and writes the tables of docs/performance.md. Needs
matplotlib."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from two_models import LIMIT

HERE = os.path.dirname(os.path.abspath(__file__))
OURS, THEIRS, CROWDED, DARK = "#1f6feb", "#b8c0cc", "#e07b39", "#24292f"
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
PIXELS = 1800  # twice the width of a page, for sharp screens


def main() -> None:
    """Draw whatever the results have."""
    make = argparse.ArgumentParser(description=__doc__)
    make.add_argument("results", nargs="?", default=os.path.join(HERE, "results.json"))
    make.add_argument("--out", default=os.path.join(os.path.dirname(HERE), "docs", "images"), metavar="FOLDER")
    options = make.parse_args()
    with open(options.results) as file:
        results = json.load(file)
    benchmarks = results["benchmarks"]
    os.makedirs(options.out, exist_ok=True)
    plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "text.color": DARK})
    for name, draw in PICTURES.items():
        if benchmarks.get(name, {}).get("data"):
            draw(benchmarks[name]["data"], options.out)
    page(results, os.path.join(os.path.dirname(os.path.abspath(options.out)), "performance.md"))


def page(results: dict[str, Any], path: str) -> None:
    """Put tables between the marks of a page: ``<!-- NAME -->`` and ``<!-- end -->``."""
    if not os.path.exists(path):
        return
    blocks = {"machine": [about(results["machine"])], "goals": goals(results["benchmarks"])}
    for benchmark, prefix in {"two_models": "", "keras_models": "keras-", "mxnet_models": "mxnet-"}.items():
        for network, sides in results["benchmarks"].get(benchmark, {}).get("data", {}).items():
            if all(isinstance(one, dict) and "rate" in one for one in sides.values()):  # other parts have other data
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
        *(f"| {name} | {one['rate']:,.1f} | {spread(one['ratio'], 2)} |" for name, one in sides.items()),
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
    for name, one in benchmarks.items():
        for goal in one["goals"]:
            sign = "at least" if goal["at_least"] else "at most"
            measured = spread(goal["measured"], 2) if goal["measured"] else "not measured"
            met = "met" if goal["met"] else "**not met**"
            wanted = f"{sign} {goal['goal']:g} {goal['unit']}".strip()
            rows.append(f"| `{name}`: {goal['name']} | {wanted} | {measured} | {met} |")
    return rows


def spread(one: dict[str, Any], digits: int) -> str:
    """``1.49 (1.47 to 1.52)``."""
    median, low, high = (f"{one[key]:,.{digits}f}" for key in ("median", "low", "high"))
    return f"{median} ({low} to {high})"


def two_models(data: dict[str, Any], folder: str) -> None:
    """One picture a network: bars of the ratio to naive, with a line for two pinned processes of the engine, by hand."""
    for network, sides in data.items():
        if not sides:
            continue
        figure, axes = plt.subplots(figsize=(9, 0.42 * len(sides) + 1.3))
        bars(axes, {name: one["ratio"] for name, one in sides.items()}, "{:.2f}")
        if LIMIT in sides:
            axes.axvline(sides[LIMIT]["ratio"]["median"], color=DARK, linestyle="--", linewidth=1)
        axes.set_xlabel(
            "inferences a second ÷ two threads of PyTorch with defaults; dashed: two pinned processes of OpenVINO"
        )
        axes.set_title(f"Two models of {network} on two CPUs", loc="left")
        save(figure, folder, f"two_models_{network}.png")


def keras_models(data: dict[str, Any], folder: str) -> None:
    """The same for Keras; the limit is the same session, opened by hand, in two pinned processes."""
    sides = data.get("resnet50")
    if not sides:
        return
    figure, axes = plt.subplots(figsize=(9, 0.42 * len(sides) + 1.3))
    bars(axes, {name: one["ratio"] for name, one in sides.items()}, "{:.2f}")
    axes.set_xlabel("inferences a second ÷ two threads that call model(x)")
    axes.set_title("Two Keras models of resnet50 on two CPUs", loc="left")
    save(figure, folder, "keras_resnet50.png")


def call_cost(data: dict[str, Any], folder: str) -> None:
    """Bars of one call."""
    figure, axes = plt.subplots(figsize=(9, 0.42 * len(data) + 1.3))
    bars(axes, {name: {k: v * 1e6 for k, v in one["cost"].items()} for name, one in data.items()}, "{:.1f}")
    axes.set_xlabel("microseconds a call (median, quartiles)")
    axes.set_title("One call of a tiny network", loc="left")
    save(figure, folder, "call_cost.png")


def tail(data: dict[str, Any], folder: str) -> None:
    """p50 and p99 of the light model, alone and beside the heavy one."""
    figure, panels = plt.subplots(1, len(data), figsize=(9, 3.8), squeeze=False)
    for axes, (light, ways) in zip(panels[0], data.items()):
        for position, one in enumerate(ways.values()):
            for shift, key, colour in ((-0.2, "alone", THEIRS), (0.2, "beside", CROWDED)):
                p50, p99 = (one[f"{what}_{key}"]["median"] * 1e3 for what in ("p50", "p99"))
                axes.bar(position + shift, p99, 0.38, color=colour, alpha=0.55)
                axes.bar(position + shift, p50, 0.38, color=colour)
                axes.text(position + shift, p99, f"{p99:.3g}", ha="center", va="bottom", fontsize=9)
        axes.set_xticks(range(len(ways)), [name.replace(", ", ",\n") for name in ways])
        axes.set_ylabel("ms a call")
        axes.set_title(light, loc="left")
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in (THEIRS, CROWDED)]
    labels = ["alone", "beside three clients of a ResNet-50"]
    figure.legend(handles, labels, loc="lower center", ncol=2, frameon=False, bbox_to_anchor=(0.5, -0.09))
    figure.suptitle("A light model's latency: p50 (full colour) and p99 (pale, with its number)", x=0.01, ha="left")
    save(figure, folder, "tail.png")


def placement_scale(data: dict[str, Any], folder: str) -> None:
    """Time of a placement over the number of models, a line for each number of NCs."""
    figure, axes = plt.subplots(figsize=(9, 4))
    for shade, (ncs, found) in enumerate(data.items()):
        counts = [int(count) for count in found]
        times = [one["place"] + one["release"] for one in found.values()]
        colour = plt.cm.viridis(shade / max(1, len(data)))
        axes.loglog(counts, times, marker="o", markersize=4, color=colour, label=f"{ncs} NCs")
    axes.set_xlabel("models that are placed already")
    axes.set_ylabel("microseconds")
    axes.set_title("To place one more model and release it (mean)", loc="left")
    axes.grid(True, which="major", alpha=0.25)
    axes.legend(frameon=False, bbox_to_anchor=(1.0, 1.0), loc="upper left")
    save(figure, folder, "placement_scale.png")


def bars(axes: Any, spreads: dict[str, dict[str, float]], form: str) -> None:
    """Horizontal bars with quartiles and numbers, from the top; ours in colour."""
    most = max(one["high"] for one in spreads.values())
    for position, (name, one) in enumerate(spreads.items()):
        error = [[one["median"] - one["low"]], [one["high"] - one["median"]]]
        colour = OURS if "adapter" in name else THEIRS
        axes.barh(position, one["median"], 0.7, color=colour, xerr=error, error_kw={"ecolor": DARK, "capsize": 3})
        axes.text(
            one["high"] + most * 0.015, position, form.format(one["median"]), va="center", fontsize=10, bbox=PAPER
        )
    axes.set_yticks(range(len(spreads)), list(spreads))
    axes.invert_yaxis()
    axes.set_xlim(0, most * 1.1)


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
