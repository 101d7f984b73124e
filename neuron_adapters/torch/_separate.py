"""Models whose weights can be replaced after compilation: ``trace(..., inline_weights_to_neff=False)``.

A compiled module has its weights as constants of its frozen graph. A separated one carries the graph as it was traced
besides, without weights (``attach``). ``replaced`` fills that in, and from then on PyTorch computes the module with it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from neuron_adapters.files import bounded_json
from neuron_adapters.files.printable import damaged, one_line
from neuron_adapters.torch import _artifact
from neuron_adapters.torch._artifact import GRAPH, WEIGHTS, Artifact
from neuron_adapters.torch._executable import Executable
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_adapters.torch._reread import reread
from neuron_rt import CompileError, Computation, RequestPool, Slot

_WHY = "its weights were replaced, so PyTorch computes the graph as it was traced"


class Weight(NamedTuple):
    """A tensor that can be replaced. ``path``: where the traced graph has it. ``names``: those of the state dict of the
    original, more than one where weights are tied."""

    path: str
    names: Sequence[str]
    shape: Sequence[int]
    dtype: str


class Separated(Executable):
    """The executable of a module whose weights can be replaced. Each load and copy has its own; those of its
    DataParallel hear of it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._current: list[Executable] = []
        """What computes now, once weights were replaced; shared with all that derive from this one."""
        self.prepared: set[object] = set()
        """The numbers of the models that it, or what derives from it, was made ready for."""
        self.copied = False
        """Whether a copy shares its place, and what was made ready there."""
        self.bare: Any = None
        """Its graph without weights, once it was needed."""
        self._origin: Executable = self
        """Kept alive, so that later loads of the file find it."""

    def __call__(self, pool: RequestPool | None, *args: Any, **kwargs: Any) -> Any:
        """See Executable."""
        if not self._current:
            return super().__call__(pool, *args, **kwargs)
        current = self._current[-1]
        if current.artifact.dynamic_batch != self.artifact.dynamic_batch:
            current = current.with_dynamic_batch(self.artifact.dynamic_batch)
        if pool is None:
            return current(None, *args, **kwargs)
        return (FRAMEWORK.limit_threads(pool.threads), current(None, *args, **kwargs))[1]

    def prepare(self, slots: Sequence[Slot]) -> Computation:
        """See Executable."""
        self.prepared.add(slots[0].model)
        return self._current[-1].prepare(slots) if self._current else super().prepare(slots)

    def of_copy(self, module: torch.jit.ScriptModule) -> Executable:
        """See Executable."""
        self.copied = True
        return self.of_load(module)

    def of_load(self, module: torch.jit.ScriptModule) -> Executable:
        """See Executable."""
        twin = Separated(module, self.artifact, self._compiled, self.why)
        twin._origin = self._origin
        if self._current:  # it may be called with requests of the engine, which has other weights
            twin.become(module, self.artifact)
        return twin

    def become(self, module: torch.jit.ScriptModule, artifact: Artifact) -> None:
        """Compute ``module`` from now on, here and in all that derives from this one."""
        self._current[:] = [Executable(module, artifact, None, _WHY)]
        self._accept(artifact, self._inputs.names)


def attach(
    frozen: torch.jit.ScriptModule, traced: torch.jit.ScriptModule, names: Mapping[str, str], artifact: Artifact
) -> None:
    """Let ``frozen`` carry the graph of ``traced`` without weights. ``names``: the names of the original's state dict
    by their paths in ``traced``. ``artifact``: the record of ``frozen``."""
    graph = copy.deepcopy(traced._c)
    tied: dict[tuple[Any, ...], list[str]] = {}
    for path, name in names.items():
        tied.setdefault(_identity(path, _at(traced._c, path)), []).append(name)
    weights = []
    for path in dict.fromkeys(_used(traced)):
        if path in names:
            tensor = _at(traced._c, path)
            weights.append(Weight(path, tied[_identity(path, tensor)], tuple(tensor.shape), _name(tensor.dtype)))
            _set(graph, path, torch.empty(0, dtype=tensor.dtype))
    for path in names:  # those that the graph does not use
        if _at(graph, path).numel():
            _set(graph, path, torch.empty(0, dtype=_at(graph, path).dtype))
    # Written and read: it gets a type of its own, to which attributes can be added.
    own = reread(torch.jit._recursive.wrap_cpp_module(graph), own=False)
    for module in (own, frozen):
        _artifact.attach(module, WEIGHTS, json.dumps(weights))
    _unfit(artifact).attach(own)
    frozen._c._register_attribute(GRAPH, own._c._type(), own._c)


def weights_of(module: torch.jit.ScriptModule) -> list[Weight]:
    """The weights of ``module`` that can be replaced; none where it was compiled with its weights. Raises ArtifactError
    where the list, which comes out of a file, makes no sense."""
    if not module._c.hasattr(WEIGHTS):
        return []
    try:
        weights = [Weight(*entry) for entry in bounded_json.loads(module._c.getattr(WEIGHTS))]
        for weight in weights:
            if not isinstance(_at(_graph(module), weight.path), torch.Tensor):
                raise TypeError(f"{weight.path!r} is no tensor")
            if not weight.names or not all(isinstance(name, str) for name in weight.names):
                raise TypeError(f"{weight.path!r} has no name")
    except (ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise damaged(f"The list of weights in the model makes no sense ({one_line(error)}).") from None
    return weights


def replaced(
    module: torch.jit.ScriptModule, artifact: Artifact, state: Mapping[str, Any], bare: Any = None
) -> tuple[torch.jit.ScriptModule, Artifact]:
    """A module like ``module`` with the weights in ``state``, by their names in the original's state dict, and its
    record.
    ``module`` stays as it is. Names that its graph does not use are ignored. ``bare``: what ``bare_graph`` gave.

    Raises CompileError where a weight is missing, or has another shape or dtype.
    """
    weights = weights_of(module)
    tensors = [_checked(weight, state) for weight in weights]
    graph = copy.deepcopy(bare_graph(module) if bare is None else bare)
    for weight, tensor in zip(weights, tensors):
        _set(graph, weight.path, tensor)
    result: torch.jit.ScriptModule = torch.jit._recursive.wrap_cpp_module(graph)
    artifact = _unfit(artifact).sealed(result)
    artifact.attach(result)
    return result, artifact


def bare_graph(module: torch.jit.ScriptModule) -> Any:
    """The graph of ``module`` as it was traced, without weights."""
    if module._c.hasattr(GRAPH):
        return module._c.getattr(GRAPH)
    graph = copy.deepcopy(module._c)
    for weight in weights_of(module):
        _set(graph, weight.path, torch.empty(0, dtype=_at(graph, weight.path).dtype))
    return graph


def _unfit(artifact: Artifact) -> Artifact:
    """``artifact`` for the graph as it was traced: nothing was tried with other weights."""
    return replace(artifact, engine="", why=_WHY, bf16=False, optimize=False, outputs=(), structure=None)


def _checked(weight: Weight, state: Mapping[str, Any]) -> torch.Tensor:
    """The tensor for ``weight``, a copy. Raises CompileError."""
    candidates = [(name, state[name]) for name in weight.names if name in state]
    if not candidates:
        others = [name for name in state if name not in weight.names][:8]
        raise CompileError(
            f"replace_weights(): the weights have no {weight.names[0]!r}, which the compiled model uses. They have "
            f"{', '.join(map(repr, others)) or 'none'}{' ...' if len(state) > 8 else ''}. Pass the state dict of a "
            "model of the class that was compiled."
        )
    for name, tensor in candidates:
        if not isinstance(tensor, torch.Tensor) or tensor.device.type != "cpu" or tensor.layout is not torch.strided:
            what = f"a tensor on {tensor.device}" if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            raise CompileError(f"replace_weights(): {name!r} is {what}, expected a dense tensor on the CPU.")
        if list(tensor.shape) != list(weight.shape) or _name(tensor.dtype) != weight.dtype:
            raise CompileError(
                f"replace_weights(): {name!r} is {_name(tensor.dtype)} of shape {list(tensor.shape)}, and the model "
                f"was compiled for {weight.dtype} of shape {list(weight.shape)}. Convert it, or trace() the new model."
            )
    (first, tensor), *rest = candidates
    for name, other in rest:
        if _identity("", other) != _identity("", tensor) and not torch.equal(other, tensor):
            raise CompileError(
                f"replace_weights(): {first!r} and {name!r} differ, and the compiled model has one tensor for both. "
                "Trace() a model in which they are not tied."
            )
    own: torch.Tensor = tensor.detach().clone(memory_format=torch.contiguous_format)
    return own


def _graph(module: torch.jit.ScriptModule) -> Any:
    """The module whose graph reads the weights: one that ``module`` carries or, once they were replaced, itself."""
    return module._c.getattr(GRAPH) if module._c.hasattr(GRAPH) else module._c


def _used(traced: torch.jit.ScriptModule) -> Iterator[str]:
    """Paths of the tensors in ``traced`` that its graph reads."""
    graph: Any = traced.inlined_graph
    paths = {next(graph.inputs()).debugName(): ""}
    for node in graph.findAllNodes("prim::GetAttr"):
        owner = paths.get(node.input().debugName())
        if owner is None:
            continue
        path = f"{owner}.{node.s('name')}" if owner else node.s("name")
        paths[node.output().debugName()] = path
        if node.output().type().kind() == "TensorType":
            yield path


def _at(c_module: Any, path: str) -> Any:
    for name in path.split("."):
        c_module = c_module.getattr(name)
    return c_module


def _set(c_module: Any, path: str, tensor: torch.Tensor) -> None:
    *owners, name = path.split(".")
    for owner in owners:
        c_module = c_module.getattr(owner)
    c_module.setattr(name, tensor)


def _identity(path: str, tensor: torch.Tensor) -> tuple[Any, ...]:
    """What tied weights have in common."""
    if not tensor.numel():
        return (path,)
    return tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
