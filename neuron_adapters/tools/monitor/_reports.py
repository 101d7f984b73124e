"""Makes the reports of ``neuron-monitor`` (SPEC T1).

Each metric group has its own period. Whenever a group is due it is collected again and a report is written, which
repeats the other groups unchanged. A group of a process counts from its last collection, at first from the beginning of
the process: so the calls in all reports add up to the calls of the process.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from neuron_adapters.tools.monitor import _groups as groups
from neuron_adapters.tools.monitor import _system as system
from neuron_adapters.tools.monitor._config import MonitorConfig, Selection
from neuron_adapters.tools.shared.devices import Device, devices_of, instance_of, machine_memory
from neuron_adapters.tools.shared.samples import Look, ProcessChange, Sampler, changes
from neuron_rt import Config, Instance, Owner

log = logging.getLogger("neuron_monitor")

Key = tuple[int, str]  # place in MonitorConfig.runtimes, name of the group
_SYSTEM = -1
_TOGETHER = 0.001  # seconds; groups that are due within it share a report


class Timetable:
    """Knows when each metric group is due: at multiples of its period. What was missed is not made up for."""

    def __init__(self, periods: Mapping[Key, float], start: float) -> None:
        self._periods = periods
        self._start = start
        self._next = dict.fromkeys(periods, start)

    def due(self, now: float) -> set[Key]:
        """Take the groups that are due at ``now``; they will be due again a period later."""
        due = {key for key, at in self._next.items() if at <= now + _TOGETHER}
        for key in due:
            period = self._periods[key]
            passed = math.floor((now + _TOGETHER - self._start) / period)
            self._next[key] = self._start + (passed + 1) * period
        return due

    def next(self) -> float:
        """Compute when the next group is due."""
        return min(self._next.values())


class Monitor:
    """Makes the reports of one state directory, one after the other."""

    def __init__(self, config: MonitorConfig, environment: Config) -> None:
        self._config = config
        self._environment = environment
        self._sampler = Sampler(environment.state_dir, shared=environment.shared_state)
        self._cpu_numbers = frozenset(cpu.index for cpu in environment.cpus)
        self._cpu_count = len(environment.cpus) or os.cpu_count() or 1
        self._hardware: tuple[Instance, tuple[Device, ...]] | None = None
        self._start = time.monotonic()
        self._told: dict[str, dict[str, tuple[Look, groups.Json]]] = {}
        """Of each process, each group as last reported, and the look that it was made from."""
        self._owed: dict[str, int] = {}
        """Of each process, calls that ``execution_stats`` has to make up for."""
        self._system: dict[str, tuple[float, groups.Json]] = {}
        """Each group of the machine as last reported, and when."""
        self._cpus = system.CpuTimes.at_start()

    def reports(self) -> Iterator[dict[str, Any]]:
        """Yield a report now, and another whenever a group is due. Raises StateDirectoryError."""
        periods = {(_SYSTEM, group.kind): group.period for group in self._config.system}
        for place, selection in enumerate(self._config.runtimes):
            periods |= {(place, group.kind): group.period for group in selection.groups}
        timetable = Timetable(periods, self._start)
        while True:
            yield self.tell(timetable.due(time.monotonic()))
            pause = timetable.next() - time.monotonic()
            if pause > 0:
                time.sleep(pause)

    def tell(self, due: set[Key]) -> dict[str, Any]:
        """Make a report: collect the groups that are ``due`` and those of new processes, repeat the others."""
        began = time.perf_counter()
        look = self._sampler.look()
        instance, devices = self._instance(look.owners)
        runtimes = self._runtimes(look, due, instance)
        told = {
            "neuron_runtime_data": runtimes,
            "system_data": self._machine(look.at, {kind for place, kind in due if place == _SYSTEM}, devices),
            "instance_info": groups.instance_info(instance),
            "neuron_hardware_info": groups.neuron_hardware_info(instance, devices),
        }
        log.debug("%d processes told in %.1f ms", len(runtimes), 1000 * (time.perf_counter() - began))
        return told

    def close(self) -> None:
        """Close the directory."""
        self._sampler.close()

    def _instance(self, owners: Iterable[Owner]) -> tuple[Instance, tuple[Device, ...]]:
        instance, _said = instance_of(self._environment, owners)
        if self._hardware is None or self._hardware[0] != instance:
            log.info("the instance is %s", instance.name)
            self._hardware = instance, devices_of(instance, self._environment.cpus, machine_memory())
        return self._hardware

    def _runtimes(self, look: Look, due: set[Key], instance: Instance) -> list[dict[str, Any]]:
        between = _Changes(look)
        told: dict[str, dict[str, tuple[Look, groups.Json]]] = {}
        runtimes = []
        for owner in look.owners:
            tag = owner.tag or str(owner.pid)  # as documented
            place, selection = self._selected(tag)
            if selection is None:
                continue
            before = self._told.get(owner.key, {})
            if owner.key not in self._told:
                log.info("process %d [%s] has come", owner.pid, tag)
            now = told[owner.key] = {}
            for group in selection.groups:
                last = before.get(group.kind)
                if last is not None and (place, group.kind) not in due:
                    now[group.kind] = last
                else:
                    since = None if last is None else last[0]
                    now[group.kind] = look, self._group(group.kind, since, look, between.of(owner, since), instance)
            report = {kind: data for kind, (_look, data) in now.items()}
            runtimes.append({"pid": owner.pid, "address": "", "neuron_runtime_tag": tag, "error": "", "report": report})
        for key in self._told.keys() - told.keys():
            log.info("the process of the record %s has gone", key)
        self._told = told
        self._owed = {key: owed for key, owed in self._owed.items() if key in told}
        return runtimes

    def _selected(self, tag: str) -> tuple[int, Selection | None]:
        for place, selection in enumerate(self._config.runtimes):
            if selection.tag_filter.search(tag):
                return place, selection
        return _SYSTEM, None

    def _group(
        self, kind: str, since: Look | None, look: Look, change: ProcessChange, instance: Instance
    ) -> groups.Json:
        key = change.owner.key
        if kind == "neuroncore_counters":
            return groups.neuroncore_counters(change)
        if kind == "execution_stats":
            data, owed = groups.execution_stats(change, self._owed.get(key, 0))
            self._owed[key] = owed
            return data
        usage = look.usage.get(key)
        age = usage.age if usage else 0.0
        seconds = age if since is None else look.at - since.at
        if kind == "memory_used":
            return groups.memory_used(change, seconds, instance)
        return groups.neuron_runtime_vcpu_usage(change, seconds, self._cpu_count, known=usage is not None)

    def _machine(self, now: float, due: set[str], devices: tuple[Device, ...]) -> dict[str, Any]:
        for group in self._config.system:
            if group.kind not in due:
                continue
            seconds = now - self._system.get(group.kind, (self._start,))[0]
            if group.kind == "neuron_hw_counters":
                data = groups.neuron_hw_counters(seconds, devices)
            elif group.kind == "memory_info":
                data = system.memory_info(seconds)
            else:
                before, self._cpus = self._cpus, system.CpuTimes.read(self._cpu_numbers)
                data = system.vcpu_usage(before, self._cpus)
            self._system[group.kind] = now, data
        return {group.kind: self._system[group.kind][1] for group in self._config.system}


class _Changes:
    """Compares earlier looks with this one, each pair once."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._compared: dict[int, dict[str, ProcessChange]] = {}

    def of(self, owner: Owner, since: Look | None) -> ProcessChange:
        """Compare with the look ``since``; with None, take all since the process began."""
        if id(since) not in self._compared:
            before = since or Look(self._look.at, (), {})
            self._compared[id(since)] = {change.owner.key: change for change in changes(before, self._look)}
        return self._compared[id(since)][owner.key]
