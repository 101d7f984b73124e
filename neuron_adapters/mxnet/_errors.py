"""Errors of translation, MXNetErrors all: what a graph holds that cannot be, or that this package does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuron_adapters.mxnet.base import MXNetError
from neuron_rt import CompileError

if TYPE_CHECKING:
    from neuron_adapters.mxnet._graph import Node


class UnsupportedOperatorError(CompileError, MXNetError):
    """A graph has operators that are not translated. ``operators``: each with the names of the nodes that are one."""

    operators: dict[str, list[str]]

    @classmethod
    def of(cls, operators: dict[str, list[str]]) -> UnsupportedOperatorError:
        """Word the error: all that is unknown, at once."""
        listed = "; ".join(f"{name} ({_few(nodes)})" for name, nodes in sorted(operators.items()))
        return cls(f"operators that are not in this package: {listed}", operators=operators)


class BeyondOnnxError(CompileError, MXNetError):
    """An operator that ONNX has no form for: NumPy computes the graph, operator by operator."""


class UnregisteredError(MXNetError):
    """A graph has an operator that is written in Python and that this process does not have."""


class InvalidGraphError(CompileError, MXNetError):
    """A node with a wrong attribute, or shapes that contradict. ``node``, ``operator``: where."""

    node: str
    operator: str


def invalid(node: Node, why: str) -> InvalidGraphError:
    """Return the error that says what is wrong with ``node``."""
    operator = "variable" if node.op == "null" else node.op
    return InvalidGraphError(f"{operator} {node.name}: {why}", node=node.name, operator=operator)


def _few(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
