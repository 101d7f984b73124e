"""What an adapter does in a worker process of Ray: own the NeuronCores that Ray hands it, for as long as it has them
(SPEC M1, M2).

Ray tells a task or actor its NeuronCores by NEURON_RT_VISIBLE_CORES. A worker lives on when its task has ended, and
then serves another task with other NeuronCores; so what the first task took is given back when that ends.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

import ray
import ray._private.utils as ray_utils
from ray._private.worker import WORKER_MODE, global_worker

import neuron_rt
from neuron_adapters.adapter.hooks import Patches
from neuron_adapters.ray.offer import RESOURCE
from neuron_rt import GROUP_SIZES, NUM_CORES, VISIBLE_CORES, WAIT, Config, NeuronConfigError, cpus_of_ncs

_patches = Patches()


def attach() -> None:
    """Follow what Ray does with this process from now on; nothing outside workers of Ray. The import of each adapter
    calls it."""
    if global_worker.mode != WORKER_MODE:
        return
    if not _patches.installed:
        _follow()
    _settle()


def _follow() -> None:
    # A raylet that is killed, or that the cluster takes for dead, would leave its actors running, and its NeuronCores
    # owned.
    ray_utils.set_kill_on_parent_death_linux()
    take, give = ray_utils.set_visible_accelerator_ids, ray_utils.reset_visible_accelerator_env_vars

    def begin(*arguments: Any) -> Any:
        before = take(*arguments)
        _settle()
        return before

    def end(*arguments: Any) -> Any:
        runtime = neuron_rt.current()
        if runtime is not None:  # before the raylet hears that the task has ended, and hands its NeuronCores to others
            runtime.close()
        return give(*arguments)

    with _patches.recording():
        _patches.set(ray_utils, "set_visible_accelerator_ids", begin)
        _patches.set(ray_utils, "reset_visible_accelerator_env_vars", end)


def _settle() -> None:
    """Bring the environment that Ray has made for a task or actor into the form that the runtime needs."""
    handed = ray.get_runtime_context().get_accelerator_ids().get(RESOURCE)
    if not handed:
        # Unless told otherwise the runtime would take the NeuronCores of all others.
        if _cluster_has_some() and not any(name in os.environ for name in (VISIBLE_CORES, NUM_CORES, GROUP_SIZES)):
            os.environ[VISIBLE_CORES] = ""
        return
    runtime = neuron_rt.current()
    if runtime is not None and set(map(str, runtime.instance_ncs)) != set(handed):
        runtime.close()  # an earlier task's, which knew nothing of this package's rules for workers
    # Ray hands a set over, in any order, and models need neighbours in the order of the instance.
    os.environ[VISIBLE_CORES] = ",".join(sorted(handed, key=lambda nc: (len(nc), nc)))
    os.environ.setdefault(WAIT, "30")  # whoever had these NeuronCores before is on its way out
    _use_threads()


@functools.cache
def _cluster_has_some() -> bool:
    return bool(ray.cluster_resources().get(RESOURCE))


def _use_threads() -> None:
    """Let PyTorch's operators use as many threads as there are CPUs behind the NeuronCores. Ray allows as many as
    ``num_cpus``, and one where that is 0; a value of the user's stays."""
    torch = sys.modules.get("torch")
    context = ray.get_runtime_context()
    chosen = context.runtime_env.get("env_vars") or {}
    allowed = max(1, int(context.get_assigned_resources().get("CPU", 0)))
    if torch is None or "OMP_NUM_THREADS" in chosen or torch.get_num_threads() != allowed:
        return
    try:
        config = Config.read()
    except NeuronConfigError:  # the load says it
        return
    behind = cpus_of_ncs(config.instance.nc_count, config.cpus)
    cpus = len(frozenset[int]().union(*(behind[nc] for nc in config.visible or ())))
    if cpus > allowed and config.affinity:
        torch.set_num_threads(cpus)


def where() -> str:
    """Name the node and the actor that this process is of; empty outside workers of Ray."""
    if global_worker.mode != WORKER_MODE:
        return ""
    context = ray.get_runtime_context()
    node = f"node {ray.util.get_node_ip_address()} ({context.get_node_id()[:12]})"
    actor = context.get_actor_id()
    return f"{node}, actor {actor}" if actor else f"{node}, task {context.get_task_id()}"
