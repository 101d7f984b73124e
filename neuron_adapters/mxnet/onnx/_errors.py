"""Errors of ONNX files, MXNetErrors all."""

from __future__ import annotations

from neuron_adapters.mxnet.base import MXNetError

__all__ = ["ConversionError"]


class ConversionError(MXNetError, NotImplementedError):
    """An ONNX node that cannot be converted to MXNet's operators; a NotImplementedError, as MXNet's own importer
    raises.

    ``node``, ``operator``: the first such node, by its name (or its first output where it has none), and its operator.
    """

    node: str
    operator: str
