"""The registry of MXNet's operators: the names of their inputs, their shapes, and their translation to ONNX.

Families of operators live in the files beside this one, each of which registers its own. Attributes are text, as in
symbol files; ``_attributes`` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._requirements import REQUIRING, require
from neuron_adapters.mxnet.operators._rules import (
    DtypeRule,
    Dtypes,
    MaybeShape,
    Shape,
    ShapeRule,
    Shapes,
    follows,
    forward,
    one_dtype,
    same,
)  # fmt: skip

if TYPE_CHECKING:
    from neuron_adapters.mxnet._graph import Node

Attrs = Mapping[str, str]
Translation = Callable[..., Value | Sequence[Value]]
Names = Sequence[str] | Callable[[Attributes], Sequence[str]]


@dataclass(frozen=True)
class Operator:
    """One operator. ``auxiliary``: those of its inputs that are auxiliary states, or a function of the attributes.
    ``variadic``: the attribute with the number of inputs (``num_args``), where that may vary. ``any_attributes``: it
    takes attributes of any name. ``holding``: makes the operator of one node, where nodes hold graphs; ``held`` are
    then those graphs."""

    name: str
    translation: Translation
    shape_rule: ShapeRule
    dtype_rule: DtypeRule
    input_names: Names
    output_names: Names
    auxiliary: Names
    variadic: str
    any_attributes: bool = False
    holding: Callable[[Operator, Node], Operator] | None = None
    held: Any = None

    def inputs(self, attrs: Attrs) -> list[str]:
        """Name the inputs in order, auxiliary states last. Composition names variables by them (``conv0_weight``), and
        keyword arguments are called so."""
        return _named(self.input_names, attrs)

    def states(self, attrs: Attrs) -> list[str]:
        """Name those of the inputs that are auxiliary states."""
        return _named(self.auxiliary, attrs)

    def outputs(self, attrs: Attrs) -> list[str]:
        """Name the visible outputs, as ``list_outputs()`` does after the node's name: ``["output"]``, or ``["output0",
        "output1"]``."""
        return _named(self.output_names, attrs)

    def shapes(
        self, attrs: Attrs, ins: Sequence[MaybeShape], outs: Sequence[MaybeShape], *, exact: bool = False
    ) -> tuple[Shapes, Shapes]:
        """Fill in the shapes of inputs and outputs that follow from the known ones and from the attributes. None is an
        unknown shape, 0 an unknown size, unless shapes are ``exact``. Raises ValueError, in words that name no node,
        where they contradict."""
        if self.name in REQUIRING:
            whole = [shape for shape in ins if shape is not None and (exact or 0 not in shape)]
            if len(whole) == len(ins):
                require(self.name, attrs, whole)
        return self.shape_rule(Attributes(attrs, exact=exact), list(ins), list(outs))

    def dtypes(self, attrs: Attrs, ins: Sequence[str | None], outs: Sequence[str | None] = ()) -> tuple[Dtypes, Dtypes]:
        """Infer the dtypes of inputs and outputs, by NumPy's names, from those that are known. Raises ValueError
        likewise."""
        at, known, count = Attributes(attrs), list(ins), len(self.outputs(attrs))
        output = next((place for place, dtype in enumerate(outs) if dtype), None)
        if output is not None and self.held is None:
            # One of the first inputs is enough: the rule fills in the others.
            for index in range(min(len(known), _MOST_FOLLOWED)):
                if known[index] is None and follows(self.dtype_rule, at, known, index, output, count):
                    known[index] = outs[output]
                    break
        return self.dtype_rule(at, known, count)

    def translate(self, to: Builder, attrs: Attrs, *tensors: Tensor) -> Sequence[Value]:
        """Add ONNX nodes to ``to``; return the values of the outputs."""
        values = self.translation(to, Attributes(attrs, exact=True), *tensors)
        return [values] if isinstance(values, Value) else list(values)


_MOST_FOLLOWED = 3

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
    auxiliary: Names = (),
    variadic: str = "",
    any_attributes: bool = False,
    holding: Callable[[Operator, Node], Operator] | None = None,
) -> Callable[[Translation], Translation]:
    """Register the decorated translation under the names ``called``; MXNet's aliases of these follow. It gets a
    Builder, the Attributes, and a Tensor an input, and returns the value of its output, or those of all its visible
    outputs. ``shape``: instead of ``shapes``, a function for ``forward``."""
    rule = shapes if shape is None else forward(shape)

    def decorate(translate: Translation) -> Translation:
        first, *aliases = called
        op = Operator(first, translate, rule, dtypes, inputs, outputs, auxiliary, variadic, any_attributes, holding)
        register(op, *aliases)
        return translate

    return decorate


def _named(names: Names, attrs: Attrs) -> list[str]:
    return list(names(Attributes(attrs)) if callable(names) else names)
