"""What compiling costs: ``torch.neuron.trace`` beside ``torch.jit.trace`` and ``torch.jit.freeze``, in time and memory.

Each is a fresh process that has called the model once. The peak is the most memory that the process had while it
compiled, less what it had before, in units of the model's weights.
"""

from __future__ import annotations

import os

from _children import environment, scratch
from _measure import Spread, differences, values
from _report import Report, parser, settings, table
from _scripts import interleave

SCRIPT = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
import torch
from _networks import make
ours = sys.argv[3:]
if ours:
    import neuron_adapters.torch
    import openvino  # compared is the work, not an import
model, inputs = make(sys.argv[2])
with torch.no_grad():
    model(*inputs)
def memory(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1024
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak begins here
before, began = memory("VmRSS"), time.perf_counter()
kept = torch.neuron.trace(model, inputs) if ours else torch.jit.freeze(torch.jit.trace(model, inputs))
seconds = time.perf_counter() - began
weights = sum(tensor.nbytes for tensor in model.state_dict().values()) / 2**20
print(json.dumps({
    "seconds": seconds, "peak": (memory("VmHWM") - before) / weights, "after": (memory("VmRSS") - before) / weights,
}))
"""
NETWORKS = ("resnet50", "bert-base")
PLAIN, ADAPTER = "torch.jit.trace and freeze", "torch.neuron.trace"


def main() -> None:
    """Measure."""
    options = parser(__doc__, rounds=5).parse_args()
    rounds, _seconds = settings(options)
    report = Report("compile_cost", options)
    here, env = os.path.dirname(os.path.abspath(__file__)), environment(scratch())
    for network in NETWORKS:
        answers = interleave(
            {PLAIN: (SCRIPT, env, here, network), ADAPTER: (SCRIPT, env, here, network, "with")}, rounds
        )
        pairs = [(mine, plain) for mine, plain in zip(answers[ADAPTER], answers[PLAIN]) if mine and plain]
        ratios = [mine["seconds"] / plain["seconds"] for mine, plain in pairs]
        beyond = differences(answers[ADAPTER], answers[PLAIN], "peak")
        rows = []
        for name, mine in answers.items():
            spreads = [Spread.of(values(mine, key)) for key in ("seconds", "peak", "after")]
            rows.append([name, *(spread.text() if spread else "-" for spread in spreads)])
        table(f"compiling {network} (quartiles)", ["", "seconds", "peak ÷ weights", "kept ÷ weights"], rows)
        report.data[network] = {
            name: {key: values(mine, key) for key in mine[0] or ()} for name, mine in answers.items()
        }
        report.data[network]["ratios"] = ratios
        report.goal(f"{network}: seconds ÷ plain", 3, ratios, at_least=False)
        report.goal(f"{network}: peak beyond plain ÷ weights", 2, beyond, at_least=False)
    report.finish()


if __name__ == "__main__":
    main()
