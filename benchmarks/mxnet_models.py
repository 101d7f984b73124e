"""MXNet's graphs on NeuronCores, beside the real MXNet 1.9.1: rates of two models, the latency of one, tails, loads, loops.

The real MXNet runs in an environment of its own (``make setup-mxnet``), as people use it, and pinned by hand: with
``MXNET_ENGINE_TYPE=NaiveEngine`` the calling thread computes. The adapter runs the same files without MXNet. All sides
take turns. Two CPUs, a NeuronCore each.
"""

from __future__ import annotations

from _children import Child, environment, model, models_folder, scratch
from _files import model_file, mx_arrays, python_of
from _measure import Entry, Side, Spread, entries_of, interleave, ratios, values
from _report import Report, confine, parser, settings, table
from _scripts import interleave as run_scripts

NAIVE = "mxnet, two threads"
PINNED = "mxnet, 2 processes, pinned"
ADAPTER = "adapter"
LIMIT = "2 processes, adapter"
ONE_CORE = "mxnet, one core"
ONE_ADAPTER = "adapter, one NeuronCore"
NETWORKS = {"resnet50_v1": 1.5, "tiny": 0.5}
PARTS = ("two", "one", "tail", "load", "loop")
LOAD = """
import json, sys, time
import numpy
if sys.argv[3] == "adapter":
    import neuron_adapters.mx as mx
    device = mx.neuron(0)
else:
    import mxnet as mx
    device = mx.cpu()
def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024
with numpy.load(sys.argv[2]) as file:
    inputs = mx.nd.array(file[file.files[0]])
before, began, measured = resident(), time.perf_counter(), {}
symbol, args, states = mx.model.load_checkpoint(sys.argv[1], 0)
measured["load"] = (time.perf_counter() - began) * 1e3
executor = symbol.bind(device, {**args, "data": inputs}, aux_states=states, grad_req="null")
measured["load and bind"] = (time.perf_counter() - began) * 1e3
executor.forward()[0].asnumpy()
measured["load, bind and answer"] = (time.perf_counter() - began) * 1e3
executor.forward()[0].asnumpy()
measured["memory"] = resident() - before
print(json.dumps(measured))
"""
STEPS = 400
LOOP = """
import json, statistics, sys, time
import numpy
if sys.argv[2] == "adapter":
    import neuron_adapters.mx as mx
    import onnx, openvino  # compared is the work, not an import
    device = mx.neuron(0)
else:
    import mxnet as mx
    device = mx.cpu()
def ready(steps, units=128):
    cell = mx.gluon.rnn.LSTMCell(units, input_size=units)
    states = [mx.sym.var("hidden"), mx.sym.var("cell")]
    graph = mx.sym.contrib.foreach(lambda row, states: cell(row, states), mx.sym.var("data"), states)[0]
    shapes = graph.infer_shape(data=(steps, 1, units), hidden=(1, units), cell=(1, units))[0]
    rng = numpy.random.default_rng(0)
    arrays = {name: mx.nd.array(rng.normal(0, 0.1, shape)) for name, shape in zip(graph.list_arguments(), shapes)}
    return graph.bind(device, arrays, grad_req="null")
def seconds(run):
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
ready(2).forward()[0].asnumpy()
executors = []
bind = seconds(lambda: (executors.append(ready(int(sys.argv[1]))), executors[0].forward()[0].asnumpy()))
calls = [seconds(lambda: executors[0].forward()[0].asnumpy()) for _ in range(40)]
print(json.dumps({"bind and answer": bind * 1e3, "call": statistics.median(calls) * 1e3}))
"""


def side(name: str, way: str, networks: tuple[str, ...], clients: tuple[int, ...] = (1, 1), **more: object) -> Side:
    """One process, a model of each network."""
    cores = {"NEURON_RT_NUM_CORES": str(len(networks))}
    return Side(
        name,
        lambda: [
            Child(
                way, [model(network, way, clients=count) for network, count in zip(networks, clients)],
                environment(scratch(), **cores), **more,
            )
        ],
    )  # fmt: skip


def processes(name: str, way: str, network: str, cpus: list[int]) -> Side:
    """Two processes: the real MXNet's bound to a CPU each, the adapter's with a NeuronCore each."""
    state = scratch()

    def start() -> list[Child]:
        return [
            Child(
                way, [model(network, way)], environment(state, NEURON_RT_NUM_CORES="1"),
                cpus=None if way == "mx_adapter" else [cpu],
            )
            for cpu in cpus
        ]  # fmt: skip

    return Side(name, start)


def two_models(report: Report, rounds: int, seconds: float, cpus: list[int]) -> None:
    """Two models at once."""
    for network, length in NETWORKS.items():
        sides = [
            side(NAIVE, "mxnet", (network, network)),
            processes(PINNED, "mxnet_naive", network, cpus),
            side(ADAPTER, "mx_adapter", (network, network)),
            processes(LIMIT, "mx_adapter", network, cpus),
        ]
        windows = interleave(entries_of(sides), rounds, seconds * length)
        rows, data = [], {}
        for name, mine in windows.items():
            rate, ratio = Spread.of(values(mine)), Spread.of(ratios(mine, windows[NAIVE]))
            if rate is None or ratio is None:
                rows.append([name, "-", "-"])
                continue
            rows.append([name, f"{rate.median:,.1f}", ratio.text()])
            data[name] = {"rate": rate.median, "ratio": vars(ratio)}
        table(f"two models of {network}", ["side", "inferences/s", "÷ naive (quartiles)"], rows)
        report.data[network] = data
        if network != "tiny":
            against = ratios(windows[ADAPTER], windows[PINNED])
            report.goal(f"{network}: two models: adapter ÷ 2 pinned processes of mxnet", 1.0, against, at_least=True)
            limit = ratios(windows[ADAPTER], windows[LIMIT])
            report.goal(f"{network}: two models: adapter ÷ 2 adapter processes", 0.97, limit, at_least=True)


def one_model(report: Report, rounds: int, seconds: float, cpus: list[int]) -> None:
    """One model on one core."""
    for network, length in NETWORKS.items():
        sides = [
            side(ONE_CORE, "mxnet_naive", (network,), cpus=cpus[:1]),
            side(ONE_ADAPTER, "mx_adapter", (network,)),
        ]
        windows = interleave(entries_of(sides), rounds, seconds * length)
        rows = []
        for name, mine in windows.items():
            cost = Spread.of(values(mine, "p50"))
            rows.append([name, cost.text(3, 1e3) if cost else "-"])
        table(f"one call of {network}, ms", ["side", "median (quartiles)"], rows)
        numbers = ratios(windows[ONE_ADAPTER], windows[ONE_CORE], "p50")
        report.goal(f"{network}: latency on one core, adapter ÷ mxnet", 0.95, numbers, at_least=False)


def tails(report: Report, rounds: int, seconds: float) -> None:
    """A light model beside three clients of a heavy one."""
    entries, ways = [], {"defaults": "mxnet", ADAPTER: "mx_adapter"}
    for name, way in ways.items():
        # A client is a thread: three heavy ones share one executor, which the real MXNet lets nobody do.
        process = side(name, way, ("tiny", "resnet50_v1"), (1, 1))
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
    table("the tiny network beside a client of resnet50_v1, ms", columns, rows)
    numbers = ratios(windows[f"{ADAPTER}, beside"], windows[f"{ADAPTER}, alone"], "p99")
    report.goal("tiny, adapter: p99 beside ÷ alone", 1.15, numbers, at_least=False)


def load(report: Report, rounds: int) -> None:
    """How long one checkpoint takes to load and to its first answer, and what it adds to the process's memory. The
    engine is loaded by the first bind of a process: that is in the adapter's figures."""
    folder, env = models_folder(), environment(scratch(), NEURON_RT_NUM_CORES="1")
    files = (model_file(folder, "resnet50_v1", "mx"), mx_arrays(folder, "resnet50_v1"))
    naive = {**env, "MXNET_ENGINE_TYPE": "NaiveEngine"}
    answers = run_scripts(
        {"mxnet": ((python_of("mx"), LOAD), naive, *files, "mxnet"), ADAPTER: (LOAD, env, *files, "adapter")}, rounds
    )
    rows = []
    for figure in ("load", "load and bind", "load, bind and answer", "memory"):
        spreads = [Spread.of(values(mine, figure)) for mine in answers.values()]
        rows.append([figure, *(spread.text(0) if spread else "-" for spread in spreads)])
        report.data.setdefault("load", {})[figure] = {name: values(mine, figure) for name, mine in answers.items()}
    table("one resnet50_v1: ms, and MiB of RSS added", ["", *answers], rows)
    for figure, goal in (("load, bind and answer", 1.0), ("memory", 1.15)):
        numbers = ratios(answers[ADAPTER], answers["mxnet"], figure)
        report.goal(f"one model: {figure}, adapter ÷ mxnet", goal, numbers, at_least=False)


def loop(report: Report, rounds: int) -> None:
    """How long an LSTM that a loop runs takes to bind, to the first answer, and for a call."""
    env = environment(scratch(), NEURON_RT_NUM_CORES="1")
    naive, steps = {**env, "MXNET_ENGINE_TYPE": "NaiveEngine"}, str(STEPS)
    answers = run_scripts(
        {"mxnet": ((python_of("mx"), LOOP), naive, steps, "mxnet"), ADAPTER: (LOOP, env, steps, "adapter")}, rounds
    )
    rows = []
    for figure in ("bind and answer", "call"):
        spreads = [Spread.of(values(mine, figure)) for mine in answers.values()]
        rows.append([figure, *(spread.text(1) if spread else "-" for spread in spreads)])
        report.data.setdefault("loop", {})[figure] = {name: values(mine, figure) for name, mine in answers.items()}
    table(f"a loop of {STEPS} steps of LSTM: ms", ["", *answers], rows)
    for figure, goal in (("bind and answer", 2.0), ("call", 1.0)):
        numbers = ratios(answers[ADAPTER], answers["mxnet"], figure)
        report.goal(f"loop of {STEPS} steps: {figure}, adapter ÷ mxnet", goal, numbers, at_least=False)


def main() -> None:
    """Measure."""
    make = parser(__doc__, rounds=5, seconds=1.0)
    make.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS, metavar="PART", help=", ".join(PARTS))
    options = make.parse_args()
    rounds, seconds = settings(options)
    cpus = confine(2)
    report = Report("mxnet_models", options)
    if "two" in options.parts:
        two_models(report, rounds, seconds, cpus)
    if "one" in options.parts:
        one_model(report, rounds, seconds, cpus)
    if "tail" in options.parts:
        tails(report, rounds, 1.5 * seconds)
    if "load" in options.parts:
        load(report, min(rounds, 3))
    if "loop" in options.parts:
        loop(report, rounds)
    report.finish()


if __name__ == "__main__":
    main()
