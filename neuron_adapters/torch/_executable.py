"""A compiled model as something to run: checked inputs, slices of a batch, and behind them the engine.

The engine here is PyTorch's own inference form of the frozen graph; whatever replaces it replaces ``_engine``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from neuron_adapters.torch._artifact import Artifact, Leaf, able_to_freeze
from neuron_rt import InputMismatchError


class Executable:
    """Runs one compiled model; shared by all its replicas and loads (SPEC K5)."""

    def __init__(self, module: torch.jit.ScriptModule, artifact: Artifact) -> None:
        self.module = module
        self.artifact = artifact
        self._names = [argument.name for argument in module._c._get_method("forward").schema.arguments[1:]]
        self._run = _engine(module, artifact)
        plain = all(path.isdigit() for path, _shape, _dtype in artifact.inputs)
        self._flat = [(shape, getattr(torch, dtype)) for _p, shape, dtype in artifact.inputs] if plain else None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run on inputs of the compiled shapes and dtypes, or with dynamic batching of the compiled shapes but for
        dimension 0. Raises InputMismatchError (SPEC K1)."""
        if kwargs:
            args = self._positional(args, kwargs)
        if self._fits(args):
            return self._run(*args)
        return self._slow(args)

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
        for arg, (shape, dtype) in zip(args, self._flat):
            if (
                not isinstance(arg, torch.Tensor)
                or arg.shape != shape
                or arg.dtype is not dtype
                or arg.requires_grad
                or not arg.is_cpu
            ):
                return False
        return True

    def _slow(self, args: Sequence[Any]) -> Any:
        args = [map_tensors(_detached, arg) for arg in args]
        leaves = list(flatten(args))
        artifact = self.artifact
        batch = self._check(leaves)
        if batch is None:
            return self._run(*args)
        step, parts = artifact.batch, []
        for first in range(0, max(batch, 1), step):
            rows = max(0, min(step, batch - first))
            piece = [map_tensors(lambda leaf, first=first: _rows(leaf, first, step), arg) for arg in args]  # type: ignore[misc]
            parts.append(map_tensors(lambda leaf, rows=rows: leaf[:rows], self._run(*piece)))  # type: ignore[misc]
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


def _engine(module: torch.jit.ScriptModule, artifact: Artifact) -> Callable[..., Any]:
    """The callable that computes."""
    if artifact.optimize:
        module = optimized(module)
    method: Callable[..., Any] = module._c._get_method("forward")
    return method


def optimized(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """A frozen module's form for inference on this CPU: operators fused, weights packed. It can't be saved."""
    from neuron_adapters.torch._hooks import original

    able_to_freeze(module)  # else PyTorch would optimise the module itself, in place
    return original(torch.jit.optimize_for_inference)(module)


def leaf_of(path: str, tensor: torch.Tensor) -> Leaf:
    """A tensor's entry in the record."""
    return path, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of a nested structure with its path, ``0``, ``1['ids']``, in a fixed order."""
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, dict):
        for key in sorted(value, key=repr):
            yield from flatten(value[key], f"{path}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from flatten(item, f"{path}[{index}]" if path else str(index))


def map_tensors(function: Callable[[torch.Tensor], Any], value: Any) -> Any:
    """``function`` of every tensor, in the same structure."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, dict):
        return type(value)((key, map_tensors(function, item)) for key, item in value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_tensors(function, item) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(map_tensors(function, item) for item in value)
    return value


def join(parts: Sequence[Any], dim: int) -> Any:
    """Put the results of slices together again, structure by structure; scalars become a vector."""
    first = parts[0]
    if isinstance(first, torch.Tensor):
        if first.dim() == 0:
            return torch.stack(list(parts))
        return torch.cat(list(parts), dim)
    if isinstance(first, dict):
        return type(first)((key, join([part[key] for part in parts], dim)) for key in first)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(join(column, dim) for column in zip(*parts)))
    if isinstance(first, (list, tuple)):
        return type(first)(join(column, dim) for column in zip(*parts))
    return first


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
