"""Two models at once on two CPUs: what placement and compilation are worth.

Two instances of a network, a client each, served in every way one would think of. Everything is compared with what
people do first, two threads of plain PyTorch with default settings ("naive", 1.00). The practical limit is two processes
of an inference engine that are pinned by hand. What the adapter promises: in one process, with no pinning by anybody, it
reaches what two processes reach that were pinned by hand.

The tiny network has no goal: two threads of one Python process share its interpreter, and calls of 15 us are mostly
interpreter. Its rows show that cost honestly.
"""

from __future__ import annotations

from typing import Any

from _children import Child, environment, model, scratch
from _measure import Side, Spread, entries_of, interleave, ratios, values
from _report import Report, confine, parser, settings, table

NAIVE = "threads, defaults (naive)"
PROCESSES = "2 processes, defaults"
PINNED = "2 processes, pinned"
THREADS = "threads, pinned"
INDUCTOR = "torch.compile, threads, pinned"
ADAPTER = "adapter"
COMPILED = "adapter, compiled"
BF16 = "adapter, compiled, bf16"
ADAPTER_PROCESSES = "2 processes, adapter"
COMPILED_PROCESSES = "2 processes, adapter, compiled"
ONNX = "ONNX Runtime, threads, pinned"
RESERVED = "OpenVINO, a core reserved each"
HINT = "OpenVINO, throughput hint"
LIMIT = "2 processes, OpenVINO, pinned"

F32 = {"INFERENCE_PRECISION_HINT": "f32"}
ONE_THREAD = {**F32, "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": "1"}
RESERVATION = {**ONE_THREAD, "ENABLE_CPU_RESERVATION": "YES", "ENABLE_CPU_PINNING": "YES"}
THROUGHPUT = {**F32, "PERFORMANCE_HINT": "THROUGHPUT"}

#: Windows relative to --seconds: slow networks need longer ones for the same number of calls.
LENGTH = {"resnet50": 1.5, "bert": 1.0, "tiny": 0.5}
COMPILED_GOAL = {"resnet50": 1.45, "bert": 1.5}


def sides(network: str, cpus: list[int]) -> list[Side]:
    """All the ways, in the order of the table."""

    def together(way: str, *, pinned: bool = False, **how: Any) -> list[Child]:
        """One process, two models, a thread each."""
        homes = [[cpu] for cpu in cpus] if pinned else [None, None]
        return [Child(way, [model(network, way, cpus=home) for home in homes], environment(scratch()), **how)]

    def apart(way: str, *, pinned: bool = False, **how: Any) -> list[Child]:
        """Two processes, a model each."""
        env = environment(scratch(), NEURON_RT_NUM_CORES="1")
        homes = [[cpu] for cpu in cpus] if pinned else [None, None]
        return [Child(way, [model(network, way)], env, cpus=home, **how) for home in homes]

    return [
        Side(NAIVE, lambda: together("torch")),
        Side(PROCESSES, lambda: apart("torch")),
        Side(PINNED, lambda: apart("torch", pinned=True, threads=1)),
        Side(THREADS, lambda: together("torch", pinned=True, threads=1)),
        Side(INDUCTOR, lambda: together("torch_compile", pinned=True, threads=1)),
        Side(ONNX, lambda: together("onnxruntime", pinned=True, threads=1)),
        Side(RESERVED, lambda: together("openvino", options=RESERVATION)),
        Side(HINT, lambda: together("openvino", options=THROUGHPUT)),
        Side(LIMIT, lambda: apart("openvino", pinned=True, options=ONE_THREAD)),
        Side(ADAPTER, lambda: together("adapter")),
        Side(COMPILED, lambda: together("adapter_compiled")),
        Side(BF16, lambda: together("adapter_bf16")),
        Side(ADAPTER_PROCESSES, lambda: apart("adapter")),
        Side(COMPILED_PROCESSES, lambda: apart("adapter_compiled")),
    ]


def main() -> None:
    """Measure the networks one after the other."""
    make = parser(__doc__, rounds=5, seconds=1.0)
    make.add_argument("--networks", nargs="+", default=list(LENGTH), choices=list(LENGTH), metavar="NETWORK")
    make.add_argument("--without", nargs="+", default=[], metavar="TEXT", help="leave out sides whose name has TEXT")
    options = make.parse_args()
    rounds, seconds = settings(options)
    cpus = confine(2)
    report = Report("two_models", options)
    for network in options.networks:
        chosen = [side for side in sides(network, cpus) if not any(text in side.name for text in options.without)]
        windows = interleave(entries_of(chosen), rounds, seconds * LENGTH[network])
        show(report, network, windows)
    report.finish()


def show(report: Report, network: str, windows: dict[str, list[Any]]) -> None:
    """The table of one network, and its goals."""

    def to(above: str, below: str) -> list[float]:
        return ratios(windows.get(above, []), windows.get(below, []))

    rows, data = [], {}
    for name, mine in windows.items():
        rate, ratio = Spread.of(values(mine)), Spread.of(to(name, NAIVE))
        if rate is None or ratio is None:
            rows.append([name, *["-"] * 3])
            continue
        tail = Spread.of(values(mine, "p99"))
        rows.append([name, f"{rate.median:,.1f}", ratio.text(), f"{tail.median * 1e3:,.3g}"])
        data[name] = {"rate": rate.median, "ratio": vars(ratio), "rates": values(mine)}
    table(f"two models of {network}", ["side", "inferences/s", "÷ naive (quartiles)", "p99 ms"], rows)
    report.data[network] = data
    if network not in COMPILED_GOAL:
        return
    report.goal(f"{network}: adapter ÷ 2 pinned processes", 0.97, to(ADAPTER, PINNED), at_least=True)
    report.goal(f"{network}: compiled ÷ 2 pinned processes of OpenVINO", 0.97, to(COMPILED, LIMIT), at_least=True)
    report.goal(f"{network}: compiled ÷ naive", COMPILED_GOAL[network], to(COMPILED, NAIVE), at_least=True)
    report.goal(f"{network}: compiled, bf16 ÷ naive", 2.8, to(BF16, NAIVE), at_least=True)
    report.goal(f"{network}: 2 adapter processes ÷ 2 processes", 2.0, to(ADAPTER_PROCESSES, PROCESSES), at_least=True)
    report.goal(f"{network}: the same, compiled", 3.0, to(COMPILED_PROCESSES, PROCESSES), at_least=True)


if __name__ == "__main__":
    main()
