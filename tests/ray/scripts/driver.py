"""A driver that owns NeuronCores, and starts a node of Ray; at the first try, Ctrl-C comes when the node has begun."""

import os
import signal
import subprocess
import sys
import threading
import time

os.environ["NEURON_RT_NUM_CORES"] = "2"

import ray

import neuron_adapters.ray
import neuron_rt
from neuron_adapters.ray import offer

print("driver", neuron_rt.init().instance_ncs)
del os.environ["NEURON_RT_NUM_CORES"]
NODE = {"num_cpus": 1, "include_dashboard": False, "log_to_driver": False, "_node_ip_address": "127.0.0.1"}


def interrupt_when_declared() -> None:
    while len(offer.read().ncs) == 2:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)


threading.Thread(target=interrupt_when_declared).start()
try:
    neuron_adapters.ray.init("local", **NODE)
except KeyboardInterrupt:
    print("interrupted", len(offer.read().ncs), "can be declared")
neuron_adapters.ray.init(**NODE)  # the address that Ray has noted is that of a cluster that has ended
print("declared", ray.cluster_resources()["neuron_cores"])


@ray.remote(resources={"neuron_cores": 2})
def task():
    from neuron_adapters.ray import worker

    worker.attach()
    return neuron_rt.init().instance_ncs, os.environ["NEURON_RT_VISIBLE_CORES"]


print("task", *ray.get(task.remote()))
sys.stdout.flush()
subprocess.run([sys.executable, "-m", "neuron_adapters.tools.ray_resources"], check=True)
ray.shutdown()
