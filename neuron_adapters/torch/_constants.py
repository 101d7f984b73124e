"""The constants of a frozen module in the order of PyTorch's own list, which files number them by.

PyTorch lists them when it prints the code. For that it reads debug information, which it else never looks at and which
may be damaged, and compares each constant with each other (SPEC F2, F3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

#: Constants of one dtype, shape, beginning and end that are compared; there are no more in a model of anybody's.
_MOST_ALIKE = 8
_EDGE = 64


def constants(module: torch.jit.ScriptModule) -> list[Any]:
    """Those of ``forward``, as ``code_with_constants`` has them: equal tensors once, ``c0`` the first that is used, and
    ``c10`` before ``c2``."""
    found: list[Any] = []
    known: set[tuple[Any, ...]] = set()
    alike: dict[tuple[Any, ...], list[torch.Tensor]] = {}
    for value in _values(module):
        if isinstance(value, torch.Tensor) and value.layout is torch.strided:
            memory = (value.data_ptr(), value.dtype, tuple(value.shape), value.stride())
            others = alike.setdefault((value.dtype, tuple(value.shape), *_edges(value)), [])
            if memory in known or any(torch.equal(value, other) for other in others[:_MOST_ALIKE]):
                continue
            known.add(memory)
            others.append(value)
        elif isinstance(value, (int, float, complex)):  # a tensor that was a number, until it is saved
            if (type(value), value) in known:
                continue
            known.add((type(value), value))
        found.append(value)
    return [found[number] for number in sorted(range(len(found)), key=str)]


def check(module: torch.jit.ScriptModule) -> None:
    """Raise ValueError where a tensor in ``module`` is longer than its memory, as a damaged file may say. PyTorch loads
    it, and crashes or reads what lies behind when it computes, or prepares to."""
    for one in (*_values(module), *module.parameters(), *module.buffers()):
        if isinstance(one, torch.Tensor) and one.layout is torch.strided and one.numel():
            last = one.storage_offset() + sum((size - 1) * step for size, step in zip(one.shape, one.stride()))
            if (last + 1) * one.element_size() > one.untyped_storage().nbytes() or not one.data_ptr():
                raise ValueError(f"a tensor of shape {list(one.shape)} is longer than its memory")


def _values(module: torch.jit.ScriptModule) -> Iterator[Any]:
    """Tensors and objects among the constants, in the order of their first use."""
    graph = module._c._get_method("forward").graph
    seen: set[int] = set()
    for node in _nodes(graph):
        for value in node.inputs():
            if value.node().kind() == "prim::Constant" and value.unique() not in seen:
                seen.add(value.unique())
                constant = value.toIValue()
                yield from [constant] if value.type().kind() == "TensorType" else _leaves(constant)


def _nodes(graph: Any) -> Iterator[Any]:
    """All nodes, each before those of its blocks."""
    left = [graph.return_node(), *reversed(list(graph.nodes()))]
    while left:
        node = left.pop()
        yield node
        for block in reversed(list(node.blocks())):
            left += [block.returnNode(), *reversed(list(block.nodes()))]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves(key)
            yield from _leaves(one)
    elif not isinstance(value, (int, float, complex, str, bytes, type(None), torch.device, torch.dtype)):
        yield value


def _edges(value: torch.Tensor) -> tuple[bytes, ...]:
    if not value.is_contiguous() or not value.numel() or value.is_quantized:
        return ()
    memory = value.detach().reshape(-1).view(torch.uint8).numpy()
    return memory[:_EDGE].tobytes(), memory[-_EDGE:].tobytes()
