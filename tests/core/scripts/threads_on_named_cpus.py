"""Compiles tiny programs on CPUs that are named, in turn, and prints where the library's threads are while they run."""

import contextlib
import json
import os
import time

from neuron_rt import EngineError, Program
from neuron_rt.openvino import OpenVINO
from neuron_rt.openvino_cpus import compiled_on, pinned, tasks, tiny

library = OpenVINO.instance()
graph = library.read(library.core, tiny(1024))
library.load(Program((tiny().decode(),), ()), 1, [frozenset()], bf16=False)  # starts the library's threads


def compiled(cpu):
    make = lambda: library.compile(library.core, graph.args[0], pinned(1))
    return compiled_on(library, 1, frozenset({cpu}), make)


def tied():
    """CPUs that a thread is tied to."""
    cpus = set()
    for task in tasks():
        with contextlib.suppress(ProcessLookupError):  # it has ended
            mask = os.sched_getaffinity(task)
            cpus |= mask if len(mask) == 1 else set()
    return cpus


def cpus_of(program):
    end = time.monotonic() + 10
    while tied() and time.monotonic() < end:  # whatever ran before leaves its CPU, on a busy machine later
        time.sleep(0.01)
    request = library.request_of(program)
    seen = set()
    while not seen and time.monotonic() < end:
        library.lib.ov_infer_request_start_async(request.args[0])
        seen = tied()
        library.lib.ov_infer_request_wait(request.args[0])
    return sorted(seen)


home = sorted(os.sched_getaffinity(0))
alive, landed = [], []
for turn in range(4):
    for cpu in home:
        for streams in (1, 2):  # programs that are tied to no CPU leave threads, too
            library.compile(library.core, graph.args[0], {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": streams})
        program = compiled(cpu)
        landed.append([cpu, cpus_of(program)])
        if turn % 2:  # some stay, some go: what they leave behind must not be taken for what is asked
            alive.append(program)
        del program
landed += [[cpu, cpus_of(program)] for cpu, program in zip(home + home, alive)]
reserved = library.compile(library.core, graph.args[0], pinned(1, reserve=True))  # somebody else's
errors = []
for cpu in home[:1]:
    try:
        compiled(cpu)
    except EngineError as error:
        errors.append(str(error))
del reserved
landed.append([home[0], cpus_of(compiled(home[0]))])  # and nothing of the failure is left
print(json.dumps({"landed": landed, "errors": errors, "kept": sorted(os.sched_getaffinity(0)) == home}))
