"""What a run of a graph does besides returning its results: writing to tensors that outlive it, drawing random numbers.

An engine does neither. A graph that does is computed by PyTorch (SPEC K3, K7).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

#: Arguments of operators that draw random numbers only where the argument is none of these values.
_DRAWS_UNLESS = {"train": False, "training": False, "dropout_p": 0.0}


def writes(module: torch.jit.ScriptModule) -> bool:
    """Whether ``forward`` writes to a tensor that outlives the call: a parameter, a buffer, a constant, an input.

    PyTorch's own alias analysis decides, by which freezing keeps the parameters and buffers that are written to. It
    knows of batch_norm's running statistics, which the operator's schema does not tell.
    """
    graph: Any = module.inlined_graph
    if graph.findAllNodes("prim::SetAttr"):
        return True
    lasting = [*graph.inputs()]
    for kind in ("prim::GetAttr", "prim::Constant"):
        lasting += [node.output() for node in graph.findAllNodes(kind)]
    aliases = graph.alias_db()
    return any(aliases.has_writers(value) for value in lasting)


def draws(module: torch.jit.ScriptModule) -> bool:
    """Whether ``forward`` draws random numbers."""
    return any(node.isNondeterministic() and _draws(node) for node in _nodes(module.inlined_graph))


def _draws(node: Any) -> bool:
    arguments = torch._C.parse_schema(node.schema()).arguments
    return not any(
        argument.name in _DRAWS_UNLESS and value.toIValue() == _DRAWS_UNLESS[argument.name]
        for argument, value in zip(arguments, node.inputs())
    )


def _nodes(block: Any) -> Iterator[Any]:
    """All nodes of a graph or a block, those of inner blocks included."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)
