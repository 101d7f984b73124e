"""Makes the metric groups of ``neuron-monitor``, as the documented objects (SPEC T1).

They have all documented keys and no others. Values that only hardware has, such as error correction, are 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from neuron_adapters.tools.shared.devices import Device, logical_config
from neuron_adapters.tools.shared.samples import ModelChange, ProcessChange, Replica
from neuron_rt import Instance, percentile

Json = dict[str, Any]

# Documented keys, which the exporter for Prometheus reads.
PERCENTILES = (0, 1, 25, 50, 75, 99, 100)
ERRORS = ("generic", "numerical", "transient", "model", "runtime", "hardware")
STATUSES = (
    "completed", "completed_with_err", "completed_with_num_err", "timed_out", "incorrect_input", "failed_to_queue",
)  # fmt: skip
ECC_EVENTS = ("mem_ecc_corrected", "mem_ecc_uncorrected", "sram_ecc_uncorrected", "sram_ecc_corrected")
NC_MEMORY = ("constants", "model_code", "model_shared_scratchpad", "runtime_memory", "tensors")
_UNREADABLE = "its counters cannot be read: they are damaged, or of another version of neuron_rt"
_NO_METADATA = "no instance metadata: the instance is emulated"
_MODEL_IDS = 10000  # more than a model can have replicas

#: By the beginning of the instance type: type of the devices, their version, version of the NeuronCores.
_HARDWARE = {
    "inf1": ("inferentia", "v1", "v1"),
    "inf2": ("inferentia2", "v3", "v2"),
    "trn1": ("trainium", "v2", "v2"),
    "trn2": ("trainium2", "v4", "v3d"),
}
_EMULATED = ("emulated", "", "")


def neuroncore_counters(change: ProcessChange) -> Json:
    """Report the utilisation in percent, by instance NC. Floating point operations are not counted: ``flops`` is 0."""
    return {
        "period": _seconds(change.seconds),
        "neuroncores_in_use": {
            str(nc): {"neuroncore_utilization": _percent(share), "flops": 0}
            for nc, share in sorted(change.utilization.items())
        },
        "error": "" if change.counted else _UNREADABLE,
    }


def execution_stats(change: ProcessChange, owed: int = 0) -> tuple[Json, int]:
    """Count the calls that ended in the period. A call that raised is a generic error, whatever the exception.

    A process counts an error a moment before it counts the call. A look between the two sees too few calls: those are
    ``owed``, and the next report makes up for them.
    """
    replicas = [replica for model in change.models for replica in model.replicas]
    errors = sum(replica.errors for replica in replicas)
    completed = sum(replica.calls for replica in replicas) - errors - owed
    data = {
        "period": _seconds(change.seconds),
        "error_summary": {**dict.fromkeys(ERRORS, 0), "generic": errors},
        "execution_summary": {
            **dict.fromkeys(STATUSES, 0),
            "completed": max(0, completed),
            "completed_with_err": errors,
            "timed_out": sum(replica.timeouts for replica in replicas),
        },
        "latency_stats": {
            "total_latency": _latency([replica.totals for replica in replicas]),
            "device_latency": _latency([replica.buckets for replica in replicas]),
        },
        "error": "" if change.counted else _UNREADABLE,
    }
    return data, max(0, -completed)


def memory_used(change: ProcessChange, seconds: float, instance: Instance) -> Json:
    """Report the memory of the process. All of it is ``host``; weights count also where hardware would hold them:
    once a model (SPEC K5), in equal parts on all NCs that it is loaded on, so that the parts add up to the whole."""
    by_nc = dict.fromkeys(change.owner.ncs, 0)
    loaded = []
    for model in change.models:
        parts = _parts(model.weights, sum(len(replica.ncs) for replica in model.replicas))
        for replica in model.replicas:
            held = {nc: next(parts) for nc in replica.ncs}
            loaded.append(_loaded_model(model, replica, held, instance))
            for nc, size in held.items():
                by_nc[nc] += size
    return {
        "period": _seconds(seconds),
        "neuron_runtime_used_bytes": {
            "host": change.resident,
            "neuron_device": sum(by_nc.values()),
            "usage_breakdown": {
                "host": _host(change.resident),
                "neuroncore_memory_usage": {
                    str(nc): {**dict.fromkeys(NC_MEMORY, 0), "constants": size} for nc, size in sorted(by_nc.items())
                },
            },
        },
        "loaded_models": loaded,
        "error": "" if change.counted else _UNREADABLE,
    }


def neuron_runtime_vcpu_usage(change: ProcessChange, seconds: float, cpu_count: int, *, known: bool) -> Json:
    """Report the CPU time of the process, in percent of all CPUs of the instance."""
    return {
        "period": _seconds(seconds),
        "vcpu_usage": {
            "user": round(100 * change.user / cpu_count, 2),
            "system": round(100 * change.system / cpu_count, 2),
        },
        "error": "" if known else f"process {change.owner.pid} cannot be read",
    }


def neuron_hw_counters(seconds: float, devices: Sequence[Device]) -> Json:
    """Report no memory errors: the emulated devices have none."""
    return {
        "period": _seconds(seconds),
        "neuron_devices": [{"neuron_device_index": device.index, **dict.fromkeys(ECC_EVENTS, 0)} for device in devices],
        "error": "",
    }


def instance_info(instance: Instance) -> Json:
    """Name the type of the instance. Metadata of a cloud are empty, and ``error`` says so."""
    return {
        "instance_name": "",
        "instance_id": "",
        "instance_type": instance.name,
        "instance_availability_zone": "",
        "instance_availability_zone_id": "",
        "instance_region": "",
        "ami_id": "",
        "subnet_id": "",
        "error": _NO_METADATA,
    }


def neuron_hardware_info(instance: Instance, devices: Sequence[Device]) -> Json:
    """Describe the emulated instance. If its type is not documented, its devices are of the type ``emulated``."""
    device_type, device_version, nc_version = _HARDWARE.get(instance.name[:4], _EMULATED)
    return {
        "neuron_device_type": device_type,
        "neuron_device_version": device_version,
        "neuroncore_version": nc_version,
        "neuron_device_count": instance.device_count,
        "neuron_device_memory_size": devices[0].memory,
        "neuroncore_per_device_count": instance.ncs_per_device,
        "logical_neuroncore_config": logical_config(instance),
        "error": "",
    }


def _loaded_model(model: ModelChange, replica: Replica, held: Mapping[int, int], instance: Instance) -> Json:
    """Describe a replica as hardware would load it: as a model with a sub-graph for each NC."""
    words = "\0".join((model.name, model.file, model.framework, str(model.nc_count)))
    return {
        "name": model.name,
        "uuid": hashlib.blake2b(words.encode(), digest_size=16).hexdigest(),
        "model_id": model.number * _MODEL_IDS + replica.index,
        "is_running": replica.running,
        "subgraphs": {
            f"sg_{place:02d}": {
                "memory_used_bytes": {
                    "host": 0,
                    "neuron_device": size,
                    "usage_breakdown": {
                        "host": _host(0),
                        "neuron_device": {"constants": size, "model_code": 0, "runtime_memory": 0, "tensors": 0},
                    },
                },
                "neuroncore_index": nc,
                "neuron_device_index": nc // instance.ncs_per_device,
            }
            for place, (nc, size) in enumerate(held.items())
        },
    }


def _host(size: int) -> Json:
    return {"application_memory": size, "constants": 0, "dma_buffers": 0, "tensors": 0}


def _parts(size: int, count: int) -> Iterator[int]:
    """Divide ``size`` into ``count`` whole parts that differ by 1 at most."""
    share, rest = divmod(size, max(1, count))
    return (share + (place < rest) for place in range(count))


def _latency(buckets: Sequence[Sequence[int]]) -> Json | None:
    """Compute the percentiles in seconds; None where no call ended, as documented."""
    total = [sum(column) for column in zip(*buckets)]
    if not any(total):
        return None
    return {f"p{percent}": _seconds(percentile(total, percent)) for percent in PERCENTILES}


def _seconds(seconds: float) -> float:
    return round(seconds, 9)


def _percent(share: float) -> float:
    return round(100 * share, 4)
