"""``mx.nd.save`` and ``load``: .params files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from neuron_adapters.mxnet import _params
from neuron_adapters.mxnet.base import reading
from neuron_adapters.mxnet.context import cpu
from neuron_adapters.mxnet.ndarray._array import NDArray
from neuron_adapters.mxnet.util import is_np_array

Loaded = list[NDArray] | dict[str, NDArray]


def save(fname: str | os.PathLike[str], data: NDArray | Sequence[NDArray] | Mapping[str, NDArray]) -> None:
    """Write one array, a list of them, or arrays by name."""
    if isinstance(data, NDArray):
        data = [data]
    if isinstance(data, Mapping):
        names, arrays = list(data), list(data.values())
    elif isinstance(data, list):
        names, arrays = [], list(data)
    else:
        raise ValueError(f"save() takes an NDArray, a list or a dict of them, got {type(data).__name__}")
    if not all(isinstance(array, NDArray) for array in arrays) or not all(isinstance(name, str) for name in names):
        raise TypeError("save() takes a list of NDArrays, or a dict from str to NDArray")
    _params.save(fname, [array._array for array in arrays], names)


def load(fname: str | os.PathLike[str]) -> Loaded:
    """Load arrays by name, or a list of arrays without names. Raises FormatError for a damaged file and
    UnreadableError, MXNetErrors both."""
    from neuron_adapters.mxnet.ndarray import _shared_weights

    with reading(fname):
        return _loaded(*_shared_weights.load(fname))


def load_frombuffer(buf: bytes) -> Loaded:
    """Load arrays from the bytes of a file."""
    arrays, names = _params.loads(buf)
    return _loaded([NDArray(array, cpu()) for array in arrays], names)


def _loaded(arrays: list[NDArray], names: Sequence[str]) -> Loaded:
    if is_np_array():
        arrays = [array.as_np_ndarray() for array in arrays]
    return dict(zip(names, arrays)) if names else arrays
