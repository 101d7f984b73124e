"""Places a ScriptModule: the object stays PyTorch's own, and its methods run on its NeuronCores."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Any

import torch

from neuron_adapters.adapter.placed import model_of, place_at_first_call, remember
from neuron_adapters.torch import _context, _separate
from neuron_adapters.torch._artifact import ATTRIBUTE, Artifact, embedded, read
from neuron_adapters.torch._executable import Executable
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_adapters.torch._untraced import untraced
from neuron_rt import Model, PlacementRequest, Runtime, current, init

_tracing = torch._C._get_tracing_state


class PlacedMethod:
    """A method of a placed module: calls run on the module's NCs, everything else is the ScriptMethod's own."""

    __slots__ = ("__weakref__", "_method", "_model", "_target")

    def __init__(self, model: Model, method: Any, target: Callable[..., Any]) -> None:
        self._model = model
        self._method = method
        self._target = target

    @untraced
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if _tracing() is not None:  # a larger module is traced: the graph must see the method itself
            return self._method(*args, **kwargs)
        model = self._model
        return (model.slot or model.pick()).run(self._target, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._method, name)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._method)

    def __repr__(self) -> str:
        return repr(self._method)


class CompiledMethod(PlacedMethod):
    """``forward`` of a compiled module: runs its executable, by the engine's requests for the replica if it has any."""

    __slots__ = ()

    @untraced
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if _tracing() is not None:
            self._target.keep()  # type: ignore[attr-defined]
            return self._method(*args, **kwargs)
        model = self._model
        slot = model.slot or model.pick()
        pool = slot.pool
        return slot.run(self._target, (pool, *args), kwargs, pool is None)

    def __getattr__(self, name: str) -> Any:
        if hasattr(type(self._method), name):  # the graph, which holds the constants
            self._target.keep()  # type: ignore[attr-defined]
        return super().__getattr__(name)


def wrap(module: torch.jit.ScriptModule, model: Model, executable: Executable | None = None) -> None:
    """Let every method of ``module`` run as ``model``; ``executable``, if any, replaces ``forward``."""
    c_module = module._c
    for name in c_module._method_names():
        method = c_module._get_method(name)
        if executable is not None and name == "forward":
            module.__dict__[name] = CompiledMethod(model, method, executable)
        else:
            module.__dict__[name] = PlacedMethod(model, method, method)
    remember(module, model)


def new_model(
    module: torch.jit.ScriptModule, cores: int, executable: Executable | None = None, source: str = "", name: str = ""
) -> Model:
    """The runtime's model for ``module``, which needs ``cores`` NCs."""
    name = name or os.path.basename(source) or str(module.original_name)
    weights = sum(weight.nbytes for weight in (*module.parameters(), *module.buffers()))
    prepare = None if executable is None else executable.prepare
    return Model(name, cores, FRAMEWORK, kind="torch", file=source, weights=weights, prepare=prepare)


def place(
    runtime: Runtime, module: torch.jit.ScriptModule, source: str, cores: int, executable: Executable | None
) -> None:
    """Place a module that was just loaded (SPEC P1-P3): where the context says, else where the runtime decides."""
    where = _context.current_place()
    if executable is not None:
        executable = executable.of_load(module)
    model = new_model(module, cores, executable, source)
    runtime.place(model, where)
    wrap(module, model, executable)


def place_compiled(module: torch.jit.ScriptModule, executable: Executable, name: str) -> None:
    """Place a module that was just compiled: in a context at once, else at its first call, since most modules are saved
    and never run here."""
    model = new_model(module, executable.artifact.pipeline_cores, executable, name=name)
    where = _context.current_place()
    if where != PlacementRequest():
        init().place(model, where)
    else:
        place_at_first_call(model, lambda model: init().place(model))
    wrap(module, model, executable)


def follow(source: torch.nn.Module, result: torch.jit.ScriptModule, *, same: bool = False) -> None:
    """Let ``result``, which was made from ``source`` (copied, frozen, optimised), share the NCs of ``source`` and, once
    saved, need as many. ``same``: it computes the very same graph."""
    if not isinstance(source, torch.jit.ScriptModule):
        return
    records = embedded(source)
    if records and not result._c.hasattr(ATTRIBUTE):
        artifact = Artifact(max(record.pipeline_cores for record in records))
        with contextlib.suppress(RuntimeError):  # PyTorch cannot print its code, nor save it: no file needs a checksum
            artifact = artifact.sealed(result)
        artifact.attach(result)
    model = model_of(source)
    if model is not None:
        executable = target_of(source)[2] if same else None
        wrap(result, model, executable and executable.of_copy(result))


def replace_weights(module: torch.jit.ScriptModule, weights: Mapping[str, Any]) -> bool:
    """Let ``module`` compute with ``weights`` from now on, where it is; False where it has none to replace. Raises
    CompileError where they do not fit."""
    if not _separate.weights_of(module):
        return False
    model, executable = model_of(module), target_of(module)[2]
    recorded = executable.artifact if executable is not None else read(module)[0] or Artifact()
    separated = executable if isinstance(executable, _separate.Separated) else None
    if separated is not None and separated.bare is None:
        separated.bare = _separate.bare_graph(module)
    result, artifact = _separate.replaced(module, recorded, weights, separated and separated.bare)
    module._reconstruct(result._c)
    if model is not None and separated is not None:
        separated.become(module, artifact)
        wrap(module, model, separated)
        runtime = current()
        for placed in () if runtime is None else runtime.models():
            if placed.number in separated.prepared and not (separated.copied and placed is model):
                # Made ready anew, it says what computes it.
                starts = tuple(slot.core_range.start_nc for slot in placed.slots)
                init().place(placed, PlacementRequest(starts=starts))
    return True


def target_of(module: Any) -> tuple[Callable[..., Any], int, Executable | None]:
    """What calling ``module`` runs: the callable, the NCs it needs, and its executable where it is compiled."""
    method = vars(module).get("forward") if isinstance(module, torch.nn.Module) else None
    model = model_of(module)
    if method is not None and issubclass(type(method), PlacedMethod) and model is not None:
        target = method._target
        return target, model.nc_count, target if isinstance(target, Executable) else None
    return module, 1, None
