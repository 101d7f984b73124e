"""Tensors that are more than numbers in memory, and what a model answers to them.

``python special_inputs.py plain`` prints what plain PyTorch answers, as JSON; ``neuron`` what compiled models answer.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

nn = torch.nn


class Named(torch.Tensor):
    """A subclass as torchvision, MONAI and fastai have them."""


class Counting(torch.Tensor):
    """A subclass that sees each function that it is given to."""

    seen: list[str] = []  # noqa: RUF012 - of all its tensors

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.seen.append(type(func).__name__)
        return super().__torch_function__(func, types, args, kwargs or {})


class Refusing(torch.Tensor):
    """A subclass that no function takes, as one that protects its values."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if type(func).__name__ == "ScriptMethod":
            return "refused"
        raise TypeError("no function takes it")


class Wrapper(torch.Tensor):
    """A subclass without memory of its own, whose operators run on what it wraps."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Any:
        self = torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)
        self.inner = inner
        return self

    def __init__(self, inner: torch.Tensor) -> None:
        pass

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        unwrapped = torch.utils._pytree.tree_map_only(cls, lambda tensor: tensor.inner, args)
        return torch.utils._pytree.tree_map_only(torch.Tensor, cls, func(*unwrapped, **(kwargs or {})))


def counted(module: Any, x: torch.Tensor) -> Any:
    Counting.seen.clear()
    result = module(x.as_subclass(Counting))
    return [describe(result), Counting.seen.count("ScriptMethod")]


def faked(module: Any, x: torch.Tensor) -> Any:
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        return module(mode.from_tensor(x))


def spread(x: torch.Tensor) -> torch.Tensor:
    """``x`` in every second place of a larger tensor."""
    wide = torch.zeros(x.shape[0], 2 * x.shape[1])
    wide[:, ::2] = x
    return wide[:, ::2]


CASES: dict[str, Callable[[Any, torch.Tensor], Any]] = {
    "plain": lambda module, x: module(x),
    "subclass": lambda module, x: module(x.as_subclass(Named)),
    "counting": counted,
    "refusing": lambda module, x: module(x.as_subclass(Refusing)),
    "wrapper": lambda module, x: module(Wrapper(x)).inner,
    "parameter": lambda module, x: module(nn.Parameter(x)),
    "constant parameter": lambda module, x: module(nn.Parameter(x, requires_grad=False)),
    "buffer": lambda module, x: module(nn.Buffer(x)),
    "requires_grad": lambda module, x: module(x.clone().requires_grad_()),
    "inference": lambda module, x: inference(x, module),
    "expanded row": lambda module, x: module(x[:1].expand(x.shape)),
    "expanded column": lambda module, x: module(x[:, :1].expand(x.shape)),
    "transposed": lambda module, x: module(x.t().contiguous().t()),
    "strided": lambda module, x: module(spread(x)),
    "offset": lambda module, x: module(torch.cat([torch.zeros(1), x.flatten()])[1:].view(x.shape)),
    "negated view": lambda module, x: module(torch._neg_view(x)),
    "imaginary part": lambda module, x: module(torch.complex(x, x).conj().imag),
    "a part of itself": lambda module, x: module(torch.as_strided(x, x.shape, (1, 1))),
    "sparse": lambda module, x: module(x.to_sparse()),
    "sparse rows": lambda module, x: module(x.to_sparse_csr()),
    "mkldnn": lambda module, x: module(x.to_mkldnn()),
    "fake": faked,
    "grad of torch.func": lambda module, x: torch.func.grad(lambda value: module(value).sum())(x),
    "zero tensor": lambda module, x: module(torch._efficientzerotensor(x.shape)),
    "autocast": lambda module, x: cast(x, module),
    "default device": lambda module, x: on_meta(x, module),
}

#: What PyTorch refuses, or would take from another device: one clear error of the adapter's.
REFUSED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "quantized": lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8),
    "nested": lambda x: torch.nested.nested_tensor([x]),
    "jagged": lambda x: torch.nested.nested_tensor([x], layout=torch.jagged),
    "meta": lambda x: x.to("meta"),
    "meta subclass": lambda x: x.to("meta").as_subclass(Named),
    "complex": lambda x: torch.complex(x, x).conj(),
}


def cast(x: torch.Tensor, module: Any) -> Any:
    """Operators compute in bfloat16 here, and their results have that type."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return str(module(x).dtype)


def on_meta(x: torch.Tensor, module: Any) -> Any:
    with torch.device("meta"):
        return module(x)


def inference(x: torch.Tensor, module: Any) -> Any:
    with torch.inference_mode():
        value = x.clone()
    with torch.no_grad():
        return module(value)


def describe(result: Any) -> Any:
    """Class, layout and values of a result."""
    if not isinstance(result, torch.Tensor):
        return result
    name, layout = type(result).__name__, str(result.layout)
    if name == "FakeTensor":
        return [name, layout, list(result.shape)]
    with torch._C.DisableTorchFunctionSubclass():
        result = result.detach()
        values = (result if result.layout is torch.strided else result.to_dense()).double().flatten()
        return [name, layout, list(result.shape), [round(float(value), 3) for value in (values.sum(), values.std())]]


def model(width: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, width)).eval()


#: Rows and columns: small tensors are copied to the engine, large ones read where they are.
SIZES = {"small": (2, 8), "large": (128, 128)}


def main(api: str) -> None:
    warnings.filterwarnings("ignore")
    trace = torch.jit.trace
    if api == "neuron":
        import neuron_adapters.torch

        trace = neuron_adapters.torch.trace
    answers: dict[str, Any] = {}
    for size, shape in SIZES.items():
        x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
        module = trace(model(shape[1]), x)
        for name, case in CASES.items():
            try:
                answer = describe(case(module, x.clone()))
            except Exception as error:
                answer = type(error).__name__
            answers[f"{name}, {size}"] = answer
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
