"""Runs a compiled model: checks the inputs, slices a batch, and calls what computes.

That is the engine where the model could be lowered, else PyTorch's own inference form of the frozen graph.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from neuron_adapters.adapter.executable import open_form, prepare, slices
from neuron_adapters.adapter.hooks import original
from neuron_adapters.files.openvino_ir import Lowered
from neuron_adapters.files.record import Leaf
from neuron_adapters.torch._artifact import PROGRAM, Artifact, able_to_freeze
from neuron_adapters.torch._constants import constants
from neuron_adapters.torch._effects import writes
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_adapters.torch._inputs import Inputs, is_plain
from neuron_adapters.torch._joining import Joining
from neuron_adapters.torch._lowering import GUARDED, Compiled, Shape, Tensor, autocasts, open_program
from neuron_adapters.torch._pages import Packed, Pages
from neuron_adapters.torch._quiet import own_calls
from neuron_adapters.torch._structure import Template, flatten, map_tensors
from neuron_rt import Computation, Engine, RequestPool, Slot


class Executable:
    """Runs one compiled model; shared by all its replicas and loads (SPEC K5)."""

    def __init__(
        self, module: torch.jit.ScriptModule, artifact: Artifact, compiled: Compiled | Packed | None, why: str
    ) -> None:
        """``compiled``: its form for the engine, None where PyTorch computes. ``why``: the reason for either."""
        # Not the Python object: it will hold this executable, and its place shall be free when it goes (SPEC P6).
        self.c_module = module._c
        self.why = why
        self.writes = writes(module)
        """Whether it writes to its buffers or inputs: then each load and copy has its own executable (SPEC K7)."""
        self._compiled = compiled
        self.pages: Pages | None = None
        """The memory of its constants, where PyTorch's copy of them need not stay."""
        self._native = _Native(module._c, artifact)
        arguments = module._c._get_method("forward").schema.arguments[1:]
        self._accept(artifact, [argument.name for argument in arguments])

    def _accept(self, artifact: Artifact, names: Sequence[str]) -> None:
        """Take the inputs of ``artifact``, which are arguments of these names."""
        self.artifact = artifact
        self._inputs = Inputs(artifact, names)
        self._fit = self._inputs.fit  # looked up at each call

    @classmethod
    def open(cls, module: torch.jit.ScriptModule, artifact: Artifact, choice: str, source: str) -> Executable:
        """The executable of a module that was compiled, maybe elsewhere. ``choice``: NEURON_ADAPTERS_ENGINE.

        Raises NeuronConfigError where the engine is asked for and not installed.
        """
        recorded = artifact.engine, artifact.why
        opened, why = open_form("PyTorch", choice, recorded, source, lambda engine: _opened(engine, module, artifact))
        return cls(module, artifact, opened, why)

    def hold_once(self, module: torch.jit.ScriptModule, source: str, state: object) -> None:
        """Give PyTorch's copy of the constants back once the engine has its own (``_pages``). ``module``: this
        executable's, just loaded from ``source``. ``state``: the file's (``adapter.executable.identity``)."""
        if isinstance(self._compiled, Compiled) and not self.writes:
            self.pages = Pages.of(module, self._compiled.deployment.program, source, state)
            if self.pages is not None:
                self._compiled = Packed(self._compiled, self.pages)

    def keep(self) -> None:
        """Have the constants in memory from now on, for PyTorch. Raises ArtifactError where their file was written
        to."""
        if self.pages is not None:
            self.pages.keep()

    def prepare(self, slots: Sequence[Slot]) -> Computation:
        """Make ready to run on ``slots``; what computes there (``neuron_rt.runtime.Prepare``)."""
        computation = prepare(slots, self._compiled, self.why, "PyTorch")
        if isinstance(computation, Computation):
            return computation
        self._open_native()
        return Computation("torch", computation, self._native.weights())

    def __call__(self, pool: RequestPool | None, *args: Any, **kwargs: Any) -> Any:
        """Run by a request of ``pool``, on inputs of the compiled shapes and dtypes, or with dynamic batching of those
        shapes but for dimension 0. Raises InputMismatchError (SPEC K1)."""
        if kwargs:
            args = self._inputs.positional(args, kwargs)
        if not self._fit(args):
            return self._run_differing(pool, args)
        if pool is None:
            if autocasts():  # the form that is optimised for this CPU does not
                return self._by_framework(None, *args)
            return (self._native.method or self._open_native())(*args)
        idle = pool.idle
        try:
            call = idle.pop()
        except IndexError:
            call = self._compiled.call(pool)  # type: ignore[union-attr]
        result = call(args)
        idle.append(call)  # not after an exception: where it reads and writes may be half set
        return result if result is not GUARDED else self._by_framework(pool, *args)

    def _by_framework(self, pool: RequestPool | None, *args: Any) -> Any:
        """PyTorch's own answer, or its own error: to a call whose guard spoke, or on tensors that no engine reads (SPEC
        K3). By the frozen graph: the one that is optimised for this CPU takes plain tensors only."""
        self.keep()
        method = self.c_module._get_method("forward")
        if pool is None:  # the runtime has limited PyTorch's threads already
            return method(*args)
        pool.guarded += 1
        return (FRAMEWORK.limit_threads(pool.threads), method(*args))[1]

    def _open_native(self) -> Callable[..., Any]:
        self.keep()
        return self._native.open()

    def with_dynamic_batch(self, dynamic: bool) -> Executable:
        """A copy with dynamic batching on or off; nothing is loaded again."""
        other = copy.copy(self)
        other._accept(replace(self.artifact, dynamic_batch=dynamic), self._inputs.names)
        return other

    def of_copy(self, module: torch.jit.ScriptModule) -> Executable:
        """The executable of ``module``, which is a copy of this executable's: this one, unless it writes. Then the copy
        has the state that PyTorch gave it."""
        return Executable(module, self.artifact, self._compiled, self.why) if self.writes else self

    def of_load(self, module: torch.jit.ScriptModule) -> Executable:  # noqa: ARG002
        """The executable of ``module``, a load of this executable's file: this one (SPEC K5)."""
        return self

    def _run_differing(self, pool: RequestPool | None, args: Sequence[Any]) -> Any:
        """Run on arguments that are not plain tensors in a row, all as compiled. Raises InputMismatchError."""
        with torch._C.DisableTorchFunctionSubclass():  # looking at a subclass is not a call of it
            args = [map_tensors(_detached, arg) for arg in args]
            leaves = list(flatten(args))
            batch = self._inputs.batch_of(leaves)
            plain = all(is_plain(leaf) for _path, leaf in leaves)
        if not plain:
            return self._slices(batch, args, partial(self._by_framework, pool))
        if pool is None:
            method = partial(self._by_framework, None) if autocasts() else self._native.method or self._open_native()
            return self._slices(batch, args, method)

        def run(*slice_: Any) -> Any:
            tensors = self._inputs.converted(slice_)
            return self(pool, *tensors) if self._fit(tensors) else self._by_framework(pool, *slice_)

        # PyTorch only moves memory here, and must not use its threads for that.
        return (FRAMEWORK.limit_threads(1), self._slices(batch, args, run))[1]

    def _slices(self, batch: int | None, args: Sequence[Any], run: Callable[..., Any]) -> Any:
        """Run on ``batch`` rows in slices of the compiled batch; as they are where ``batch`` is None."""
        if batch is None:
            return run(*args)
        step, parts = self.artifact.batch, []
        for first, rows in slices(batch, step):
            slice_ = [map_tensors(lambda tensor, first=first: _rows(tensor, first, step), arg) for arg in args]  # type: ignore[misc]
            parts.append(map_tensors(lambda tensor, rows=rows: tensor[:rows], run(*slice_)))  # type: ignore[misc]
        return Joining(0).join(parts)


def _opened(engine: Engine, module: torch.jit.ScriptModule, artifact: Artifact) -> Compiled:
    """The engine's form that travels in ``module``. Raises ValueError where it makes no sense."""
    record = module._c.getattr(PROGRAM) if module._c.hasattr(PROGRAM) else None
    inputs, outputs = (
        [Tensor.of(dtype, shape) for _path, shape, dtype in leaves] for leaves in (artifact.inputs, artifact.outputs)
    )
    template = Template.checked(artifact.structure, len(outputs))
    shape = Shape(inputs, outputs, template)
    return open_program(engine, Lowered.loads(record), module, shape, bf16=artifact.bf16)


class _Native:
    """What PyTorch computes with: the form optimised for this CPU where it agreed with the frozen graph, else that
    graph. It is made when it is needed, since it holds a second copy of the weights; executables that derive from
    another share it."""

    def __init__(self, c_module: Any, artifact: Artifact) -> None:
        self._c_module = c_module
        self._optimize = artifact.optimize
        self.method: Callable[..., Any] | None = None
        """The callable that computes, once it is open."""

    def open(self) -> Callable[..., Any]:
        """Make the callable that computes."""
        if self.method is None:
            c_module = self._c_module
            if self._optimize:
                c_module = optimized(torch.jit._recursive.wrap_cpp_module(c_module.__copy__()))._c
            self.method = c_module._get_method("forward")
        return self.method

    def weights(self) -> int:
        """Bytes of the graph's constants, and of what is not constant."""
        module = torch.jit._recursive.wrap_cpp_module(self._c_module)
        values = [*constants(module), *module.parameters(), *module.buffers()]
        return sum(value.nbytes for value in values if isinstance(value, torch.Tensor))


def optimized(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """A frozen module's form for inference on this CPU: operators fused, weights packed. It can't be saved."""
    able_to_freeze(module)  # else PyTorch would optimise the module itself, in place
    with own_calls():
        # Not the hook: this module is never saved, so it needs no record.
        frozen = original(torch.jit.freeze)(module.eval())
        return original(torch.jit.optimize_for_inference)(frozen)


def leaf_of(path: str, tensor: torch.Tensor) -> Leaf:
    """A tensor's entry in the record."""
    return path, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")


def _rows(tensor: torch.Tensor, first: int, step: int) -> torch.Tensor:
    """``step`` rows from ``first``, filled up with zeros where there are no more."""
    rows = tensor[first : first + step]
    if rows.shape[0] == step:
        return rows
    return torch.cat([rows, rows.new_zeros((step - rows.shape[0], *rows.shape[1:]))])


def _detached(tensor: torch.Tensor) -> torch.Tensor:
    """Compiled models infer; no gradient flows through them. What is not plain stays what it is."""
    return tensor.detach() if tensor.requires_grad and is_plain(tensor) else tensor
