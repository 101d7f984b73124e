"""Lists the constants of a frozen module in the order of PyTorch's own list, by which files number them.

PyTorch lists them when it prints the code. For that it reads debug information, which it otherwise never looks at and
which may be damaged, and compares each constant with every other (SPEC F2, F3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

#: Most constants of one dtype, shape, beginning and end that are compared. No real model has more.
_MOST_ALIKE = 8
_EDGE = 64
#: Kinds of nodes that have no blocks, as operators (aten::) have none.
_SIMPLE = {
    "prim::Constant", "prim::ListConstruct", "prim::ListUnpack", "prim::NumToTensor", "prim::TupleConstruct",
    "prim::TupleUnpack",
}  # fmt: skip


def constants(module: torch.jit.ScriptModule) -> list[Any]:
    """Those of ``forward``, as ``code_with_constants`` has them: equal tensors once, ``c0`` the first that is used, and
    ``c10`` before ``c2``."""
    values: list[Any] = []
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
        values.append(value)
    return [values[number] for number in sorted(range(len(values)), key=str)]


def check(module: torch.jit.ScriptModule) -> None:
    """Raise ValueError where a tensor in ``module`` is longer than its memory, as a damaged file may say. PyTorch loads
    such a tensor, and later crashes or reads past its end."""
    for tensor in (*_values(module), *module.parameters(), *module.buffers()):
        if isinstance(tensor, torch.Tensor) and tensor.layout is torch.strided and tensor.numel():
            last = tensor.storage_offset() + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride()))
            if (last + 1) * tensor.element_size() > tensor.untyped_storage().nbytes() or not tensor.data_ptr():
                raise ValueError(f"a tensor of shape {list(tensor.shape)} is longer than its memory")


def _values(module: torch.jit.ScriptModule) -> Iterator[Any]:
    """Tensors and objects among the constants, in the order of their first use."""
    graph = module._c._get_method("forward").graph
    outputs = {output.unique(): output for output in (node.output() for node in graph.findAllNodes("prim::Constant"))}
    for node in _nodes(graph):
        for index in range(node.inputsSize()):  # node.inputs() takes ten times as long, and so does node.blocks()
            output = outputs.pop(node.inputsAt(index).unique(), None)
            if output is not None:
                constant = output.toIValue()
                yield from [constant] if output.type().kind() == "TensorType" else _leaves(constant)


def _nodes(graph: Any) -> Iterator[Any]:
    """All nodes, each before those of its blocks."""
    pending = [graph.return_node(), *reversed(list(graph.nodes()))]
    while pending:
        node = pending.pop()
        yield node
        kind = node.kind()
        if kind in _SIMPLE or kind.startswith("aten::"):
            continue
        for block in reversed(list(node.blocks())):
            pending += [block.returnNode(), *reversed(list(block.nodes()))]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(key)
            yield from _leaves(item)
    elif not isinstance(value, (int, float, complex, str, bytes, type(None), torch.device, torch.dtype)):
        yield value


def _edges(value: torch.Tensor) -> tuple[bytes, ...]:
    if not value.is_contiguous() or not value.numel() or value.is_quantized:
        return ()
    memory = value.detach().reshape(-1).view(torch.uint8).numpy()
    return memory[:_EDGE].tobytes(), memory[-_EDGE:].tobytes()
