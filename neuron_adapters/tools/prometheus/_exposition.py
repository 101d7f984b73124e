"""Turns the reports of ``neuron-monitor`` into Prometheus metrics with the documented names and labels (SPEC T1).

Reports are untrusted: the presence, type and size of each value is checked. Text reaches label values only. A report
replaces the report before it, so that metrics disappear with what they measure.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from neuron_adapters.tools.monitor._groups import ECC_EVENTS, ERRORS, NC_MEMORY, PERCENTILES, STATUSES
from neuron_adapters.tools.shared.text import list_or_empty, text_or_empty

_INSTANCE_LABELS = {
    "instance_name": "instance_name",
    "instance_id": "instance_id",
    "instance_type": "instance_type",
    "availability_zone": "instance_availability_zone",
    "region": "instance_region",
    "subnet_id": "subnet_id",
}
_HARDWARE_LABELS = ("neuron_device_count", "neuroncore_per_device_count")

_CPU_USE = {"user": ("user", "nice"), "system": ("system", "io_wait", "irq", "soft_irq")}

GAUGES = {
    "neuroncore_utilization_ratio": "Share of the time in which a NeuronCore was in use, 0 to 1",
    "execution_latency_seconds": "Percentiles of how long executions took, waiting included",
    "neuron_runtime_memory_used_bytes": "Memory of the processes; their weights count as neuron_device, too",
    **{f"neuroncore_memory_usage_{kind}": f"Bytes on a NeuronCore: {kind}" for kind in NC_MEMORY},
    "neuron_runtime_vcpu_usage_ratio": "Share of all vCPUs that the processes use, 0 to 1",
    "system_vcpu_count": "vCPUs of the machine",
    "system_vcpu_usage_ratio": "Share of all vCPUs in use, 0 to 1",
    "system_memory_total_bytes": "Memory of the machine",
    "system_memory_used_bytes": "Memory of the machine in use",
    "system_swap_total_bytes": "Swap of the machine",
    "system_swap_used_bytes": "Swap of the machine in use",
}
COUNTERS = {
    "execution_errors_total": "Executions that failed, by what failed",
    "execution_status_total": "Executions, by how they ended",
    "hardware_ecc_events_total": "Errors in the memory of the devices",
}
_INFOS = {"instance": "The instance", "neuron_hardware": "The devices of the instance"}

_LONGEST = 255  # characters of a label, as documented for tags
_MOST_NCS = 4096
_MOST_PROCESSES = 16384

Labels = tuple[tuple[str, str], ...]
Say = Callable[[str], None]


class Exposition(Collector):
    """Exposes what the last report said, and the sum of what all reports counted."""

    def __init__(self, say: Say) -> None:
        """``say`` is called with each new error that a report has in it."""
        self._say = say
        self._last: _Report | None = None

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, for prometheus_client."""
        if self._last is not None:
            yield from self._last.metrics()

    def update(self, report: object) -> None:
        """Replace the metrics by those of ``report``."""
        before, self._last = self._last, _Report(_dict(report), self._last)
        for text in sorted(self._last.errors - (before.errors if before else set())):
            self._say(text)


class _Report:
    """The metrics of one report, which continue the counters of the report ``before``."""

    def __init__(self, report: Mapping[str, Any], before: _Report | None) -> None:
        self._before = before
        info = _dict(report.get("instance_info"))
        self._common = {label: _text(info.get(key)) for label, key in _INSTANCE_LABELS.items()}
        self._infos = {"instance": self._common}
        self._gauges: dict[str, dict[Labels, float]] = {name: {} for name in GAUGES}
        self.counters: dict[str, dict[Labels, tuple[float, float]]] = {name: {} for name in COUNTERS}
        """Each counter's value, and when it was created."""
        self.groups: dict[object, Any] = {}
        """Groups that were counted, by their source."""
        self.errors: set[str] = set()
        for runtime in itertools.islice(list_or_empty(report.get("neuron_runtime_data")), _MOST_PROCESSES):
            self._runtime(_dict(runtime))
        self._system(_dict(report.get("system_data")))
        if hardware := _dict(report.get("neuron_hardware_info")):
            counts = {label: _text(hardware.get(label)) for label in _HARDWARE_LABELS}
            self._infos["neuron_hardware"] = {**self._common, **counts}
        self._before = None  # it would keep all reports alive

    def metrics(self) -> Iterator[Metric]:
        """Yield the metrics that have values."""
        for name, series in self._gauges.items():
            if series:
                gauge = GaugeMetricFamily(name, GAUGES[name], labels=_names(series))
                for labels, value in series.items():
                    gauge.add_metric([text for _label, text in labels], value)
                yield gauge
        for name, counted in self.counters.items():
            if counted:
                counter = CounterMetricFamily(name, COUNTERS[name], labels=_names(counted))
                for labels, (value, created) in counted.items():
                    counter.add_metric([text for _label, text in labels], value, created=created)
                yield counter
        for name, info in self._infos.items():
            yield InfoMetricFamily(name, _INFOS[name], info)

    def _runtime(self, runtime: Mapping[str, Any]) -> None:
        tag = _text(runtime.get("neuron_runtime_tag"))
        if self._failed(f"process {tag}", runtime):
            return
        groups = _dict(runtime.get("report"))
        for name, take in (
            ("neuroncore_counters", self._neuroncore_counters),
            ("execution_stats", self._execution_stats),
            ("memory_used", self._memory_used),
            ("neuron_runtime_vcpu_usage", self._runtime_vcpu_usage),
        ):
            group = _dict(groups.get(name))
            if group and not self._failed(f"{name} of process {tag}", group):
                take(tag, (_text(runtime.get("pid")), name), group)

    def _system(self, data: Mapping[str, Any]) -> None:
        for name, take in (
            ("neuron_hw_counters", self._hw_counters),
            ("vcpu_usage", self._vcpu_usage),
            ("memory_info", self._memory_info),
        ):
            group = _dict(data.get(name))
            if group and not self._failed(name, group):
                take(group)

    def _neuroncore_counters(self, tag: str, _source: object, group: Mapping[str, Any]) -> None:
        for nc, data in _ncs(group.get("neuroncores_in_use")):
            share = _number(data.get("neuroncore_utilization"))
            self._set("neuroncore_utilization_ratio", share, 0.01, runtime_tag=tag, neuroncore=nc)

    def _execution_stats(self, tag: str, source: object, group: Mapping[str, Any]) -> None:
        errors, statuses = _dict(group.get("error_summary")), _dict(group.get("execution_summary"))
        counts = {}
        for kind in ERRORS:
            key = "execution_errors_total", self._labels(runtime_tag=tag, error_type=kind)
            counts[key] = _number(errors.get(kind)) or 0.0
        for kind in STATUSES:
            key = "execution_status_total", self._labels(runtime_tag=tag, status_type=kind)
            counts[key] = _number(statuses.get(kind)) or 0.0
        self._count(source, group, counts)
        latency = _dict(_dict(group.get("latency_stats")).get("total_latency"))
        for percentile in PERCENTILES:
            seconds = _number(latency.get(f"p{percentile}"))
            self._set("execution_latency_seconds", seconds, most=True, runtime_tag=tag, percentile=f"p{percentile}")

    def _memory_used(self, tag: str, _source: object, group: Mapping[str, Any]) -> None:
        used = _dict(group.get("neuron_runtime_used_bytes"))
        for place in ("host", "neuron_device"):
            size = _number(used.get(place))
            self._set("neuron_runtime_memory_used_bytes", size, runtime_tag=tag, memory_location=place)
        for nc, data in _ncs(_dict(used.get("usage_breakdown")).get("neuroncore_memory_usage")):
            for kind in NC_MEMORY:
                name, size = f"neuroncore_memory_usage_{kind}", _number(data.get(kind))
                # The label says "None" on hardware, too.
                self._set(name, size, runtime_tag=tag, memory_location="None", neuroncore=nc)

    def _runtime_vcpu_usage(self, tag: str, _source: object, group: Mapping[str, Any]) -> None:
        usage = _dict(group.get("vcpu_usage"))
        for kind in _CPU_USE:
            share = _number(usage.get(kind))
            self._set("neuron_runtime_vcpu_usage_ratio", share, 0.01, runtime_tag=tag, usage_type=kind)

    def _hw_counters(self, group: Mapping[str, Any]) -> None:
        counts = {}
        for device in itertools.islice(list_or_empty(group.get("neuron_devices")), _MOST_NCS):
            events = _dict(device)
            for kind in ECC_EVENTS:
                labels = self._labels(event_type=kind, neuron_device_index=_text(events.get("neuron_device_index")))
                counts["hardware_ecc_events_total", labels] = _number(events.get(kind)) or 0.0
        self._count("neuron_hw_counters", group, counts)

    def _vcpu_usage(self, group: Mapping[str, Any]) -> None:
        self._set("system_vcpu_count", float(len(_dict(group.get("usage_data")))))
        usage = _dict(group.get("average_usage"))
        for kind, fields in _CPU_USE.items():
            percent = min(100.0, sum(_number(usage.get(field)) or 0.0 for field in fields))
            self._set("system_vcpu_usage_ratio", percent, 0.01, usage_type=kind)

    def _memory_info(self, group: Mapping[str, Any]) -> None:
        for kind in ("memory_total_bytes", "memory_used_bytes", "swap_total_bytes", "swap_used_bytes"):
            self._set(f"system_{kind}", _number(group.get(kind)))

    def _set(self, name: str, value: float | None, scale: float = 1.0, *, most: bool = False, **labels: str) -> None:
        """Set a gauge. Processes of one tag share a series: it has their sum or, with ``most``, the largest of them."""
        if value is None:
            return
        series, key = self._gauges[name], self._labels(**labels)
        before = series.get(key, 0.0)
        series[key] = max(before, value * scale) if most else before + value * scale

    def _count(self, source: object, group: Mapping[str, Any], counts: Mapping[tuple[str, Labels], float]) -> None:
        """Add ``counts``, unless ``source`` has reported the same ``group`` before: it is repeated until it is due."""
        before = self._before
        fresh = before is None or before.groups.get(source) != group
        for (name, labels), count in counts.items():
            known = self.counters[name].get(labels) or (before and before.counters[name].get(labels))
            value, created = known or (0.0, time.time())
            self.counters[name][labels] = value + (max(0.0, count) if fresh else 0.0), created
        self.groups[source] = group

    def _labels(self, **labels: str) -> Labels:
        return (*self._common.items(), *labels.items())

    def _failed(self, what: str, owner: Mapping[str, Any]) -> bool:
        error = _text(owner.get("error"))
        if error:
            self.errors.add(f"{what}: {error}")
        return bool(error)


def _names(series: Mapping[Labels, object]) -> list[str]:
    return [label for label, _text in next(iter(series))]


def _ncs(value: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for nc, data in itertools.islice(_dict(value).items(), _MOST_NCS):
        if nc.isascii() and nc.isdecimal() and len(nc) <= 6:
            yield str(int(nc)), _dict(data)


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    try:
        number = float(value) if type(value) in (int, float) else math.nan  # type: ignore[arg-type]
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _text(value: object) -> str:
    """Make a printable label of a text or a whole number."""
    return text_or_empty(str(value) if type(value) is int and abs(value) < 1 << 64 else value, _LONGEST)
