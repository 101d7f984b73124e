"""Makes what a frame consists of: NCs, processes, models and replicas, with the numbers of one interval."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from neuron_adapters.tools.shared.samples import ModelChange, ProcessChange, Replica
from neuron_rt import Instance

#: Numbers of a node that are the sums of its children's.
_SUMMED = ("calls", "total_calls", "errors", "fresh_errors", "switches", "total_switches", "waiting")


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
        """Differs from those of all other processes, past ones too."""
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
    """Make the NCs of the instance, with what is on them."""
    cores = tuple(Core(nc) for nc in range(instance.nc_count))
    models: dict[int, list[tuple[float, str]]] = {}
    for process in processes:
        utilization = process.change.utilization
        for nc in process.change.owner.ncs:
            if 0 <= nc < len(cores):
                cores[nc].process, cores[nc].share = process, utilization.get(nc, 0.0)
        for model in process.change.models:
            for replica in model.replicas:
                for nc in replica.ncs:
                    if 0 <= nc < len(cores):
                        models.setdefault(nc, []).append((replica.busy, model.name))
                        cores[nc].switching |= replica.switches > 0
    for nc, named in models.items():
        named.sort(key=lambda model: -model[0])
        cores[nc].models = [name for _busy, name in named]
        cores[nc].active = sum(busy > 0 for busy, _name in named)
    return cores


def process_node(change: ProcessChange) -> Node:
    """Make the node of a process, with its models."""
    owner = change.owner
    models = [_model_node(owner.key, model, change.seconds) for model in change.models]
    return Node(
        key=Key(owner.key),
        name=f"{label_of(change)} {owner.pid}",
        ncs=owner.ncs,
        **_sums(models),
        busy=sum(change.utilization.values()) / len(owner.ncs) if owner.ncs else 0.0,
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
            _replica_node(Key(process, model.number, replica.index), f"replica {replica.index}", replica, seconds)
            for replica in replicas
        ]
        node = Node(
            key=Key(process, model.number),
            name=model.name,
            ncs=tuple(sorted({nc for replica in replicas for nc in replica.ncs})),
            **_sums(children),
            busy=sum(child.busy for child in children) / len(children) if children else 0.0,
            children=children,
        )
    node.memory = model.weights
    engine = model.engine if model.engine in {"", model.framework} else f"{model.framework} on {model.engine}"
    node.note = " ".join(filter(None, (engine or model.framework, model.file)))
    return node


def _sums(nodes: Iterable[Node]) -> dict[str, Any]:
    return {name: sum(getattr(node, name) for node in nodes) for name in _SUMMED}


def _replica_node(key: Key, name: str, replica: Replica, seconds: float) -> Node:
    return Node(
        key=key,
        name=name,
        ncs=replica.ncs,
        calls=replica.calls / seconds,
        total_calls=replica.total_calls,
        errors=replica.total_errors + replica.total_timeouts,
        fresh_errors=replica.errors + replica.timeouts,
        switches=replica.switches / seconds,
        total_switches=replica.total_switches,
        busy=replica.busy,
        waiting=replica.waited / seconds,
    )


def label_of(change: ProcessChange) -> str:
    """Name a process: its tag, else the script of its command, else the program."""
    owner = change.owner
    return owner.tag or program_of(owner.command) or str(owner.pid)


@functools.lru_cache(maxsize=1024)
def program_of(command: str) -> str:
    """Take the name of a Python's script, or of the program, from a command."""
    words = iter(command.split())
    program = next(words, "").rpartition("/")[2]
    if program.startswith("python"):
        return _script(words) or program
    return program


def _script(words: Iterator[str]) -> str:
    """Find the script among a Python's arguments: ``-c`` has none, and ``-m`` names a module."""
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
