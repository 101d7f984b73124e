"""``mx.npx``: the switches of deep NumPy, and the operators of networks on its arrays."""

from __future__ import annotations

from typing import Any

from neuron_adapters.mxnet._functions import Prefixed
from neuron_adapters.mxnet.context import cpu, cpu_pinned, current_context, gpu, num_gpus
from neuron_adapters.mxnet.ndarray import load, save, waitall
from neuron_adapters.mxnet.ndarray._invoke import operator_functions
from neuron_adapters.mxnet.numpy._array import _own
from neuron_adapters.mxnet.numpy.random import seed
from neuron_adapters.mxnet.util import (
    get_cuda_compute_capability,
    is_np_array,
    is_np_shape,
    np_array,
    np_shape,
    reset_np,
    set_np,
    use_np,
    use_np_array,
    use_np_shape,
)

__all__ = [
    "cpu", "cpu_pinned", "current_context", "get_cuda_compute_capability", "gpu", "image", "is_np_array", "is_np_shape",
    "load", "np_array", "np_shape", "num_gpus", "reset_np", "save", "seed", "set_np", "use_np", "use_np_array",
    "use_np_shape", "waitall",
]  # fmt: skip


_operators = Prefixed(operator_functions, "_npx_", "mx.npx", _own)
image = Prefixed(operator_functions, "_npx__image_", "mx.npx.image", _own)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_operators, name)
