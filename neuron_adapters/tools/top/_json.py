"""A frame as one JSON record, for programs. ``docs/tools.md`` says what each field means."""

from __future__ import annotations

import json
from typing import Any

from neuron_adapters.tools._samples import ModelChange, Replica
from neuron_adapters.tools.top._model import Picture
from neuron_adapters.tools.top._nodes import Core, Key, Process

VERSION = 1


def text(picture: Picture) -> str:
    """The record on one line."""
    return json.dumps(record(picture))


def record(picture: Picture) -> dict[str, Any]:
    """The record. Times are seconds, memory is bytes, shares are from 0 to 1."""
    instance = picture.instance
    return {
        "version": VERSION,
        "time": round(picture.time, 3),
        "seconds": round(picture.seconds, 6),
        "instance": {
            "name": instance.name,
            "device_count": instance.device_count,
            "nc_count": instance.nc_count,
            "cpu_count": picture.cpu_count,
        },
        "system": {
            "vcpu": {"user": _share(picture.user), "system": _share(picture.system)},
            "memory": {"used_bytes": picture.memory_used, "total_bytes": picture.memory_total},
        },
        "neuroncores": [_core(picture, core) for core in picture.cores],
        "processes": [_process(picture, process) for process in picture.processes],
    }


def _core(picture: Picture, core: Core) -> dict[str, Any]:
    return {
        "neuroncore": core.nc,
        "neuron_device": core.nc // picture.instance.ncs_per_device,
        "utilization": _share(core.share),
        "pid": core.process.change.owner.pid if core.process else None,
        "models": core.models,
        "switching": core.switching,
    }


def _process(picture: Picture, process: Process) -> dict[str, Any]:
    change = process.change
    return {
        "pid": change.owner.pid,
        "tag": change.owner.tag,
        "command": change.owner.command,
        "neuroncores": list(change.owner.ncs),
        "counted": change.counted,
        "vcpu": {"user": _share(change.user), "system": _share(change.system)},
        "memory_bytes": change.resident,
        "calls_per_second": round(process.node.calls, 3),
        "models": [_model(picture, process.key, model, change.seconds) for model in change.models],
    }


def _model(picture: Picture, process: str, model: ModelChange, seconds: float) -> dict[str, Any]:
    latency = picture.latency(Key(process, model.number))
    replicas = model.replicas
    return {
        "model_id": model.number,
        "name": model.name,
        "file": model.file,
        "framework": model.framework,
        "engine": model.engine,
        "nc_count": model.nc_count,
        "weights_bytes": model.weights,
        "calls": sum(one.total_calls for one in replicas),
        "errors": sum(one.total_errors for one in replicas),
        "timeouts": sum(one.total_timeouts for one in replicas),
        "switches": sum(one.total_switches for one in replicas),
        "calls_per_second": round(sum(one.calls for one in replicas) / seconds, 3),
        "switches_per_second": round(sum(one.switches for one in replicas) / seconds, 3),
        "waiting": _share(sum(one.waited for one in replicas) / seconds),
        "latency_seconds": {"p50": latency[0], "p99": latency[1]} if latency else None,
        "replicas": [_replica(one) for one in replicas],
    }


def _replica(one: Replica) -> dict[str, Any]:
    return {
        "replica": one.index,
        "neuroncores": list(one.ncs),
        "running": one.running,
        "utilization": _share(one.busy),
        "calls": one.total_calls,
        "errors": one.total_errors,
        "timeouts": one.total_timeouts,
        "switches": one.total_switches,
    }


def _share(value: float) -> float:
    return round(value, 4)
