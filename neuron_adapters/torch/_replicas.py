"""Replicas of placed models in a module of the user's own, one for each replica of the whole (SPEC R2).

Each part of a batch runs on the NCs of one replica of a ``DataParallel``. The models that it calls there shall run on
the same NCs, as torch_neuron loads all models of a wrapper to each of its NCs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

import torch

from neuron_adapters.adapter.placed import model_of
from neuron_adapters.torch import _placed
from neuron_adapters.torch._executable import Executable
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_rt import Model, PlacementRequest, Slot, init

_replica: ContextVar[int | None] = ContextVar("replica", default=None)
"""The replica whose part runs here."""

T = TypeVar("T")


def inside() -> bool:
    """Whether the calling code is part of a call of a replica."""
    return _replica.get() is not None


def as_replica(index: int, call: Callable[[], T]) -> T:
    """``call()`` as a part that runs on the replica of this index."""
    token = _replica.set(index)
    try:
        return call()
    finally:
        _replica.reset(token)


class Replicated(Model):
    """The model of a whole, which takes ``inner`` models with it when it is unloaded."""

    inner: tuple[Model, ...] = ()

    def release(self, why: str = "it was unloaded; load it again") -> None:
        """See ``Model.release``."""
        for model in self.inner:
            model.release(why)
        super().release(why)


class _Inner(Model):
    """A model of which a part calls the replica on its own NCs."""

    def pick(self) -> Slot:
        slots = self.slots
        return slots[(_replica.get() or 0) % len(slots)] if slots else super().pick()


def placed_in(module: Any) -> dict[int, torch.jit.ScriptModule]:
    """The placed models that a module of Python holds, by their identity. None for what is placed itself, such as a
    ScriptModule, and none of what that holds."""
    placed: dict[int, torch.jit.ScriptModule] = {}
    left = list(module.children()) if _is_shell(module) else []
    seen = set()
    while left:
        part = left.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if _is_shell(part):
            left.extend(part.children())
        elif isinstance(part, torch.jit.ScriptModule) and model_of(part) is not None:
            placed[id(part)] = part
    return placed


def _is_shell(module: Any) -> bool:
    """Whether it is a module of Python that is not placed, neither by itself nor as a DataParallel."""
    return (
        isinstance(module, torch.nn.Module)
        and not isinstance(module, torch.jit.ScriptModule)
        and model_of(module) is None
    )


class Twin:
    """A copy of ``module`` that shares all tensors with it, and whose placed models have places of their own."""

    def __init__(self, module: torch.nn.Module, dynamic: Callable[[Executable], Executable]) -> None:
        """``dynamic``: sets the dynamic batching of a compiled model."""
        self.models: list[Model] = []
        self._dynamic = dynamic
        self._placed = placed_in(module)
        self._twins: dict[int, Any] = {}
        self.module = self._of(module)

    def _of(self, part: Any) -> Any:
        if id(part) not in self._twins:
            self._twins[id(part)] = self._model(part) if id(part) in self._placed else self._shell(part)
        return self._twins[id(part)]

    def _shell(self, part: Any) -> Any:
        """A module of the same class and attributes, which holds the twins of what ``part`` holds."""
        if not _is_shell(part):
            return part
        twin = object.__new__(type(part))
        self._twins[id(part)] = twin  # before those in it, which may hold it again
        twin.__dict__.update(part.__dict__)
        held = part._modules
        twin.__dict__["_modules"] = type(held)((name, self._of(inner)) for name, inner in held.items())
        return twin

    def _model(self, part: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
        _target, need, executable = _placed.target_of(part)
        source: Any = model_of(part)
        twin = copy.copy(part)
        if executable is not None:
            executable = self._dynamic(executable)
        prepare = None if executable is None else executable.prepare
        model = _Inner(
            source.name, need, FRAMEWORK, kind="torch", file=source.file, weights=source.weights, prepare=prepare
        )
        _placed.wrap(twin, model, executable)
        self.models.append(model)
        return twin

    def place(self, starts: tuple[int, ...]) -> tuple[Model, ...]:
        """Place a replica of each model at each start."""
        for model in self.models:
            init().place(model, PlacementRequest(starts=starts))
        return tuple(self.models)
