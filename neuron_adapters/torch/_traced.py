"""From what a user gives ``trace`` to a frozen graph of TorchScript: what is compiled, and compared with."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from neuron_adapters.torch import _effects
from neuron_adapters.torch._quiet import own_calls
from neuron_adapters.torch._reread import reread
from neuron_adapters.torch._structure import flatten, map_tensors
from neuron_rt import CompileError


def arguments(example_inputs: Any) -> tuple[Any, ...]:
    """``example_inputs`` as a tuple of arguments. Raises CompileError."""
    if isinstance(example_inputs, (torch.Tensor, dict)):
        example_inputs = (example_inputs,)
    if not isinstance(example_inputs, (tuple, list)) or not any(True for _ in flatten(example_inputs)):
        raise CompileError(
            f"example_inputs is a tensor, or a tuple or list of arguments with a tensor in it, "
            f"got {type(example_inputs).__name__}."
        )
    return tuple(example_inputs)


def by_name(module: torch.nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments by their names. Raises CompileError."""
    if not isinstance(named, Mapping) or not any(True for _ in flatten(dict(named))):
        raise CompileError(
            f"example_kwarg_inputs is a dictionary of arguments by their names, with a tensor in it, got "
            f"{type(named).__name__}."
        )
    names = list(inspect.signature(module.forward).parameters)[: len(inputs)]
    if twice := [name for name in names if name in named]:
        raise CompileError(f"The argument {twice[0]!r} is in example_inputs and in example_kwarg_inputs.")
    return {**dict(zip(names, inputs)), **named}


def in_order(traced: torch.jit.ScriptModule, named: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments in the order of ``traced``. Raises CompileError."""
    names = [argument.name for argument in traced._c._get_method("forward").schema.arguments[1:]]
    if missing := [name for name in names[: len(named)] if name not in named]:
        raise CompileError(f"The model takes {', '.join(names)}; {missing[0]!r} is in no example input.")
    return tuple(named[name] for name in names[: len(named)])


def as_module(model: torch.nn.Module | Callable[..., Any]) -> torch.nn.Module:
    """The module that ``model`` is, that its ``forward`` belongs to, or one that calls it."""
    owner = getattr(model, "__self__", None)
    if isinstance(owner, torch.nn.Module) and getattr(model, "__name__", "") == "forward":
        return owner
    if isinstance(model, torch.nn.Module):
        return model
    if not callable(model):
        raise CompileError(f"trace() takes a module, a function or a bound method, got {type(model).__name__}.")
    return _Function(model)


class _Function(torch.nn.Module):
    """A function as a module, since a module can carry a record. Modules that the function uses become its own, so
    that their weights are traced as weights."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self._function = function
        self.used = torch.nn.ModuleList(_modules_of(function))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)


def _modules_of(function: Callable[..., Any]) -> list[torch.nn.Module]:
    """Modules that a function reaches by its closure, its globals or its object."""
    values = list(vars(getattr(function, "__self__", None) or object).values())
    with contextlib.suppress(TypeError, ValueError):  # builtins and callable objects have no variables to look at
        used = inspect.getclosurevars(getattr(function, "__func__", function))
        values += [*used.nonlocals.values(), *used.globals.values()]
    return [value for value in values if isinstance(value, torch.nn.Module)]


class _HalfModule(torch.nn.Module):
    """FLOAT32_TO_FLOAT16: float16 at the edges and in the weights, float32 in between."""

    def __init__(self, inner: Callable[..., Any]) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = (
            map_tensors(lambda leaf: leaf.half().float() if leaf.is_floating_point() else leaf, values)
            for values in (args, kwargs)
        )
        answer = self.inner(*args, **kwargs)
        return map_tensors(lambda leaf: leaf.half() if leaf.is_floating_point() else leaf, answer)


def half_form(module: torch.nn.Module) -> torch.nn.Module:
    """``module`` for FLOAT32_TO_FLOAT16. A function calls the user's own modules, of which the weights stay as they
    are."""
    if not isinstance(module, _Function):
        module = copy.deepcopy(module)
        for tensor in [*module.parameters(), *module.buffers()]:
            if tensor.dtype is torch.float32:
                tensor.data = tensor.data.half().float()
    return _HalfModule(module)


def names_of_weights(module: torch.nn.Module) -> dict[str, str]:
    """The names in the user's state dict of the tensors of ``module``. Those of a function are those of the module that
    it uses, with the module's number in front where there are several."""
    if not isinstance(module, _Function):
        return {name: name for name in module.state_dict()}
    prefix = "used.0." if len(module.used) == 1 else "used."
    return {name: name.removeprefix(prefix) for name in module.state_dict()}


@contextlib.contextmanager
def with_names(module: torch.nn.Module) -> Iterator[None]:
    """Let the arguments of a function that ``module`` calls have their names in its trace."""
    if not isinstance(module, _Function | _HalfModule):
        yield
        return
    function: Any = module.inner if isinstance(module, _HalfModule) else module
    function = getattr(function, "_function", function)
    with contextlib.suppress(TypeError, ValueError):  # builtins have no signature
        forward: Any = functools.partial(module.forward)
        forward.__signature__ = inspect.signature(getattr(function, "forward", function))
        vars(module)["forward"] = forward
    try:
        yield
    finally:
        vars(module).pop("forward", None)


def torchscript_of(module: torch.nn.Module, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.jit.ScriptModule:
    """``module`` as torch.jit.trace gives it; a scripted one as it is where there are no ``kwargs`` for that."""
    if isinstance(module, torch.jit.ScriptModule) and not {*kwargs} - {"example_kwarg_inputs"}:
        return module
    positional = None if kwargs.get("example_kwarg_inputs") is not None else inputs
    # Without gradients as it will run; some layers take another way then, and PyTorch checks that too.
    with torch.no_grad(), own_calls():
        traced: torch.jit.ScriptModule = torch.jit.trace(module, positional, **kwargs)
    return traced


@contextlib.contextmanager
def fused_attention(*, allowed: bool) -> Iterator[None]:
    """Let torch.nn's transformer layers be traced as one operator or, since no engine has that operator, as several."""
    backend = getattr(torch.backends, "mha", None)
    if allowed or backend is None:
        yield
        return
    before = backend.get_fastpath_enabled()
    backend.set_fastpath_enabled(False)
    try:
        yield
    finally:
        backend.set_fastpath_enabled(before)


def frozen_form(scripted: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """Freeze, and read the result back once: what is saved and loaded later is this very graph."""
    frozen = _freeze(scripted)
    return reread(frozen, own=frozen is not scripted)


def _freeze(scripted: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """What torch.jit.freeze gives; ``scripted`` itself where that would compute something else, or is not possible."""
    if not hasattr(scripted, "training"):
        return scripted  # frozen already
    c_module = scripted._c
    if scripted.training:
        # PyTorch freezes no module that is in training mode. The modes of the modules in it are constants to it.
        if _reads_its_mode(scripted):
            return scripted
        c_module = c_module.__copy__()
        c_module.setattr("training", False)
    c_module = torch._C._freeze_module(c_module, [], True, False)  # noqa: FBT003
    frozen: torch.jit.ScriptModule = torch.jit._recursive.wrap_cpp_module(c_module)
    if _effects.writes(frozen):
        return scripted  # the optimisations take each batch_norm for one of inference
    torch.jit._freeze.run_frozen_optimizations(frozen)
    return frozen


def _reads_its_mode(scripted: torch.jit.ScriptModule) -> bool:
    """Whether ``forward`` depends on the ``training`` of the module itself."""
    graph: Any = scripted.inlined_graph
    itself = next(graph.inputs()).debugName()
    return any(
        node.s("name") == "training" and node.input().debugName() == itself
        for node in graph.findAllNodes("prim::GetAttr")
    )


def takes_any_arguments(module: torch.nn.Module) -> bool:
    """Whether ``module`` is one of these wrappers, whose ``forward`` takes ``*args``."""
    return isinstance(module, _HalfModule | _Function)
