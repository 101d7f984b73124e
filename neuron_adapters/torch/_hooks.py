"""The hooks: ``torch.jit.load``, ``torch.export.load`` and what makes one module from another (SPEC H1-H4)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.export
import torch.fx

from neuron_adapters import adapter
from neuron_adapters.adapter.hooks import Hooks, hook
from neuron_adapters.torch import _aoti, _exported, _graph_view, _load, _placed, _quiet, _torch_load

_hooks = Hooks("neuron_adapters.torch", ("torch_neuron", "torch_neuronx"))


def install(modules: Mapping[str, Any], namespace: object) -> bool:
    """See ``neuron_adapters.adapter.hooks.Hooks.install``. ``namespace``: what ``torch.classes`` gets as ``neuron``."""

    def put_in(hooks: Hooks) -> None:
        wrappers: dict[Any, Callable[[Any], Any]] = {
            torch.jit.load: _load.wrap_load,
            torch.jit.freeze: _wrap_derive,
            torch.jit.optimize_for_inference: _wrap_derive,
            torch.export.load: _exported.wrap_load,
            torch.export.save: _exported.wrap_save,
        }
        if adapter.served:
            wrappers[torch.load] = _torch_load.wrap_load
        hooks.rebind({function: hook(function, wrap) for function, wrap in wrappers.items()})
        exported, script_module = torch.export.ExportedProgram, torch.jit._script.RecursiveScriptModule
        hooks.set(exported, "module", _exported.wrap_module(exported.module))
        hooks.set(exported, "__copy__", _exported.copy_program)
        hooks.set(exported, "__deepcopy__", _exported.deepcopy_program)
        for name in ("__copy__", "__deepcopy__"):
            hooks.set(script_module, name, _wrap_copy(getattr(script_module, name)))
            hooks.set(torch.fx.GraphModule, name, _exported.wrap_copy(getattr(torch.fx.GraphModule, name)))
        hooks.set(script_module, "graph", _graph_view.graph(vars(script_module)["graph"]))
        hooks.set(script_module, "code", _graph_view.code(vars(script_module)["code"]))
        hooks.set(torch.classes, "neuron", namespace)
        _quiet.put_in(hooks)
        _aoti.put_in(hooks)

    return _hooks.install(modules, put_in)


uninstall = _hooks.uninstall


def _wrap_derive(function: Any) -> Any:
    """A hook of a function that makes one ScriptModule from another: the result stays where its source is."""

    def derive(mod: Any, *args: Any, **kwargs: Any) -> Any:
        result = function(mod, *args, **kwargs)
        if isinstance(mod, torch.nn.Module) and isinstance(result, torch.jit.ScriptModule) and result is not mod:
            _placed.follow(mod, result)
        return result

    return derive


def _wrap_copy(function: Any) -> Any:
    """A hook of __copy__ and __deepcopy__: a copy stays where its original is."""

    @functools.wraps(function)
    def copied(self: Any, *args: Any) -> Any:
        twin = function(self, *args)
        _placed.follow(self, twin, same=True)
        return twin

    return copied
