"""Pools of a program with large weights on CPUs that are named and not, by one and two threads: who shares what."""

import os

from neuron_rt import CpuSet, Deployment, Program
from neuron_rt.openvino import OpenVINO
from neuron_rt.openvino_cpus import tiny

cpus = sorted(os.sched_getaffinity(0))[:2]
deployment = Deployment(OpenVINO.instance(), Program((tiny(64).decode(),), (), packed_bytes=1 << 30))


def executable(pool):
    return pool.request.func.__self__


(named,) = deployment.pools([CpuSet("named", frozenset(cpus), len(cpus))])
own = executable(named)
everywhere, first = deployment.pools([CpuSet("all", frozenset(), 2), CpuSet("first", frozenset(cpus[:1]), 1)])
last, again = deployment.pools([CpuSet("last", frozenset(cpus[-1:]), 1), CpuSet("named", frozenset(cpus), len(cpus))])
assert again is named
assert executable(named) is own, "its threads are tied to its CPUs: no other executable can run there"
assert executable(first) is executable(last), "the weights are held once"
assert len({own, executable(everywhere), executable(first)}) == 3, "a run has the threads that it was asked for"
print("done")
