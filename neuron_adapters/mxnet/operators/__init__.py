"""MXNet's operators, by family. A family registers its operators when it is imported; that is slow, so the first
look-up imports them all. None imports ONNX or an engine."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING

from neuron_adapters.mxnet._signatures import all_names, look_up

if TYPE_CHECKING:
    from neuron_adapters.mxnet._graph import Node
    from neuron_adapters.mxnet.operators._registry import Operator

__all__ = ["find", "names", "operator_of"]

_FAMILIES = (
    "arithmetic", "assigning", "boxes", "concat", "control", "convolution", "correlation", "counting", "creation",
    "custom", "deformable", "dense", "detection", "elementwise", "fused", "indexing", "linear_algebra", "losses",
    "manipulation", "normalisation", "numpy_elementwise", "numpy_matrices", "numpy_pairs", "numpy_parts", "numpy_shape",
    "numpy_sums", "proposal", "quantized",
    "random", "reduction", "rnn", "roi", "sequence", "shape", "targets",
)  # fmt: skip


def find(name: str) -> Operator | None:
    """Find an operator by any of MXNet's names for it; None where it is not supported."""
    return look_up(_operators(), name)


def operator_of(node: Node) -> Operator | None:
    """Find the operator of a node. Where nodes hold graphs it is the node's own, made of them. Raises ValueError where
    the graphs do not fit the attributes."""
    operator = find(node.op)
    return operator if operator is None or operator.holding is None else operator.holding(operator, node)


def names() -> list[str]:
    """List all names, MXNet's other names included."""
    return sorted(all_names(_operators()))


@functools.cache
def _operators() -> dict[str, Operator]:
    for family in _FAMILIES:
        importlib.import_module(f"{__name__}.{family}")
    from neuron_adapters.mxnet.operators._registry import operators

    return operators
