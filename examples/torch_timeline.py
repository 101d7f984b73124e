"""Who ran when on which NeuronCore: a timeline of three models, recorded and drawn.

A and B share NC0-NC1 and take turns; C has NC2-NC3 for itself. Three threads call them at the same time. The recording
is a file that Perfetto opens; here the same events are drawn as text, a column for each slice of time.
"""

import itertools
import json
import os
import tempfile
import threading
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "4"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now

import torch
from _models import require, vector_network

import neuron_adapters
import neuron_adapters.torch as torch_neuron

STARTS = {"A": 0, "B": 0, "C": 2}
CALLS, COLUMNS = 200, 72


def main() -> None:
    x = torch.rand(1, 64)
    with tempfile.TemporaryDirectory() as folder:
        models = {}
        for name, start in STARTS.items():
            file = Path(folder) / name
            torch_neuron.trace(vector_network(), x, compiler_args=["--neuroncore-pipeline-cores", "2"]).save(str(file))
            with torch_neuron.experimental.neuron_cores_context(start):
                models[name] = torch.jit.load(file)
            models[name](x)

        def feed(model: torch.jit.ScriptModule) -> None:
            for _ in range(CALLS):
                model(x)

        recording = Path(folder) / "run.json"
        with neuron_adapters.timeline(recording):
            threads = [threading.Thread(target=feed, args=(model,)) for model in models.values()]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        events = json.loads(recording.read_text())

    ran = [event for event in events if event["ph"] == "X" and not event["name"].startswith("wait")]
    tracks = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    began = min(event["ts"] for event in ran)
    width = (max(event["ts"] + event["dur"] for event in ran) - began) / COLUMNS
    print(f"{len(events)} events; each column is {width:.0f} us\n")
    for track in sorted({event["tid"] for event in ran}):
        line = ["."] * COLUMNS
        for event in (event for event in ran if event["tid"] == track):
            line[min(COLUMNS - 1, int((event["ts"] - began) / width))] = event["name"]
        print(f"{tracks[track]:>4}  {''.join(line)}")

    for track in {event["tid"] for event in ran}:
        mine = sorted((event for event in ran if event["tid"] == track), key=lambda event: event["ts"])
        apart = all(event["ts"] + event["dur"] <= following["ts"] for event, following in itertools.pairwise(mine))
        require(apart, f"two models ran on {tracks[track]} at the same time")
    calls = {name: sum(event["name"] == name for event in ran) // 2 for name in STARTS}
    require(calls == dict.fromkeys(STARTS, CALLS), f"not every call was recorded: {calls}")
    switches = sum(event["ph"] == "i" for event in events) // 2
    print(f"\nA and B changed places {switches} times on NC0-NC1. No NeuronCore ran two models at once.")


if __name__ == "__main__":
    main()
