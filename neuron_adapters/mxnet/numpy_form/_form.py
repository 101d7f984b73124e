"""Runs a graph operator by operator on NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet._errors import BeyondOnnxError, invalid
from neuron_adapters.mxnet._graph import Node, walk
from neuron_adapters.mxnet._inference import Inferred, Step
from neuron_adapters.mxnet.base import MXNetError, MXNetIndexError, MXNetValueError
from neuron_adapters.mxnet.numpy_form import (  # noqa: F401 - they register operators
    _boxes,
    _counting,
    _deep,
    _layers,
    _linear_algebra,
    _numpy,
    _random,
    _regions,
    _targets,
)
from neuron_adapters.mxnet.numpy_form._control import control_form
from neuron_adapters.mxnet.numpy_form._custom import custom_form
from neuron_adapters.mxnet.numpy_form._mxnet import OPERATORS, PREPARATIONS
from neuron_adapters.mxnet.numpy_form._onnx import FUNCTIONS, Array
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value

if TYPE_CHECKING:
    from neuron_adapters.mxnet.operators._registry import Operator


Watch = Callable[[Node, Sequence[Array], Sequence[Array]], None]


class NumpyForm:
    """A graph whose shapes and dtypes are inferred. It holds no arrays but the constants of its operators."""

    def __init__(self, inferred: Inferred) -> None:
        """Raises InvalidGraphError where an operator cannot be translated."""
        self._inferred = inferred
        self._variables = [(node.name, number) for node, number in inferred.wiring.variables]
        self._steps = [(step, _form_of(inferred, step)) for step in inferred.wiring.steps]
        self._last_uses = _last_uses(inferred)
        self.stateful = any(form.stateful for _step, form in self._steps)

    def run(self, arrays: Mapping[str, Array], watch: Watch | None = None) -> list[Array]:
        """The outputs for the variables by name. ``watch`` sees each operator when it has computed: node, inputs and
        outputs. Raises MXNetError where MXNet has no answer either."""
        values: dict[int, Array] = {number: arrays[name] for name, number in self._variables if name in arrays}
        with np.errstate(all="ignore"):
            for index, (step, form) in enumerate(self._steps):
                ins = [values[number] for number in step.ins]
                outs = form.run(ins)
                values.update(zip(step.outs, outs))
                if watch is not None:
                    watch(step.node, ins, outs)
                for number in self._last_uses.get(index, ()):
                    values.pop(number, None)
        return [values[number] for number in self._inferred.wiring.outputs]


def _last_uses(inferred: Inferred) -> dict[int, list[int]]:
    """The values that no step after a step reads."""
    last = {number: index for index, step in enumerate(inferred.wiring.steps) for number in step.ins}
    kept = set(inferred.wiring.outputs)
    uses: dict[int, list[int]] = {}
    for number, index in last.items():
        if number not in kept:
            uses.setdefault(index, []).append(number)
    return uses


class OperatorForm:
    """One of MXNet's operators: as MXNet has it, or as the ONNX operators that it is translated to."""

    def __init__(self, node: Node, operator: Operator, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        """``ins``, ``outs``: shapes and dtypes; the inputs have different names. Raises InvalidGraphError."""
        self._node = node
        self._outs = list(outs)
        self._ins = list(ins)
        self._attributes = Attributes(node.attrs)
        self._own = OPERATORS.get(node.op) or OPERATORS.get(operator.name)
        self._prepare = PREPARATIONS.get(node.op) or PREPARATIONS.get(operator.name)
        self._control = None if operator.held is None else control_form(operator.held, self._ins, self._outs)
        #: Whether runs depend on earlier ones, so that it belongs to one executor.
        self.stateful = _has_custom(node)
        if node.op == "Custom":
            self._own = custom_form(self._attributes, self._ins, self._outs)
        to = Builder()
        to.turn(node.name, self._outs)
        self._results: Sequence[Value] = ()
        try:
            if self._control is None:
                self._results = operator.translate(to, node.attrs, *self._ins)
        except BeyondOnnxError:
            if self._own is None:
                raise
        except (ValueError, ArithmeticError, LookupError, StopIteration, TypeError) as error:
            raise invalid(node, str(error)) from error
        self._nodes, self._constants, self._draws = to.nodes, to.constants, to.draws
        self.nbytes = sum(array.nbytes for array in self._constants.values())

    def run(self, arrays: Sequence[Array]) -> list[Array]:
        """Compute the outputs. Raises MXNetError where MXNet has no answer."""
        try:
            if self._control is not None:
                results = self._control(*arrays)
            elif self._own is not None:
                results = self._own(self._attributes, self._outs, *arrays)
            else:
                prepared = self._prepare(self._attributes, *arrays) if self._prepare is not None else arrays
                results = self._translated(prepared)
            return [
                np.ascontiguousarray(result, out.dtype).reshape(out.shape) for result, out in zip(results, self._outs)
            ]
        except MXNetError as error:
            raise type(error)(f"{self._node.op} {self._node.name}: {error}") from None
        except (ValueError, TypeError, ArithmeticError) as error:  # NumPy's, as of the smallest of no numbers
            raise MXNetValueError(f"{self._node.op} {self._node.name}: {error}") from error
        except IndexError as error:
            raise MXNetIndexError(f"{self._node.op} {self._node.name}: {error}") from None

    def _translated(self, arrays: Sequence[Array]) -> Sequence[Array]:
        known: dict[str, Any] = {tensor.name: array for tensor, array in zip(self._ins, arrays)}
        known.update(self._constants)
        known.update({name: drawn.make() for name, drawn in self._draws.items()})
        for node in self._nodes:
            inputs = [known[name] if name else None for name in node.inputs]
            result = FUNCTIONS[node.op](*inputs, **node.attributes)
            results = result if isinstance(result, (list, tuple)) else (result,)
            known.update(zip(node.outputs, results))
        return [known[value.name] for value in self._results]


def _has_custom(node: Node) -> bool:
    """Whether it is an operator that a script has written, or holds one."""
    return node.op == "Custom" or any(_has_custom(inner) for part in node.subgraphs for inner in walk(part))


def _form_of(inferred: Inferred, step: Step) -> OperatorForm:
    def tensors(prefix: str, numbers: Sequence[int]) -> list[Tensor]:
        return [
            Tensor(f"{prefix}{place}", inferred.value_dtypes[number], inferred.value_shapes[number] or ())
            for place, number in enumerate(numbers)
        ]

    return OperatorForm(step.node, step.operator, tensors("#", step.ins), tensors("", step.outs))
