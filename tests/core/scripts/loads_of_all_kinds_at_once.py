"""Threads load programs on named CPUs, in lanes and for their callers, all at once."""

import os
import threading

from neuron_rt import Program
from neuron_rt.openvino import OpenVINO
from neuron_rt.openvino_cpus import tiny

library, program = OpenVINO.instance(), Program((tiny(64).decode(),), ())
cpus = frozenset(sorted(os.sched_getaffinity(0))[:2])
kinds = [(len(cpus), [cpus]), (1, [frozenset()] * 2), (1, [frozenset()]), (len(cpus), [frozenset()])]
errors = []


def load(threads, lanes):
    try:
        for _ in range(12):
            library.load(program, threads, lanes, bf16=False)
    except Exception as error:
        errors.append(f"{threads} {lanes} {error!r}")


loaders = [threading.Thread(target=load, args=kind) for kind in kinds]
for loader in loaders:
    loader.start()
for loader in loaders:
    loader.join()
print(*errors or ["done"])
