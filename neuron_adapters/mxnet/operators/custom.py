"""``Custom``: operators that scripts write in Python (``mx.operator``)."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, MaybeShape, Shapes, complete


def prop_of(at: Attributes) -> Any:
    """Return the CustomOpProp of a node. Raises MXNetError where it is not registered."""
    from neuron_adapters.mxnet import operator as registry  # it takes arrays along

    return registry.prop_of(at.required("op_type"), at.others("op_type"))


def _inputs(at: Attributes) -> list[str]:
    prop = prop_of(at)
    return [*prop.list_arguments(), *prop.list_auxiliary_states()]


def _outputs(at: Attributes) -> list[str]:
    return list(prop_of(at).list_outputs())


def _states(at: Attributes) -> list[str]:
    return list(prop_of(at).list_auxiliary_states())


def _asked(at: Attributes, what: str, known: bool, ins: list[Any], counts: tuple[int, ...]) -> list[list[Any]] | None:
    """Return what a method of the CustomOpProp says of inputs, outputs and auxiliary states. None where it fails and
    not all was ``known``. Raises ValueError where it fails for what is known."""
    try:
        parts = [list(part) for part in getattr(prop_of(at), what)(ins)]
    except Exception as error:
        if not known:
            return None
        raise ValueError(f"{what}() of {at.required('op_type')!r}: {type(error).__name__}: {error}") from error
    parts += [[]] * (len(counts) - len(parts))
    for part, count in zip(parts, counts):
        if len(part) != count and (known or part):
            raise ValueError(f"{what}() of {at.required('op_type')!r} must say {counts} of inputs, outputs and "
                             f"auxiliary states, got {tuple(map(len, parts))}")  # fmt: skip
    return parts


def _counts(at: Attributes) -> tuple[int, int, int]:
    prop = prop_of(at)
    return len(prop.list_arguments()), len(prop.list_outputs()), len(prop.list_auxiliary_states())


def _shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    counts = _counts(at)
    inputs = ins[: counts[0]]
    parts = _asked(at, "infer_shape", all(map(complete, inputs)), [list(shape or ()) for shape in inputs], counts)
    if parts is None:
        return ins, outs
    arguments, results, states = (list(map(_shape, part)) for part in parts)
    return [*arguments, *states], results


def _shape(shape: Any) -> MaybeShape:
    return tuple(map(int, shape)) or None


def _dtypes(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    counts = _counts(at)
    types = [None if dtype is None else np.dtype(dtype).type for dtype in ins[: counts[0]]]
    parts = _asked(at, "infer_type", None not in types, types, counts)
    if parts is None:
        return ins, [None] * count
    arguments, results, states = ([None if kind is None else np.dtype(kind).name for kind in part] for part in parts)
    return [*arguments, *states], results


@operator(
    "Custom", inputs=_inputs, outputs=_outputs, auxiliary=_states, shapes=_shapes, dtypes=_dtypes, any_attributes=True
)
def _custom(_to: Builder, at: Attributes, *_tensors: Tensor) -> NoReturn:
    raise BeyondOnnxError(
        f"the operator {at.required('op_type')!r} is written in Python, which only NumPy's form of a graph calls"
    )
