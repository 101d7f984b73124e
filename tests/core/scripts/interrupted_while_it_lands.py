"""Interrupts loads of a program on named CPUs at moments that differ, then loads it; prints what it computes there."""

import ctypes
import math
import os
import signal

from neuron_rt import Program
from neuron_rt.openvino import OpenVINO
from neuron_rt.openvino_cpus import tiny

SIZE = 1024
home = sorted(os.sched_getaffinity(0))
cpus = frozenset(home[:2])
library, program = OpenVINO.instance(), Program((tiny(SIZE).decode(),), ())


def interrupt(_number, _frame):
    raise KeyboardInterrupt


signal.signal(signal.SIGALRM, interrupt)
interrupted = 0
for turn in range(12):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.002 + turn * 0.01)
        library.load(program, len(cpus), [cpus], bf16=False)
    except KeyboardInterrupt:
        interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
executable = library.load(program, len(cpus), [cpus], bf16=False)
source = (ctypes.c_float * SIZE**2)(*range(4))
target = (ctypes.c_float * SIZE**2)()
request = executable.request(cpus)
request.set_input(0, ctypes.addressof(source))
request.set_output(0, ctypes.addressof(target))
request.run()
assert all(math.isclose(target[k], math.exp(k), rel_tol=1e-5) for k in range(4)), target[:4]
assert interrupted, "no load was interrupted"
print("done")
