"""``mx.contrib``: where mx_neuron's compiler is, and the reader of ONNX files."""

from __future__ import annotations

from neuron_adapters.mx.contrib import neuron, onnx

__all__ = ["neuron", "onnx"]
