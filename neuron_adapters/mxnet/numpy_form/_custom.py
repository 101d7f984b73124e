"""``Custom`` on NumPy arrays: a run calls the CustomOp that scripts have written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.context import cpu
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.numpy_form._onnx import Array
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Tensor
from neuron_adapters.mxnet.operators.custom import prop_of

#: The argument of that name.
_IS_TRAIN = False


def custom_form(at: Attributes, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> Callable[..., Sequence[Array]]:
    """Return what computes one node, with a CustomOp of its own. Raises MXNetError where that cannot be made."""
    name, prop = at.required("op_type"), prop_of(at)
    count = len(prop.list_arguments())

    def asked(what: str, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except Exception as error:  # whatever it is, as MXNet has it
            raise MXNetError(f"{what} of {name!r}: {type(error).__name__}: {error}") from error

    shapes = [list(tensor.shape) for tensor in ins[:count]]
    dtypes = [np.dtype(tensor.dtype).type for tensor in ins[:count]]
    op = asked("create_operator()", prop.create_operator, cpu(), shapes, dtypes)

    def run(_at: Attributes, _outs: Sequence[Tensor], *arrays: Array) -> list[Array]:
        taken = [NDArray(np.ascontiguousarray(array), cpu()) for array in arrays]
        results = [NDArray(np.zeros(out.shape, out.dtype), cpu()) for out in outs]
        with np.errstate(all="warn"):
            asked("forward()", op.forward, _IS_TRAIN, ["write"] * len(outs), taken[:count], results, taken[count:])
        return [result._array for result in results]

    return run
