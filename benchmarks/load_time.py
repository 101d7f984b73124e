"""How long a compiled ResNet-50 takes to load, and to its first answer: plain PyTorch, and with the adapter.

The same file in fresh processes that take turns. The first load of a process also starts the runtime and reads the
execution engine, the second does not. What is loaded quickly and prepared at the first call would only look quick, so
the time to the first answer is given too.
"""

from __future__ import annotations

from _children import environment, models_folder, scratch
from _files import arrays, model_file
from _measure import Spread, differences, values
from _report import Report, parser, settings, table
from _scripts import interleave

SCRIPT = """
import json, sys, time
import numpy, torch
if sys.argv[3:]:
    import neuron_adapters.torch
with numpy.load(sys.argv[2]) as file:
    inputs = [torch.from_numpy(file[name]) for name in file.files]
measured, kept = {}, []
with torch.no_grad():
    for turn in ("first", "second"):
        began = time.perf_counter()
        kept.append(torch.jit.load(sys.argv[1]))
        loaded = time.perf_counter()
        kept[-1](*inputs)
        measured[turn + " load"] = (loaded - began) * 1e3
        measured[turn + " load and answer"] = (time.perf_counter() - began) * 1e3
print(json.dumps(measured))
"""
MOMENTS = ("first load", "first load and answer", "second load", "second load and answer")
PLAIN, ADAPTER = "plain PyTorch", "adapter"


def main() -> None:
    """Measure."""
    options = parser(__doc__, rounds=6).parse_args()
    rounds, _seconds = settings(options)
    report = Report("load_time", options)
    folder, env = models_folder(), environment(scratch())
    files = (model_file(folder, "resnet50", "compiled"), arrays(folder, "resnet50"))
    answers = interleave({PLAIN: (SCRIPT, env, *files), ADAPTER: (SCRIPT, env, *files, "with")}, rounds)
    rows = []
    for moment in MOMENTS:
        beyond = differences(answers[ADAPTER], answers[PLAIN], moment)
        spreads = [
            Spread.of(values(answers[PLAIN], moment)),
            Spread.of(values(answers[ADAPTER], moment)),
            Spread.of(beyond),
        ]
        rows.append([moment, *(spread.text(0) if spread else "-" for spread in spreads)])
        report.data[moment] = {name: values(answers[name], moment) for name in answers} | {"beyond": beyond}
    table("a compiled ResNet-50, ms (quartiles)", ["", PLAIN, ADAPTER, "beyond plain"], rows)
    for moment in MOMENTS[:2]:
        report.goal(f"{moment}, beyond plain", 150, report.data[moment]["beyond"], at_least=False, unit="ms")
    report.finish()


if __name__ == "__main__":
    main()
