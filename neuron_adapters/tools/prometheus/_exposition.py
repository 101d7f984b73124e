"""Turns the reports of ``neuron-monitor`` into Prometheus metrics with the documented names and labels (SPEC T1).

Reports are untrusted: the presence, type and size of each value is checked. Text reaches label values only. A report
replaces the report before it, so that metrics disappear with what they measure.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from neuron_adapters.tools.monitor._groups import ERRORS, NC_MEMORY, PERCENTILES, STATUSES
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

ECC_EVENTS = ("mem_ecc_corrected", "mem_ecc_uncorrected", "sram_ecc_corrected", "sram_ecc_uncorrected")
_CPU_USE = {"user": ("user", "nice"), "system": ("system", "io_wait", "irq", "soft_irq")}

GAUGES = {
    "neuroncore_utilization_ratio": "Share of the time in which a NeuronCore was in use, 0 to 1",
    "execution_latency_seconds": "Percentiles of how long executions took, waiting included",
    "neuron_runtime_memory_used_bytes": "Memory of the processes; their weights are told as neuron_device, too",
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

_LONGEST = 255  # characters of a label, as documented for tags
_MOST_NCS = 4096
_MOST_PROCESSES = 16384

Labels = tuple[tuple[str, str], ...]
Say = Callable[[str], None]


class Exposition(Collector):
    """Holds what the last report said, and the sum of what all reports counted."""

    def __init__(self, say: Say) -> None:
        """``say`` is called with each new error that a report has in it."""
        self._say = say
        self._said: set[str] = set()
        self._counted: dict[str, dict[Labels, float]] = {name: {} for name in COUNTERS}
        self._created: dict[Labels, float] = {}
        self._seen: dict[object, Any] = {}
        """Groups as they were counted last: reports repeat a group until it is due again."""
        self._metrics: tuple[Metric, ...] = ()

    def collect(self) -> Iterable[Metric]:
        """All metrics, for prometheus_client."""
        return self._metrics

    def update(self, report: object) -> None:
        """Replace the metrics by those of ``report``."""
        _Update(self, _dict(report)).run()

    def count(self, source: object, data: Mapping[str, Any], counts: Mapping[tuple[str, Labels], float]) -> None:
        """Add ``counts``, unless ``data`` is what ``source`` said last time."""
        fresh = self._seen.get(source) != data
        for (name, labels), value in counts.items():
            counted = self._counted[name]
            if labels not in counted:
                self._created[labels] = time.time()
            counted[labels] = counted.get(labels, 0.0) + (max(0.0, value) if fresh else 0.0)

    def publish(
        self, gauges: Mapping[str, Mapping[Labels, float]], infos: Mapping[str, dict[str, str]],
        counted: Mapping[str, set[Labels]], seen: dict[object, Any], errors: set[str],
    ) -> None:  # fmt: skip
        """Expose these metrics and no others from now on."""
        self._seen = seen
        for name, alive in counted.items():
            self._counted[name] = {labels: value for labels, value in self._counted[name].items() if labels in alive}
        everything = set().union(*counted.values())
        self._created = {labels: at for labels, at in self._created.items() if labels in everything}
        for text in sorted(errors - self._said):
            self._say(text)
        self._said = errors
        self._metrics = (
            *(_gauge(name, series) for name, series in gauges.items() if series),
            *(self._counter(name) for name in COUNTERS if self._counted[name]),
            *(InfoMetricFamily(name, _INFOS[name], labels) for name, labels in infos.items()),
        )

    def _counter(self, name: str) -> Metric:
        family = CounterMetricFamily(name, COUNTERS[name], labels=_names(self._counted[name]))
        for labels, value in self._counted[name].items():
            family.add_metric([text for _label, text in labels], value, created=self._created[labels])
        return family


_INFOS = {"instance": "The instance", "neuron_hardware": "The devices of the instance"}


class _Update:
    """Reads one report."""

    def __init__(self, exposition: Exposition, report: Mapping[str, Any]) -> None:
        self._exposition = exposition
        self._report = report
        info = _dict(report.get("instance_info"))
        self._common = {label: _text(info.get(key)) for label, key in _INSTANCE_LABELS.items()}
        self._gauges: dict[str, dict[Labels, float]] = {name: {} for name in GAUGES}
        self._counted: dict[str, set[Labels]] = {name: set() for name in COUNTERS}
        self._seen: dict[object, Any] = {}
        self._errors: set[str] = set()

    def run(self) -> None:
        for runtime in itertools.islice(list_or_empty(self._report.get("neuron_runtime_data")), _MOST_PROCESSES):
            self._runtime(_dict(runtime))
        self._system(_dict(self._report.get("system_data")))
        hardware = _dict(self._report.get("neuron_hardware_info"))
        infos = {"instance": self._common}
        if hardware:
            counts = {label: _text(hardware.get(label)) for label in _HARDWARE_LABELS}
            infos["neuron_hardware"] = {**self._common, **counts}
        self._exposition.publish(self._gauges, infos, self._counted, self._seen, self._errors)

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
        self._exposition.count(source, group, counts)
        self._seen[source] = group
        for name, labels in counts:
            self._counted[name].add(labels)

    def _labels(self, **labels: str) -> Labels:
        return (*self._common.items(), *labels.items())

    def _failed(self, what: str, owner: Mapping[str, Any]) -> bool:
        error = _text(owner.get("error"))
        if error:
            self._errors.add(f"{what}: {error}")
        return bool(error)


def _gauge(name: str, series: Mapping[Labels, float]) -> Metric:
    family = GaugeMetricFamily(name, GAUGES[name], labels=_names(series))
    for labels, value in series.items():
        family.add_metric([text for _label, text in labels], value)
    return family


def _names(series: Mapping[Labels, float]) -> list[str]:
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
