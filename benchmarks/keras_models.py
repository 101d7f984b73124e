"""Keras models on their NeuronCores, beside what people do by hand: rates, calls, tails and memory.

TensorFlow has one pool of threads for all models of a process, and ``model(x)`` runs operator by operator. The adapter
runs a model as a graph in a session of its own, which computes in the calling thread. The sides here: two threads that
call ``model(x)`` (what people write, "naive", 1.00), ``predict``, ``tf.function``, and the adapter with models as they
are, compiled, and compiled with a cast. The practical limit by hand is two pinned processes with a frozen graph in a
session: once as the adapter runs it, operator for operator, which gives the bits of ``model(x)``; once as TensorFlow
rewrites it, with normalisation folded into convolutions, which does not.

The tiny network's rates show the interpreter, which two threads of a process share. Two CPUs, a NeuronCore each.
"""

from __future__ import annotations

from typing import Any

from _children import Child, environment, model, models_folder, scratch
from _files import keras_arrays, model_file
from _measure import Entry, Side, Spread, differences, entries_of, interleave, ratios, values
from _report import Report, confine, parser, settings, table
from _scripts import interleave as run_scripts

NAIVE = "threads, model(x) (naive)"
PREDICT = "threads, predict"
FUNCTION = "threads, tf.function"
PINNED = "2 processes, the same session, pinned"
REWRITTEN = "2 processes, a rewritten graph, pinned"
ADAPTER = "adapter"
COMPILED = "adapter, compiled"
BF16 = "adapter, compiled, bf16"
LENGTH = {"resnet50": 1.5, "tiny": 0.5}
PARTS = ("two", "call", "tail", "memory", "load")
GROUPS = {"NEURON_RT_NUM_CORES": "1,1"}  # a group a model: no replicas

MEMORY = """
import gc, json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy, tensorflow as tf
import neuron_adapters, neuron_adapters.tf
with numpy.load(sys.argv[2]) as file:
    x = tf.constant(file[file.files[0]])
os.environ["NEURON_RT_NUM_CORES"] = sys.argv[3]
model = tf.keras.models.load_model(sys.argv[1]) if sys.argv[3] != "0" else None
for _ in range(8 if model else 0):
    model(x)
gc.collect()
measured = {"replicas": len(neuron_adapters.placement(model))}
with open("/proc/self/smaps_rollup") as file:
    for line in file:
        name, _, size = line.partition(":")
        if name in ("Pss", "Rss"):
            measured[name] = int(size.split()[0]) / 1024
print(json.dumps(measured))
"""

LOAD = """
import gc, json, os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy, tensorflow as tf
if sys.argv[3] != "plain":
    import neuron_adapters.tf
with numpy.load(sys.argv[2]) as file:
    x = tf.constant(file[file.files[0]])
tf.matmul(tf.ones((2, 2)), tf.ones((2, 2)))  # what TensorFlow starts at its first operator is not the model's

def resident():
    gc.collect()
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("Rss:"))

bare, kept, measured = resident(), [], {}
for turn in ("first", "second"):
    began = time.perf_counter()
    kept.append(tf.keras.models.load_model(sys.argv[1]))
    measured[turn + " load"] = (time.perf_counter() - began) * 1e3
    kept[-1](x)
    measured[turn + " load and answer"] = (time.perf_counter() - began) * 1e3
    if turn == "first":
        kept[-1](x)
        measured["memory"] = resident() - bare
print(json.dumps(measured))
"""


def side(name: str, way: str, networks: tuple[str, ...], clients: tuple[int, ...] = (1, 1)) -> Side:
    """One process, a model of each network."""
    return Side(
        name,
        lambda: [
            Child(
                way,
                [model(network, way, clients=count) for network, count in zip(networks, clients)],
                environment(scratch(), **(GROUPS if len(networks) > 1 else {"NEURON_RT_NUM_CORES": "1"})),
            )
        ],
    )


def pinned(name: str, way: str, network: str, cpus: list[int]) -> Side:
    """Two processes on a CPU each."""
    return Side(name, lambda: [Child(way, [model(network, way)], environment(scratch()), cpus=[cpu]) for cpu in cpus])


def two_models(report: Report, rounds: int, seconds: float, cpus: list[int]) -> None:
    """Two models at once."""
    for network, length in LENGTH.items():
        pair = (network, network)
        sides = [
            side(NAIVE, "keras", pair),
            side(PREDICT, "keras_predict", pair),
            side(FUNCTION, "keras_function", pair),
            pinned(PINNED, "keras_session_as_is", network, cpus),
            pinned(REWRITTEN, "keras_session", network, cpus),
            side(ADAPTER, "keras_adapter", pair),
            side(COMPILED, "keras_compiled", pair),
            side(BF16, "keras_bf16", pair),
        ]
        windows = interleave(entries_of(sides), rounds, seconds * length)
        rows, data = [], {}
        for name, mine in windows.items():
            rate, ratio = Spread.of(values(mine)), Spread.of(ratios(mine, windows[NAIVE]))
            if rate is None or ratio is None:
                rows.append([name, *["-"] * 3])
                continue
            tail = Spread.of(values(mine, "p99"))
            rows.append([name, f"{rate.median:,.1f}", ratio.text(), f"{tail.median * 1e3:,.3g}"])
            data[name] = {"rate": rate.median, "ratio": vars(ratio), "rates": values(mine)}
        table(f"two Keras models of {network}", ["side", "inferences/s", "÷ naive (quartiles)", "p99 ms"], rows)
        report.data[network] = data
        if network == "resnet50":
            report.goal("two models: adapter ÷ naive", 5.5, ratios(windows[ADAPTER], windows[NAIVE]), at_least=True)
            report.goal(
                "two models: adapter ÷ 2 pinned processes of the same session", 0.97,
                ratios(windows[ADAPTER], windows[PINNED]), at_least=True,
            )  # fmt: skip
            report.goal(
                "two models: compiled ÷ 2 pinned processes of a rewritten graph", 0.97,
                ratios(windows[COMPILED], windows[REWRITTEN]), at_least=True,
            )  # fmt: skip


def calls(report: Report, rounds: int) -> None:
    """One call of the tiny network."""
    ways = {"model(x)": "keras", "tf.function": "keras_function", ADAPTER: "keras_adapter", COMPILED: "keras_compiled"}
    sides = [side(name, way, ("tiny",)) for name, way in ways.items()]
    windows = interleave(entries_of(sides, calls=200), rounds, 1.0)
    rows = []
    for name, mine in windows.items():
        cost, saved = Spread.of(values(mine, "p50")), Spread.of(differences(windows["model(x)"], mine, "p50"))
        rows.append([name, cost.text(1, 1e6), saved.text(1, 1e6)] if cost and saved else [name, "-", "-"])
        report.data.setdefault("call", {})[name] = vars(cost) if cost else None
    table("one call of the tiny network, us", ["side", "median (quartiles)", "less than model(x) by"], rows)
    for name in (ADAPTER, COMPILED):
        numbers = ratios(windows[name], windows["model(x)"], "p50")
        report.goal(f"tiny: a call, {name} ÷ model(x)", 1.0, numbers, at_least=False)


def tails(report: Report, rounds: int, seconds: float) -> None:
    """A light model beside three clients of a heavy one."""
    entries, ways = [], {"defaults": "keras", ADAPTER: "keras_adapter", COMPILED: "keras_compiled"}
    for name, way in ways.items():
        process = side(name, way, ("tiny", "resnet50"), (1, 3))
        entries += [Entry(f"{name}, alone", process, models=(0,)), Entry(f"{name}, beside", process)]
    windows = interleave(entries, rounds, seconds)
    rows = []
    for name in ways:
        alone, beside = windows[f"{name}, alone"], windows[f"{name}, beside"]
        figures = [Spread.of(values(mine, key)) for key in ("p50", "p99") for mine in (alone, beside)]
        ratio = Spread.of(ratios(beside, alone, "p99"))
        rows.append(
            [
                name,
                *(f"{figure.median * 1e3:,.3g}" if figure else "-" for figure in figures),
                ratio.text() if ratio else "-",
            ]
        )
        report.data.setdefault("tail", {})[name] = [vars(figure) if figure else None for figure in [*figures, ratio]]
    columns = ["served by", "p50 alone", "p50 beside", "p99 alone", "p99 beside", "p99 ratio (quartiles)"]
    table("the tiny network beside 3 clients of resnet50, ms", columns, rows)
    for name in (ADAPTER, COMPILED):
        numbers = ratios(windows[f"{name}, beside"], windows[f"{name}, alone"], "p99")
        report.goal(f"tiny, {name}: p99 beside ÷ alone", 1.15, numbers, at_least=False)
    numbers = ratios(windows[f"{ADAPTER}, beside"], windows["defaults, beside"], "p99")
    report.goal("tiny: p99 beside, adapter ÷ defaults", 1.0, numbers, at_least=False)


def memory(report: Report, rounds: int) -> None:
    """Replicas of one model."""
    folder, env = models_folder(), environment(scratch(), NEURON_ADAPTERS_INSTANCE="16")
    inputs = keras_arrays(folder, "resnet50")
    cases: dict[str, tuple[Any, ...]] = {}
    for kind in ("keras", "keras_compiled"):
        file = model_file(folder, "resnet50", kind)
        cases |= {f"{kind}, {count}": (MEMORY, env, file, inputs, str(count)) for count in (1, 4)}
    answers = run_scripts(cases, rounds)
    rows = []
    for kind in ("keras", "keras_compiled"):
        single, four = answers[f"{kind}, 1"], answers[f"{kind}, 4"]
        ratio = Spread.of([b["Pss"] / a["Pss"] for a, b in zip(single, four) if a and b])
        sizes = [Spread.of(values(mine, "Pss")) for mine in (single, four)]
        rows.append([kind, *(size.text(0) if size else "-" for size in sizes), ratio.text(3) if ratio else "-"])
        numbers = [b["Pss"] / a["Pss"] for a, b in zip(single, four) if a and b and b["replicas"] == 4]
        report.goal(f"memory of a process: 4 replicas ÷ one, {kind}", 1.05, numbers, at_least=False)
    table("PSS of a process, MiB", ["model", "one", "4 replicas", "ratio (quartiles)"], rows)


def load(report: Report, rounds: int) -> None:
    """How long one model takes to load and to its first answers, and what it adds to the process's memory."""
    folder, env = models_folder(), environment(scratch(), NEURON_RT_NUM_CORES="1")
    inputs = keras_arrays(folder, "resnet50")
    kinds = {"plain Keras": "keras", ADAPTER: "keras", COMPILED: "keras_compiled"}
    cases: dict[str, tuple[Any, ...]] = {
        name: (LOAD, env, model_file(folder, "resnet50", kind), inputs, "plain" if name == "plain Keras" else "adapter")
        for name, kind in kinds.items()
    }
    answers = run_scripts(cases, rounds)
    figures = ("first load", "first load and answer", "second load", "second load and answer", "memory")
    rows = []
    for figure in figures:
        spreads = [Spread.of(values(mine, figure)) for mine in answers.values()]
        rows.append([figure, *(spread.text(0) if spread else "-" for spread in spreads)])
        report.data.setdefault("load", {})[figure] = {name: values(mine, figure) for name, mine in answers.items()}
    table("one Keras resnet50: ms, and MiB of RSS added by the first", ["", *kinds], rows)
    plain, compiled = answers["plain Keras"], answers[COMPILED]
    for figure, goal in (("first load and answer", 1.0), ("memory", 1.15)):
        name = f"one model: {figure}, compiled ÷ plain Keras"
        report.goal(name, goal, ratios(compiled, plain, figure), at_least=False)


def main() -> None:
    """Measure."""
    make = parser(__doc__, rounds=5, seconds=1.0)
    make.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS, metavar="PART", help=", ".join(PARTS))
    options = make.parse_args()
    rounds, seconds = settings(options)
    cpus = confine(2)
    report = Report("keras_models", options)
    if "two" in options.parts:
        two_models(report, rounds, seconds, cpus)
    if "call" in options.parts:
        calls(report, rounds)
    if "tail" in options.parts:
        tails(report, rounds, 1.5 * seconds)
    if "memory" in options.parts:
        memory(report, min(rounds, 3))
    if "load" in options.parts:
        load(report, min(rounds, 3))
    report.finish()


if __name__ == "__main__":
    main()
