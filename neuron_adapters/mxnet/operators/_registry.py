"""The registry of MXNet's operators: the names of their inputs, their shapes, and their translation to ONNX.

Families of operators live in the files beside this one, each of which registers its own. Attributes are text, as in
symbol files; ``_attributes`` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Value
from neuron_adapters.mxnet.operators._rules import (
    DtypeRule,
    Dtypes,
    MaybeShape,
    Shape,
    ShapeRule,
    Shapes,
    forward,
    one_dtype,
    same,
)  # fmt: skip

Attrs = Mapping[str, str]
Names = Sequence[str] | Callable[[Attributes], Sequence[str]]


@dataclass(frozen=True)
class Operator:
    """One operator.

    ``inputs``: the names of its inputs in order, auxiliary states last; what Symbol composition names variables by
    (``conv0_weight``) and what keyword arguments are. ``auxiliary``: those of them that are auxiliary states.
    ``outputs``: the names of its visible outputs (``["output"]``, or ``["output0", "output1"]``), as
    ``list_outputs()`` says them after the node's name. ``shapes``: given the shapes of the inputs and outputs as far as
    they are known (a 0 in a shape is an unknown size), the same with those that the attributes decide (weights) filled
    in; None for what cannot be told yet. Raises ValueError, in words that name no node, where they contradict.
    ``dtypes``: NumPy dtype names of the inputs, and the number of outputs, to those of inputs and outputs, likewise.
    ``translate``: adds ONNX nodes to a Builder and returns the outputs' values.
    """

    name: str
    inputs: Callable[[Attrs], Sequence[str]]
    outputs: Callable[[Attrs], Sequence[str]]
    shapes: Callable[[Attrs, Sequence[MaybeShape], Sequence[MaybeShape]], tuple[Shapes, Shapes]]
    dtypes: Callable[[Attrs, Sequence[str | None]], tuple[Dtypes, Dtypes]]
    translate: Callable[..., Sequence[Value]]
    auxiliary: frozenset[str] = frozenset()
    variadic: str = ""
    """The attribute that holds the number of inputs (``num_args``), where that may vary."""


#: The operators by the names that they are registered under.
operators: dict[str, Operator] = {}


def register(operator: Operator, *aliases: str) -> Operator:
    """Register ``operator`` under its name and MXNet's other names for it."""
    for name in (operator.name, *aliases):
        if name in operators:
            raise ValueError(f"two operators called {name}")
        operators[name] = operator
    return operator


def operator(
    *called: str,
    shapes: ShapeRule = same,
    shape: Callable[..., Shape | Sequence[Shape]] | None = None,
    dtypes: DtypeRule = one_dtype,
    inputs: Names = ("data",),
    outputs: Names = ("output",),
    auxiliary: Sequence[str] = (),
    variadic: str = "",
) -> Callable[[Callable[..., Value | Sequence[Value]]], Callable[..., Value | Sequence[Value]]]:
    """Register the decorated translation under the names ``called``; MXNet's aliases of these follow. It gets a
    Builder, the Attributes, and a Tensor an input, and returns the value of its output, or those of all its visible
    outputs. ``shape``: instead of ``shapes``, a function for ``forward``."""
    rule = shapes if shape is None else forward(shape)

    def decorate(translate: Callable[..., Value | Sequence[Value]]) -> Callable[..., Value | Sequence[Value]]:
        first, *aliases = called
        input_names, output_names = _names(inputs), _names(outputs)

        def read_shapes(
            attrs: Attrs, known: Sequence[MaybeShape], results: Sequence[MaybeShape]
        ) -> tuple[Shapes, Shapes]:
            return rule(Attributes(attrs), list(known), list(results))

        def read_dtypes(attrs: Attrs, known: Sequence[str | None]) -> tuple[Dtypes, Dtypes]:
            return dtypes(Attributes(attrs), list(known), len(output_names(attrs)))

        def call(to: Any, attrs: Attrs, *tensors: Any) -> Sequence[Value]:
            values = translate(to, Attributes(attrs), *tensors)
            return [values] if isinstance(values, Value) else list(values)

        register(
            Operator(first, input_names, output_names, read_shapes, read_dtypes, call, frozenset(auxiliary), variadic),
            *aliases,
        )
        return translate

    return decorate


def _names(names: Names) -> Callable[[Attrs], Sequence[str]]:
    if callable(names):
        read = names
        return lambda attrs: list(read(Attributes(attrs)))
    fixed = list(names)
    return lambda _attrs: list(fixed)
