"""A graph computed by NumPy, as the real MXNet computes it (SPEC K3).

The engine computes finite numbers and small integers as MXNet does, and quickly. Where an input or a value between two
operators is something else, NaN, an infinity, an integer beyond 24 bits, an index outside its table, a call is
answered here. Each operator is MXNet's own where the two differ, else the ONNX operators that it is translated to.
"""

from __future__ import annotations

from neuron_adapters.mxnet.numpy_form._form import NumpyForm

__all__ = ["NumpyForm"]
