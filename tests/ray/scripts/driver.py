"""A driver that owns NeuronCores, and starts a node of Ray."""

import os
import subprocess
import sys
import warnings

os.environ["NEURON_RT_NUM_CORES"] = "2"

import ray

import neuron_adapters.ray
import neuron_rt

print("driver", neuron_rt.init().instance_ncs)
del os.environ["NEURON_RT_NUM_CORES"]
neuron_adapters.ray.init(
    "local", num_cpus=1, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1"
)
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
