"""What it costs that OpenVINO's own threads compute, on a NeuronCore of one CPU, where the caller could.

A model on several CPUs runs in threads that the library ties to them, handed over to a thread of the runtime. Here the
same compiled model is loaded twice in one process and on one NeuronCore: once as usual, so that the calling thread
computes, and once with that path chosen for it. Two CPUs tell its price; where it is used there are more of them.
"""

from __future__ import annotations

import os

from _children import environment, model, scratch
from _measure import Spread
from _report import Report, confine, parser, settings, table
from _scripts import run

SCRIPT = """
import json, shutil, statistics, sys, time
import numpy, torch
import neuron_adapters.torch
from neuron_rt import Slot
from neuron_rt.openvino import Compiled, OpenVINO
from neuron_rt.openvino_cpus import CALLER_COMPUTES, compiled_on, pinned, tiny
from neuron_rt.worker import Worker

path, inputs, rounds, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])

def load_pinned(self, program, threads, lanes, *, bf16):
    (cpus,) = lanes
    text, weights = self._placed(program)
    graph = self.read(self.core, text, weights.args[0])
    first = self.read(self.core, tiny())
    self._started_with(lambda: self.compile(self.core, first.args[0], CALLER_COMPUTES))
    properties = {**pinned(1), "INFERENCE_PRECISION_HINT": "f32"}
    return Compiled(self, compiled_on(self, 1, cpus, lambda: self.compile(self.core, graph.args[0], properties)), program, cpus)

def hand_over(slot):
    slot.worker = Worker(str(slot.core_range), slot.cpus)
    slot._leaving = slot.worker.stopping()

models = {"caller": torch.jit.load(path)}
OpenVINO.load, Slot.leave_to_caller = load_pinned, hand_over
shutil.copy(path, path + ".twin")  # another file, which shares nothing with the first
models["pinned"] = torch.jit.load(path + ".twin")
with numpy.load(inputs) as file:
    inputs = tuple(torch.from_numpy(file[name]) for name in file.files)
medians = {name: [] for name in models}
with torch.no_grad():
    for turn in range(rounds + 1):
        for name in sorted(models, reverse=bool(turn % 2)):
            times, end = [], time.perf_counter() + seconds
            while time.perf_counter() < end or len(times) < 5:
                began = time.perf_counter()
                models[name](*inputs)
                times.append(time.perf_counter() - began)
            if turn:
                medians[name].append(statistics.median(times))
print(json.dumps(medians))
"""
#: Networks, and whether throughput decides (a goal of 0.97) or what is added to a call (30 us).
NETWORKS = {"resnet50": True, "tiny": False}


def main() -> None:
    """Measure."""
    options = parser(__doc__, rounds=9, seconds=1.0).parse_args()
    rounds, seconds = settings(options)
    confine(2)
    report = Report("pinned_path", options)
    os.environ["NEURON_ADAPTERS_ENGINE"] = "openvino"  # what is compared is two ways to run the engine
    for network, is_heavy in NETWORKS.items():
        files = model(network, "adapter_compiled")
        env = environment(scratch(), NEURON_RT_NUM_CORES="1")
        medians = run(SCRIPT, env, files["file"], files["inputs"], str(rounds), str(seconds))
        os.unlink(files["file"] + ".twin")
        speeds = [caller / pinned for caller, pinned in zip(medians["caller"], medians["pinned"])]
        added = [(pinned - caller) * 1e6 for caller, pinned in zip(medians["caller"], medians["pinned"])]
        rows = []
        for name, times in medians.items():
            spread = Spread.of([seconds * 1e6 for seconds in times])
            rows.append([name, spread.text(1) if spread else "-"])
        table(
            f"{network}, one client, one NeuronCore of one CPU", ["who computes", "median call, us (quartiles)"], rows
        )
        report.data[network] = medians
        if is_heavy:
            report.goal(f"{network}: pinned ÷ caller computes", 0.97, speeds, at_least=True)
        else:
            report.goal(f"{network}: added to a call", 30, added, at_least=False, unit="us")
    report.finish()


if __name__ == "__main__":
    main()
