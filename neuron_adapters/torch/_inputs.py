"""Checks the inputs of a compiled model: compares quickly, then explains what differs (SPEC K1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from neuron_adapters.files.record import Record
from neuron_rt import InputMismatchError

#: Tensors that are numbers in memory. Another class may keep them elsewhere, and may answer calls itself.
PLAIN_TYPES = (torch.Tensor, torch.nn.Parameter)


class Inputs:
    """The tensors that a model was compiled for.

    ``fit(args)``: whether the arguments are tensors in a row, all as compiled. It is a plain function that holds what
    it compares with, since each call of the model calls it.
    """

    def __init__(self, record: Record, names: Sequence[str]) -> None:
        """``names``: those of the arguments of ``forward``."""
        self.names = names
        self._record = record
        self._in_a_row = all(path.isdigit() for path, _shape, _dtype in record.inputs)
        self._specs = [(shape, getattr(torch, dtype)) for _path, shape, dtype in record.inputs]
        self.fit = self._comparison()

    def _comparison(self) -> Callable[[Sequence[Any]], bool]:
        if not self._specs:  # frozen by another program: nothing is known of its inputs
            return lambda _args: True
        if not self._in_a_row:
            return lambda _args: False
        return _compare_single(*self._specs[0]) if len(self._specs) == 1 else _compare_row(self._specs)

    def batch_of(self, leaves: Sequence[tuple[str, torch.Tensor]]) -> int | None:
        """The size of a batch that must be sliced, None where it need not be. ``leaves``: the tensors of a call with
        their paths. Raises InputMismatchError where they are not what was compiled."""
        record = self._record
        self._check_paths([path for path, _tensor in leaves])
        batches = set()
        for (path, tensor), (_path, shape, dtype) in zip(leaves, record.inputs):
            self._check_memory(path, tensor, shape)
            self._check_dtype(path, tensor, dtype)
            batches.add(self._first_dimension(path, tensor, shape))
        if not record.dynamic_batch or batches == {record.batch}:
            return None
        if len(batches) > 1:
            raise InputMismatchError(f"The inputs have different sizes of dimension 0: {sorted(batches)}.")
        return batches.pop()

    def _check_paths(self, paths: Sequence[str]) -> None:
        wanted = [path for path, _shape, _dtype in self._record.inputs]
        if paths != wanted:
            raise InputMismatchError(
                f"The model was compiled for {len(wanted)} input tensor(s) at {_listed(wanted)}, "
                f"and was called with {len(paths)} at {_listed(paths)}."
            )

    def _check_memory(self, path: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> None:
        if tensor.device.type == "meta":
            raise InputMismatchError(
                f"Input {path} is on the device meta, so it has a shape and no values. Pass a tensor on the CPU."
            )
        if tensor.device.type != "cpu":
            raise InputMismatchError(f"Input {path} is on the device {tensor.device}. Move it to the CPU, x.cpu().")
        if tensor.is_nested:
            raise InputMismatchError(
                f"Input {path} was compiled for shape {list(shape)}, got a nested tensor. "
                "Pad it, torch.nested.to_padded_tensor(x, 0.0)."
            )

    def _check_dtype(self, path: str, tensor: torch.Tensor, dtype: str) -> None:
        halved = self._record.half and dtype == "float32" and tensor.dtype is torch.float16
        if tensor.dtype is not getattr(torch, dtype) and not halved:
            raise InputMismatchError(
                f"Input {path} was compiled for dtype {dtype}, got {str(tensor.dtype).removeprefix('torch.')}. "
                f"Convert it, x.to(torch.{dtype}), or compile for that dtype."
            )

    def _first_dimension(self, path: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> int:
        """Dimension 0 of an input, 0 for a scalar."""
        dynamic = self._record.dynamic_batch
        if tuple(tensor.shape) == shape:
            return shape[0] if shape else 0
        if dynamic and tensor.dim() == len(shape) and tuple(tensor.shape[1:]) == shape[1:]:
            return int(tensor.shape[0])
        hint = (
            "only dimension 0 may vary"
            if dynamic
            else "compile for that shape, or with dynamic_batch_size=True to let dimension 0 vary"
        )
        raise InputMismatchError(
            f"Input {path} was compiled for shape {list(shape)}, got {list(tensor.shape)}: {hint}."
        )

    def converted(self, args: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Plain tensors in a row as the engine reads them: float32 for float16, as FLOAT32_TO_FLOAT16 allows, no
        parameters, and no negation that is left for later."""
        return [
            tensor.detach().resolve_neg().to(dtype)
            for tensor, (_shape, dtype) in zip(args, self._specs if self._in_a_row else ())
        ]

    def positional(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Put keyword arguments where the compiled graph has them. Raises TypeError."""
        rest = dict(kwargs)
        arguments = [*args, *(rest.pop(name) for name in self.names[len(args) :] if name in rest)]
        if rest or len(arguments) != len(self.names):
            raise TypeError(
                f"forward() takes {', '.join(self.names)}; got {len(args)} positional argument(s) and "
                f"{', '.join(kwargs)}"
            )
        return tuple(arguments)


def is_plain(tensor: torch.Tensor) -> bool:
    """Whether ``tensor`` is numbers in memory and nothing else, so that an engine may read them. ``torch.func`` wraps
    tensors without giving them another class."""
    return (
        type(tensor) in PLAIN_TYPES
        and tensor.layout is torch.strided
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )


def _compare_single(shape: tuple[int, ...], dtype: torch.dtype) -> Callable[[Sequence[Any]], bool]:
    """``_compare_row`` for one tensor, without the loop, which takes a sixth of a small model's overhead."""

    def fit(args: Sequence[Any]) -> bool:
        if len(args) != 1:
            return False
        tensor = args[0]
        try:
            return (
                type(tensor) is torch.Tensor
                and tensor.shape == shape
                and tensor.dtype is dtype
                and tensor.is_cpu
                and not tensor.requires_grad
                and tensor.layout is torch.strided
                and not tensor.is_neg()
            )
        except RuntimeError:  # nested: it has no shape
            return False

    return fit


def _compare_row(specs: Sequence[tuple[tuple[int, ...], torch.dtype]]) -> Callable[[Sequence[Any]], bool]:
    """A function that tells whether arguments are tensors of these shapes and dtypes, without gradients, whose values
    are what is in their memory."""

    def fit(args: Sequence[Any]) -> bool:
        if len(args) != len(specs):
            return False
        try:
            for tensor, (shape, dtype) in zip(args, specs):
                if (
                    type(tensor) is not torch.Tensor
                    or tensor.shape != shape
                    or tensor.dtype is not dtype
                    or tensor.requires_grad
                    or not tensor.is_cpu
                    or tensor.layout is not torch.strided
                    or tensor.is_neg()
                ):
                    return False
        except RuntimeError:  # nested: it has no shape
            return False
        return True

    return fit


def _listed(paths: Iterable[str]) -> str:
    return ", ".join(list(paths)[:16]) or "none"
