"""Writes a frame as one JSON record, for programs. ``docs/tools.md`` says what each field means."""

from __future__ import annotations

import json
from typing import Any

from neuron_adapters.tools.shared.samples import ModelChange, Replica
from neuron_adapters.tools.top._model import Picture
from neuron_adapters.tools.top._nodes import Core, Key, Process

VERSION = 1


def text(picture: Picture) -> str:
    """Write the record on one line."""
    return json.dumps(record(picture))


def record(picture: Picture) -> dict[str, Any]:
    """Make the record. Times are seconds, memory is bytes, shares are from 0 to 1."""
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

    def total(what: str) -> Any:
        return sum(getattr(replica, what) for replica in model.replicas)

    return {
        "model_id": model.number,
        "name": model.name,
        "file": model.file,
        "framework": model.framework,
        "engine": model.engine,
        "nc_count": model.nc_count,
        "weights_bytes": model.weights,
        "calls": total("total_calls"),
        "errors": total("total_errors"),
        "timeouts": total("total_timeouts"),
        "switches": total("total_switches"),
        "calls_per_second": round(total("calls") / seconds, 3),
        "switches_per_second": round(total("switches") / seconds, 3),
        "waiting": _share(total("waited") / seconds),
        "latency_seconds": {"p50": latency[0], "p99": latency[1]} if latency else None,
        "replicas": [_replica(replica) for replica in model.replicas],
    }


def _replica(replica: Replica) -> dict[str, Any]:
    return {
        "replica": replica.index,
        "neuroncores": list(replica.ncs),
        "running": replica.running,
        "utilization": _share(replica.busy),
        "calls": replica.total_calls,
        "errors": replica.total_errors,
        "timeouts": replica.total_timeouts,
        "switches": replica.total_switches,
    }


def _share(value: float) -> float:
    return round(value, 4)
