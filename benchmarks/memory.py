"""What compiled models cost in memory: one against plain PyTorch, and 16 replicas or loads of a file against one.

The weights of replicas are the same, so one copy should do; and of a compiled model the engine's copy should do. Each
case is a fresh process in which every replica has answered twice. PSS counts a page that several processes share in
parts, RSS in full. Two ratios: of whole processes, and of what is left without a process that has imported everything
and loaded nothing, which is the honest one. Against plain PyTorch it is RSS, since the frameworks' libraries are shared
with whatever else runs.
"""

from __future__ import annotations

from _children import environment, models_folder, scratch
from _files import arrays, model_file
from _measure import Spread, progress, values
from _report import Report, parser, settings, table
from _scripts import interleave

SCRIPT = """
import contextlib, gc, json, sys
import numpy, torch
loads, replicas = int(sys.argv[3]), int(sys.argv[4])
place = contextlib.nullcontext()
if replicas:
    import neuron_adapters.torch, neuron_rt
    with contextlib.suppress(ImportError):
        import openvino  # an engine that is loaded late would be counted as the model's
    neuron_rt.init()
    place = torch.neuron.experimental.neuron_cores_context(0, replicas)
with numpy.load(sys.argv[2]) as file:
    inputs = [torch.from_numpy(file[name]) for name in file.files]
kept = []
with torch.no_grad(), place:
    for _ in range(loads):
        kept.append(torch.jit.load(sys.argv[1]))
with torch.no_grad():
    for _ in range(2 * max(replicas, 1)):
        for model in kept:
            model(*inputs)
gc.collect()
measured = {}
with open("/proc/self/smaps_rollup") as file:
    for line in file:
        name, _, size = line.partition(":")
        if name in ("Pss", "Rss"):
            measured[name] = int(size.split()[0]) / 1024
print(json.dumps(measured))
"""
#: Loads and replicas; no replicas: plain PyTorch.
PLAIN = {"plain PyTorch, no model": (0, 0), "plain PyTorch": (1, 0)}
CASES = {"no model": (0, 1), "one": (1, 1), "16 replicas": (1, 16), "16 loads of one file": (16, 1)}


def against_plain(report: Report, rounds: int, folder: str, env: dict[str, str]) -> None:
    """Measure one compiled model against one of plain PyTorch."""
    rows = []
    for network in ("resnet50", "bert-base"):
        files = {kind: (model_file(folder, network, kind), arrays(folder, network)) for kind in ("plain", "compiled")}
        cases = {name: ("plain", case) for name, case in PLAIN.items()}
        cases |= {name: ("compiled", CASES[name]) for name in ("no model", "one")}
        answers = interleave(
            {name: (SCRIPT, env, *files[kind], *map(str, case)) for name, (kind, case) in cases.items()}, rounds
        )
        sizes = {name: values(mine, "Rss") for name, mine in answers.items()}
        whole = [mine / plain for mine, plain in zip(sizes["one"], sizes["plain PyTorch"])]
        added = [
            [loaded - bare for loaded, bare in zip(sizes[name], sizes[none])]
            for name, none in (("one", "no model"), ("plain PyTorch", "plain PyTorch, no model"))
        ]
        model = [mine / plain for mine, plain in zip(*added)]
        report.data[f"{network} against plain"] = {"rss": sizes, "whole": whole, "model": model}
        report.goal(f"one compiled {network} ÷ plain PyTorch, less the bare process", 1.15, model, at_least=False)
        shown = [Spread.of(sizes["plain PyTorch"]), Spread.of(sizes["one"])]
        rows.append([network, *(size.text(0) for size in shown), Spread.of(whole).text(), Spread.of(model).text()])
    columns = [
        "one loaded and called",
        "plain PyTorch, RSS, MiB",
        "compiled",
        "÷ plain",
        "÷ plain, less the bare processes",
    ]
    table("memory of one model", columns, rows)


def main() -> None:
    """Measure."""
    options = parser(__doc__, rounds=3).parse_args()
    rounds, _seconds = settings(options)
    report = Report("memory", options)
    folder = models_folder()
    files = (model_file(folder, "resnet50", "compiled"), arrays(folder, "resnet50"))
    env = environment(scratch(), NEURON_ADAPTERS_INSTANCE="16")
    answers = interleave({name: (SCRIPT, env, *files, *map(str, case)) for name, case in CASES.items()}, rounds)
    bare, single = Spread.of(values(answers["no model"], "Pss")), answers["one"]
    if bare is None:
        progress("nothing to compare with")
    rows = []
    for name, mine in answers.items():
        sizes = [Spread.of(values(mine, key)) for key in ("Pss", "Rss")]
        whole = [a["Pss"] / b["Pss"] for a, b in zip(mine, single) if a and b]
        model = [(a["Pss"] - bare.median) / (b["Pss"] - bare.median) for a, b in zip(mine, single) if a and b and bare]
        spreads = [Spread.of(whole), Spread.of(model)] if name != "no model" else [None, None]
        cells = [size.text(0) if size else "-" for size in sizes]
        rows.append([name, *cells, *(spread.text() if spread else "-" for spread in spreads)])
        report.data[name] = {"pss": values(mine, "Pss"), "rss": values(mine, "Rss"), "whole": whole, "model": model}
        if name.startswith("16"):
            report.goal(f"{name} ÷ one, whole process", 1.05, whole, at_least=False)
            report.goal(f"{name} ÷ one, less the bare process", 1.05, model, at_least=False)
    against_plain(report, rounds, folder, env)
    columns = ["a process with", "PSS, MiB", "RSS, MiB", "÷ one", "÷ one, less the bare process"]
    table("memory of a process after calls", columns, rows)
    report.finish()


if __name__ == "__main__":
    main()
