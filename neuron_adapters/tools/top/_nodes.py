"""What a frame is made of: NCs, processes, models and replicas, with the numbers of one interval."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from neuron_adapters.tools._samples import ModelChange, ProcessChange, Replica
from neuron_rt.instance import Instance


class Key(NamedTuple):
    """A row of the tree. ``model`` 0: the process as a whole; ``replica`` -1: all of the model's."""

    process: str
    model: int = 0
    replica: int = -1


@dataclass(slots=True)
class Node:
    """A process, a model or a replica in numbers. Counts without ``total_`` are of a second."""

    key: Key
    name: str
    ncs: tuple[int, ...]
    calls: float = 0.0
    total_calls: int = 0
    errors: int = 0
    """Since loading, time-outs too."""
    fresh_errors: int = 0
    """Of those, the ones since the last frame."""
    switches: float = 0.0
    total_switches: int = 0
    busy: float = 0.0
    """Share of the time that its NCs were held for it, 0 to 1; over a process's NCs, the mean."""
    waiting: float = 0.0
    """Calls that waited for their NCs, on average."""
    memory: int = 0
    """Bytes: a process's resident memory, a model's weights."""
    note: str = ""
    children: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Process:
    """A process that publishes. ``number`` is that of its tab."""

    change: ProcessChange
    label: str
    number: int
    colour: int
    node: Node

    @property
    def key(self) -> str:
        """Tells it from all others, past ones too."""
        return self.change.owner.key


@dataclass(slots=True)
class Core:
    """An NC. ``models``: the names of those that are on it, the busiest first."""

    nc: int
    share: float = 0.0
    process: Process | None = None
    models: list[str] = field(default_factory=list)
    active: int = 0
    """Of the models, those that held it since the last frame."""
    switching: bool = False
    """Whether one model made way for another."""


def cores_of(instance: Instance, processes: Iterable[Process]) -> tuple[Core, ...]:
    """The NCs of the instance, with what is on them."""
    cores = tuple(Core(nc) for nc in range(instance.nc_count))
    on: dict[int, list[tuple[float, str]]] = {}
    for process in processes:
        utilization = process.change.utilization
        for nc in process.change.owner.ncs:
            if 0 <= nc < len(cores):
                cores[nc].process, cores[nc].share = process, utilization.get(nc, 0.0)
        for model in process.change.models:
            for replica in model.replicas:
                for nc in replica.ncs:
                    if 0 <= nc < len(cores):
                        on.setdefault(nc, []).append((replica.busy, model.name))
                        cores[nc].switching |= replica.switches > 0
    for nc, found in on.items():
        found.sort(key=lambda one: -one[0])
        cores[nc].models = [name for _busy, name in found]
        cores[nc].active = sum(busy > 0 for busy, _name in found)
    return cores


def process_node(change: ProcessChange) -> Node:
    """A process with its models."""
    owner = change.owner
    models = [_model_node(owner.key, model, change.seconds) for model in change.models]
    return Node(
        key=Key(owner.key),
        name=f"{label_of(change)} {owner.pid}",
        ncs=owner.ncs,
        calls=sum(one.calls for one in models),
        total_calls=sum(one.total_calls for one in models),
        errors=sum(one.errors for one in models),
        fresh_errors=sum(one.fresh_errors for one in models),
        switches=sum(one.switches for one in models),
        total_switches=sum(one.total_switches for one in models),
        busy=sum(change.utilization.values()) / len(owner.ncs) if owner.ncs else 0.0,
        waiting=sum(one.waiting for one in models),
        memory=change.resident,
        note=owner.command if change.counted else "(its counters cannot be read)",
        children=models,
    )


def _model_node(process: str, model: ModelChange, seconds: float) -> Node:
    replicas = model.replicas
    if len(replicas) == 1:
        node = _replica_node(Key(process, model.number), model.name, replicas[0], seconds)
    else:
        children = [
            _replica_node(Key(process, model.number, one.index), f"replica {one.index}", one, seconds)
            for one in replicas
        ]
        node = Node(
            key=Key(process, model.number),
            name=model.name,
            ncs=tuple(sorted({nc for one in children for nc in one.ncs})),
            calls=sum(one.calls for one in children),
            total_calls=sum(one.total_calls for one in children),
            errors=sum(one.errors for one in children),
            fresh_errors=sum(one.fresh_errors for one in children),
            switches=sum(one.switches for one in children),
            total_switches=sum(one.total_switches for one in children),
            busy=sum(one.busy for one in children) / len(children) if children else 0.0,
            waiting=sum(one.waiting for one in children),
            children=children,
        )
    node.memory = model.weights
    engine = model.engine if model.engine in {"", model.framework} else f"{model.framework} on {model.engine}"
    node.note = " ".join(filter(None, (engine or model.framework, model.file)))
    return node


def _replica_node(key: Key, name: str, one: Replica, seconds: float) -> Node:
    return Node(
        key=key,
        name=name,
        ncs=one.ncs,
        calls=one.calls / seconds,
        total_calls=one.total_calls,
        errors=one.total_errors + one.total_timeouts,
        fresh_errors=one.errors + one.timeouts,
        switches=one.switches / seconds,
        total_switches=one.total_switches,
        busy=one.busy,
        waiting=one.waited / seconds,
    )


def label_of(change: ProcessChange) -> str:
    """The tag, else the script of the command, else the program."""
    owner = change.owner
    return owner.tag or program_of(owner.command) or str(owner.pid)


@functools.lru_cache(maxsize=1024)
def program_of(command: str) -> str:
    """The name of a Python's script, or of the program."""
    words = iter(command.split())
    program = next(words, "").rpartition("/")[2]
    if program.startswith("python"):
        return _script(words) or program
    return program


def _script(words: Iterator[str]) -> str:
    """The script among a Python's arguments: ``-c`` has none, and ``-m`` names a module."""
    for word in words:
        if word == "-m":
            return next(words, "")
        if word == "-c":
            return ""
        if word in {"-W", "-X"}:
            next(words, "")
        elif not word.startswith("-"):
            return word.rpartition("/")[2]
    return ""
