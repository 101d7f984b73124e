"""A parent whose engine has threads of its own, and a forked child that keeps or drops what it inherits and loads."""

import faulthandler
import logging
import os
import sys

from neuron_rt import CpuSet, Deployment, OpenVINO, Program
from neuron_rt.openvino_cpus import tiny

logging.basicConfig(stream=sys.stdout, format="%(message)s")
CPUS = frozenset(sorted(os.sched_getaffinity(0))[:2])
ALL = {
    "lanes": [CpuSet(cpu, frozenset({cpu}), 1) for cpu in CPUS],
    "named": [CpuSet("named", CPUS, 2)],
    "free": [CpuSet("free", frozenset(), 2)],
}


def run(kind):
    deployment = Deployment(OpenVINO.instance(), Program((tiny(64).decode(),), (), packed_bytes=1 << 30))
    requests = [pool.request() for pool in deployment.pools(ALL[kind])]
    for request in requests:
        request.run()
    return deployment, requests


inherited = [run(kind) for kind in sys.argv[1].split(",")]
if sys.argv[2] == "dropped before":
    inherited.clear()
pid = os.fork()
if pid == 0:
    faulthandler.dump_traceback_later(60, exit=True)
    if sys.argv[2] == "dropped there":
        inherited.clear()
    for kind, cpu_sets in ALL.items():
        deployment, _requests = run(kind)
        assert {pool.threads for pool in deployment.pools(cpu_sets)} == {1}
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
inherited.clear()
print("done")
