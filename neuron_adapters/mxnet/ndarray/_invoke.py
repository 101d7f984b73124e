"""Every operator of a graph, on arrays: ``mx.nd.Convolution``. NumPy computes what MXNet computes (``numpy_form``)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet._calls import attribute_texts, by_name, split_attributes
from neuron_adapters.mxnet._functions import Functions
from neuron_adapters.mxnet._graph import Node
from neuron_adapters.mxnet._signatures import own_name
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.ndarray._array import NDArray
from neuron_adapters.mxnet.operators import find
from neuron_adapters.mxnet.util import is_np_shape

if TYPE_CHECKING:
    from neuron_adapters.mxnet.numpy_form._form import OperatorForm

#: Shape and dtype of each input.
Specs = tuple[tuple[tuple[int, ...], str], ...]

_MOST_FORMS, _MOST_BYTES = 1024, 1 << 14
_forms: dict[Hashable, OperatorForm] = {}


def invoke(
    operator_name: str,
    inputs: Sequence[NDArray],
    named: Mapping[str, NDArray],
    attrs: Mapping[str, Any],
    _hint: str = "",
    *,
    out: Any = None,
    ctx: Any = None,
    **_name: Any,
) -> Any:
    """Compute an operator; the output, or a list of its visible outputs. ``out``: an array, or a list of them, that
    takes the result. Raises MXNetError where MXNet has no answer, MXNetValueError for wrong arguments."""
    operator = find(operator_name)
    if operator is None:
        raise MXNetError(f"the operator {operator_name} is not in this package.")
    texts = attribute_texts(operator, operator_name, len(inputs) + len(named), attrs)
    try:
        expected = operator.inputs(texts)
    except ValueError as error:
        raise MXNetValueError(f"{operator_name}: {error}.") from error
    arrays = by_name(operator_name, expected, inputs, named)
    missing = [name for name in expected if name not in arrays]
    if missing:
        raise MXNetValueError(f"mx.nd.{operator_name}() needs {', '.join(missing)}.")
    ordered = [arrays[name] for name in expected]
    specs = tuple((array._array.shape, array._array.dtype.name) for array in ordered)
    form = _form_of(own_name(operator_name), texts, specs)
    context = ctx if ctx is not None else ordered[0].context if ordered else None
    with np.errstate(all="ignore"):
        results = form.run([array._array for array in ordered])
    kind = next((type(array) for array in ordered if type(array) is not NDArray), NDArray)
    return _delivered(results, out, None if context is None else Context(context), kind)


def _form_of(operator_name: str, attributes: Mapping[str, str], specs: Specs) -> OperatorForm:
    """Return what computes an operator for inputs of these shapes and dtypes. It is kept where it is small."""
    key = operator_name, tuple(sorted(attributes.items())), specs, is_np_shape()
    form = _forms.get(key)
    if form is None:
        form = _new_form(operator_name, attributes, specs)
        if form.nbytes <= _MOST_BYTES and not form.stateful:
            if len(_forms) >= _MOST_FORMS:
                _forms.clear()
            _forms[key] = form
    return form


def _new_form(operator_name: str, attributes: Mapping[str, str], specs: Specs) -> OperatorForm:
    from neuron_adapters.mxnet._inference import Step, infer_operator
    from neuron_adapters.mxnet.numpy_form._form import OperatorForm
    from neuron_adapters.mxnet.operators._builder import Tensor

    operator = find(operator_name)
    assert operator is not None
    node = Node(operator_name, operator_name.lower(), dict(attributes))
    count = len(operator.outputs(node.attrs))
    step = Step(node, operator, tuple(range(len(specs))), tuple(range(len(specs), len(specs) + count)))
    ins = [Tensor(f"#{place}", dtype, shape) for place, (shape, dtype) in enumerate(specs)]
    outs = [Tensor("", dtype, shape) for shape, dtype in infer_operator(step, specs)]
    return OperatorForm(node, operator, ins, outs)


def _delivered(results: list[Any], out: Any, context: Context | None, kind: type[NDArray]) -> Any:
    """Return the results as arrays of their own, of mx.np where an input is, or in ``out``."""
    if out is not None:
        targets = [out] if isinstance(out, NDArray) else list(out)
        for target, result in zip(targets, results):
            target[:] = NDArray(result, target.context)
        return out
    arrays = [kind(result.copy(), context) for result in results]  # it may be an input, or a constant
    return arrays[0] if len(arrays) == 1 else arrays


#: The operators as functions of arrays.
operator_functions = Functions("mx.nd", NDArray, invoke)


def split_v2(ary: NDArray, indices_or_sections: int | Sequence[int], axis: int = 0, squeeze_axis: bool = False) -> Any:
    """Split into equal parts, or at indices; a list, or the part itself where there is one."""
    if isinstance(indices_or_sections, int) and -ary.ndim <= axis < ary.ndim and indices_or_sections > 0:
        size = ary.shape[axis]
        if size % indices_or_sections:
            raise MXNetValueError(f"split_v2() into {indices_or_sections} equal parts: it must divide {size}.")
    return invoke("_split_v2", [ary], {}, split_attributes(indices_or_sections, axis, squeeze_axis))


def histogram(a: NDArray, bins: int | NDArray = 10, range: Sequence[float] | None = None) -> Any:  # noqa: A002 - MXNet's
    """Count the numbers of ``a`` in each bin; the counts, and the bounds of the bins. ``bins``: how many there are
    between the two ends of ``range``, or all bounds. Without a range, it is that of ``a``, and both are float32."""
    if isinstance(bins, NDArray):
        return invoke("_histogram", [a, bins], {}, {})
    if not isinstance(bins, (int, np.integer)):
        raise MXNetValueError(f"histogram() takes a number of bins, or an NDArray of bounds, got {bins!r}.")
    if range is None:
        counts, bounds = np.histogram(a._array, bins)
        return [NDArray(each.astype(np.float32), a.context) for each in (counts, bounds)]
    return invoke("_histogram", [a], {}, {"bin_cnt": bins, "range": tuple(range)})
