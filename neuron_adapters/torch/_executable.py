"""A compiled model as something to run: checked inputs, slices of a batch, and behind them what computes.

That is the engine where the model could be lowered, else PyTorch's own inference form of the frozen graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from neuron_adapters.adapter.executable import open_form, prepare, slices
from neuron_adapters.adapter.hooks import original
from neuron_adapters.files.record import Leaf
from neuron_adapters.torch._artifact import PROGRAM, Artifact, able_to_freeze
from neuron_adapters.torch._constants import constants
from neuron_adapters.torch._framework import FRAMEWORK
from neuron_adapters.torch._structure import Template, flatten, join, map_tensors
from neuron_rt import InputMismatchError, Model
from neuron_rt import engine as engines
from neuron_rt.execution import Slot

if TYPE_CHECKING:
    from neuron_adapters.torch import _lowering


class Executable:
    """Runs one compiled model; shared by all its replicas and loads (SPEC K5)."""

    def __init__(
        self, module: torch.jit.ScriptModule, artifact: Artifact, compiled: _lowering.Compiled | None, why: str
    ) -> None:
        """``compiled``: its form for the engine, None where PyTorch computes. ``why``: the reason for either."""
        # Not the Python object: it will hold this executable, and its place shall be free when it goes (SPEC P6).
        self.c_module = module._c
        self.artifact = artifact
        self.why = why
        self._names = [argument.name for argument in module._c._get_method("forward").schema.arguments[1:]]
        self._compiled = compiled
        self._native = _Native(module._c, artifact)
        self._method: Callable[..., Any] | None = None
        plain = all(path.isdigit() for path, _shape, _dtype in artifact.inputs)
        self._flat = [(shape, getattr(torch, dtype)) for _p, shape, dtype in artifact.inputs] if plain else None

    @classmethod
    def open(cls, module: torch.jit.ScriptModule, artifact: Artifact, choice: str, source: str) -> Executable:
        """Of a module that was compiled, maybe elsewhere. ``choice``: NEURON_ADAPTERS_ENGINE.

        Raises NeuronConfigError where the engine is asked for and not installed.
        """
        recorded = artifact.engine, artifact.why
        opened, why = open_form("PyTorch", choice, recorded, source, lambda engine: _opened(engine, module, artifact))
        return cls(module, artifact, opened, why)

    def prepare(self, model: Model, slots: Sequence[Slot]) -> None:
        """Make ready to run on ``slots`` (neuron_rt.Model.prepare)."""
        if not prepare(model, slots, self._compiled, self.why, "PyTorch"):
            self._method = self._native.method()
            model.weights = self._native.weights()

    def __call__(self, station: engines.Station | None, *args: Any, **kwargs: Any) -> Any:
        """Run at ``station`` on inputs of the compiled shapes and dtypes, or with dynamic batching of the compiled
        shapes but for dimension 0. Raises InputMismatchError (SPEC K1)."""
        if kwargs:
            args = self._positional(args, kwargs)
        if not self._fits(args):
            return self._slow(station, args)
        if station is None:
            return self._method(*args)  # type: ignore[misc]
        pool = station.pool
        try:
            call = pool.pop()
        except IndexError:
            call = self._compiled.call(station)  # type: ignore[union-attr]
        result = call(args)
        pool.append(call)  # not one that an exception left: where it reads and writes may be half set
        return result

    def with_dynamic_batch(self, dynamic: bool) -> Executable:
        """The same executable with dynamic batching on or off; nothing is loaded again."""
        other = object.__new__(Executable)
        other.__dict__.update(self.__dict__, artifact=replace(self.artifact, dynamic_batch=dynamic))
        return other

    def _fits(self, args: Sequence[Any]) -> bool:
        """The quick way: tensors in a row, all as compiled."""
        if not self.artifact.inputs:  # frozen by somebody: nothing is known of its inputs
            return True
        if self._flat is None or len(args) != len(self._flat):
            return False
        if len(args) == 1:  # the same once more without the loop: a sixth of a small model's overhead
            arg, (shape, dtype) = args[0], self._flat[0]
            return (
                type(arg) is torch.Tensor
                and arg.shape == shape
                and arg.dtype is dtype
                and arg.is_cpu
                and not arg.requires_grad
                and arg.layout is torch.strided
            )
        for arg, (shape, dtype) in zip(args, self._flat):
            if (
                not isinstance(arg, torch.Tensor)
                or arg.shape != shape
                or arg.dtype is not dtype
                or arg.requires_grad
                or not arg.is_cpu
                or arg.layout is not torch.strided
            ):
                return False
        return True

    def _slow(self, station: engines.Station | None, args: Sequence[Any]) -> Any:
        args = [map_tensors(_detached, arg) for arg in args]
        batch = self._check(list(flatten(args)))
        if station is not None:  # PyTorch only moves memory here, and must not use its threads for that
            run = lambda *piece: self(station, *self._as_compiled(piece))
            return (FRAMEWORK.limit_threads(1), self._slices(batch, args, run))[1]
        return self._slices(batch, args, self._method)  # type: ignore[arg-type]

    def _as_compiled(self, args: Sequence[Any]) -> list[Any]:
        """float16 where float32 was compiled, as FLOAT32_TO_FLOAT16 allows; dense where it is sparse."""
        wanted = [dtype for _shape, dtype in self._flat or ()]
        return [
            arg.to_dense().to(dtype) if arg.layout is not torch.strided else arg.to(dtype)
            for arg, dtype in zip(args, wanted)
        ]

    def _slices(self, batch: int | None, args: Sequence[Any], run: Callable[..., Any]) -> Any:
        """Run on ``batch`` rows in slices of the compiled batch; as they are where ``batch`` is None."""
        if batch is None:
            return run(*args)
        step, parts = self.artifact.batch, []
        for first, rows in slices(batch, step):
            piece = [map_tensors(lambda leaf, first=first: _rows(leaf, first, step), arg) for arg in args]  # type: ignore[misc]
            parts.append(map_tensors(lambda leaf, rows=rows: leaf[:rows], run(*piece)))  # type: ignore[misc]
        return parts[0] if len(parts) == 1 else join(parts, 0)

    def _check(self, leaves: list[tuple[str, torch.Tensor]]) -> int | None:
        """Compare with what was compiled; the size of a batch that must be sliced, None where it need not be."""
        artifact = self.artifact
        wanted = artifact.inputs
        if [path for path, _leaf in leaves] != [path for path, _shape, _dtype in wanted]:
            raise InputMismatchError(
                f"The model was compiled for {len(wanted)} input tensor(s) at {_listed(p for p, _s, _d in wanted)}, "
                f"and was called with {len(leaves)} at {_listed(p for p, _l in leaves)}."
            )
        batches = set()
        for (path, leaf), (_path, shape, dtype) in zip(leaves, wanted):
            halved = artifact.half and dtype == "float32" and leaf.dtype is torch.float16
            if leaf.dtype is not getattr(torch, dtype) and not halved:
                raise InputMismatchError(
                    f"Input {path} was compiled for dtype {dtype}, got {str(leaf.dtype).removeprefix('torch.')}. "
                    f"Convert it, x.to(torch.{dtype}), or compile for that dtype."
                )
            if tuple(leaf.shape) == shape:
                batches.add(shape[0] if shape else 0)
            elif artifact.dynamic_batch and leaf.dim() == len(shape) and tuple(leaf.shape[1:]) == shape[1:]:
                batches.add(leaf.shape[0])
            else:
                hint = (
                    "only dimension 0 may vary"
                    if artifact.dynamic_batch
                    else "compile for that shape, or with dynamic_batch_size=True to let dimension 0 vary"
                )
                raise InputMismatchError(
                    f"Input {path} was compiled for shape {list(shape)}, got {list(leaf.shape)}: {hint}."
                )
        if not artifact.dynamic_batch or batches == {artifact.batch}:
            return None
        if len(batches) > 1:
            raise InputMismatchError(f"The inputs have different sizes of dimension 0: {sorted(batches)}.")
        return batches.pop()

    def _positional(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Put keyword arguments where the compiled graph has them."""
        rest = dict(kwargs)
        placed = list(args) + [rest.pop(name) for name in self._names[len(args) :] if name in rest]
        if rest or len(placed) != len(self._names):
            raise TypeError(
                f"forward() takes {', '.join(self._names)}; got {len(args)} positional argument(s) and "
                f"{', '.join(kwargs)}"
            )
        return tuple(placed)


def _opened(engine: engines.Engine, module: torch.jit.ScriptModule, artifact: Artifact) -> _lowering.Compiled:
    """The engine's form that travels in ``module``. Raises ValueError where it makes no sense."""
    from neuron_adapters.files.openvino_ir import Lowered  # importing the adapter is to be quick
    from neuron_adapters.torch import _lowering

    record = module._c.getattr(PROGRAM) if module._c.hasattr(PROGRAM) else None
    inputs, outputs = (
        [_lowering.Tensor.of(dtype, shape) for _path, shape, dtype in leaves]
        for leaves in (artifact.inputs, artifact.outputs)
    )
    template = Template.checked(artifact.structure, len(outputs))
    shape = _lowering.Shape(inputs, outputs, template)
    return _lowering.open_program(engine, Lowered.loads(record), module, shape, bf16=artifact.bf16)


class _Native:
    """What PyTorch computes with, made when it is needed: the form optimised for this CPU where it agreed with the
    frozen graph, else that graph. It holds the weights another time."""

    def __init__(self, c_module: Any, artifact: Artifact) -> None:
        self._c_module = c_module
        self._optimize = artifact.optimize
        self._method: Callable[..., Any] | None = None

    def method(self) -> Callable[..., Any]:
        """The callable that computes."""
        if self._method is None:
            c_module = self._c_module
            if self._optimize:
                c_module = optimized(torch.jit._recursive.wrap_cpp_module(c_module.__copy__()))._c
            self._method = c_module._get_method("forward")
        return self._method

    def weights(self) -> int:
        """Bytes of the frozen graph's constants."""
        held = constants(torch.jit._recursive.wrap_cpp_module(self._c_module))
        return sum(one.nbytes for one in held if isinstance(one, torch.Tensor))


def optimized(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """A frozen module's form for inference on this CPU: operators fused, weights packed. It can't be saved."""
    able_to_freeze(module)  # else PyTorch would optimise the module itself, in place
    frozen = original(torch.jit.freeze)(module.eval())  # no hook: nobody saves it, so it needs no record
    return original(torch.jit.optimize_for_inference)(frozen)


def leaf_of(path: str, tensor: torch.Tensor) -> Leaf:
    """A tensor's entry in the record."""
    return path, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")


def _rows(leaf: torch.Tensor, first: int, step: int) -> torch.Tensor:
    """``step`` rows from ``first``, filled up with zeros where there are no more."""
    rows = leaf[first : first + step]
    if rows.shape[0] == step:
        return rows
    return torch.cat([rows, rows.new_zeros((step - rows.shape[0], *rows.shape[1:]))])


def _detached(leaf: torch.Tensor) -> torch.Tensor:
    """Compiled models infer; no gradient flows through them."""
    return leaf.detach() if leaf.requires_grad else leaf


def _listed(paths: Any) -> str:
    return ", ".join(list(paths)[:16]) or "none"
