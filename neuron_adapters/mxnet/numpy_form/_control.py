"""Control flow on NumPy arrays: the iterations and the branch that MXNet runs, and no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.numpy_form._onnx import Array
from neuron_adapters.mxnet.operators._builder import Tensor
from neuron_adapters.mxnet.operators.control import Cond, Foreach, Held, While, of_one_step

#: Computes an operator's outputs from its inputs.
Run = Callable[..., Sequence[Array]]


class Graph:
    """One of the graphs that a node holds, on arrays of known shapes and dtypes."""

    def __init__(self, held: Held, number: int, tensors: Sequence[Tensor]) -> None:
        from neuron_adapters.mxnet.numpy_form._form import NumpyForm

        inferred = held.inferred(number, tensors)
        self._places = held.bodies[number][1]
        self._names = [node.name for node, _number in inferred.wiring.variables]
        self._form = NumpyForm(inferred)

    def run(self, values: Sequence[Array]) -> list[Array]:
        """Compute it for the node's inputs as they are now."""
        return self._form.run({name: values[place] for name, place in zip(self._names, self._places)})


def control_form(held: Any, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> Run | None:
    """Return what computes a node that holds these graphs; None where the ONNX form does."""
    for kind, make in ((Foreach, _foreach), (While, _while), (Cond, _cond)):
        if isinstance(held, kind):
            return make(held, ins, outs)  # type: ignore[arg-type]
    return None


def _foreach(held: Foreach, ins: Sequence[Tensor], _outs: Sequence[Tensor]) -> Run:
    count, width = len(held.data), len(held.states)
    first = [Tensor(each.name, each.dtype, of_one_step(each.shape) or ()) for each in ins[:count]]
    body = Graph(held, 0, [*first, *ins[count:]])

    def run(*arrays: Array) -> list[Array]:
        values, steps = list(arrays), []
        for step in range(len(arrays[0])):
            values[:count] = [array[step] if array.ndim > 1 else array[step : step + 1] for array in arrays[:count]]
            outputs = body.run(values)
            steps.append(outputs[: held.stacked])
            values[count : count + width] = outputs[held.stacked :]
        return [*(np.stack(each) for each in zip(*steps)), *values[count : count + width]]

    return run


def _while(held: While, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> Run:
    condition, body = Graph(held, 0, ins), Graph(held, 1, ins)

    def run(*arrays: Array) -> list[Array]:
        values = list(arrays)
        stacked = [np.zeros(out.shape, out.dtype) for out in outs[: held.stacked]]
        for step in range(held.most):
            if not condition.run(values)[0].reshape(()):
                break
            outputs = body.run(values)
            for target, value in zip(stacked, outputs):
                target[step] = value
            for index, value in zip(held.variables, outputs[held.stacked :]):
                values[index] = value
        return [*stacked, *(values[index] for index in held.variables)]

    return run


def _cond(held: Cond, ins: Sequence[Tensor], _outs: Sequence[Tensor]) -> Run:
    condition, then, other = (Graph(held, number, ins) for number in range(3))

    def run(*arrays: Array) -> list[Array]:
        return (then if condition.run(arrays)[0].reshape(()) else other).run(arrays)

    return run
