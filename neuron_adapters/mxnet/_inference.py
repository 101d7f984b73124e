"""Shapes and dtypes of all values of a graph, inferred forwards and backwards from those that are known.

A graph's values, which are its variables and what its operators give, are numbered. The numbers and the operators
between them stay (``Wiring``); each inference makes a list of shapes and one of dtypes (``Inferred``).
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neuron_adapters.mxnet._dtype_inference import infer_dtypes
from neuron_adapters.mxnet._errors import UnsupportedOperatorError, invalid
from neuron_adapters.mxnet._graph import Entry, Node, walk
from neuron_adapters.mxnet._shape_gates import ONE_WAY, may_infer
from neuron_adapters.mxnet.operators import operator_of
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import NUMBERS
from neuron_adapters.mxnet.operators._registry import Operator
from neuron_adapters.mxnet.operators._rules import MaybeShape, Shape, complete, unify
from neuron_adapters.mxnet.util import is_np_shape

_MOST_ROUNDS = 8


@dataclass(frozen=True)
class Step:
    """An operator at work: its node, and the numbers of the values that it takes and gives."""

    node: Node
    operator: Operator
    ins: tuple[int, ...]
    outs: tuple[int, ...]


class Wiring:
    """The values of a graph without compiled nodes. ``variables``: the node and number of each. ``steps``: the
    operators in order. ``outputs``: the numbers of the heads. ``owners``: the node of each value.

    Raises UnsupportedOperatorError, which names all operators that are not known, and InvalidGraphError where a node
    has wrong attributes, or other inputs than its operator takes.
    """

    def __init__(self, heads: Sequence[Entry]) -> None:
        self.heads: list[Entry] = list(heads)
        self.variables: list[tuple[Node, int]] = []
        self.steps: list[Step] = []
        self.owners: list[Node] = []
        nodes = walk(heads)
        operators = [None if node.op == "null" else _operator(node) for node in nodes]
        _require_known(nodes, operators)
        numbers: dict[Entry, int] = {}
        for node, operator in zip(nodes, operators):
            first = len(self.owners)
            if operator is None:
                self.variables.append((node, first))
                outs = range(first, first + 1)
            else:
                ins, count = _checked(node, operator, numbers)
                outs = range(first, first + count)
                self.steps.append(Step(node, operator, ins, tuple(outs)))
            for index, number in enumerate(outs):
                numbers[Entry(node, index)] = number
                self.owners.append(node)
        for head in self.heads:
            if head not in numbers:
                raise invalid(head.node, f"it has no output {head.index}")
        self.outputs: list[int] = [numbers[head] for head in self.heads]

    def infer(self, shapes: Mapping[str, MaybeShape], dtypes: Mapping[str, str], *, strict: bool = False) -> Inferred:
        """Infer from shapes and dtypes of some variables by name.

        What follows in either direction is filled in: weights from the data, a batch size from what comes later. A
        variable whose dtype follows from nothing is float32. ``strict``: shapes that MXNet does not infer stay
        unknown, what it refuses is refused, and dtypes are not inferred. Raises InvalidGraphError where what is known
        contradicts.
        """
        known_shapes: list[MaybeShape] = [None] * len(self.owners)
        known_dtypes: list[str | None] = [None] * len(self.owners)
        for node, number in self.variables:
            known_shapes[number], known_dtypes[number] = _of_variable(
                node, shapes.get(node.name), dtypes.get(node.name)
            )
        if not strict:
            self.infer_dtypes(known_dtypes)
        self.infer_shapes(known_shapes, strict=strict)
        return Inferred(self, known_shapes, [dtype or "float32" for dtype in known_dtypes])

    def infer_exactly(self, shapes: Mapping[str, Shape], dtypes: Mapping[str, str]) -> Inferred:
        """Infer forwards from the shapes and dtypes of all variables, where a size of 0 means none. Raises
        InvalidGraphError where they contradict, or a shape does not follow."""
        known_shapes: list[MaybeShape] = [None] * len(self.owners)
        known_dtypes: list[str | None] = [None] * len(self.owners)
        for node, number in self.variables:
            known_shapes[number], known_dtypes[number] = shapes[node.name], dtypes[node.name]
        self.infer_dtypes(known_dtypes)
        for step in self.steps:
            _infer_step(step, known_shapes, exact=True)
        inferred = Inferred(self, known_shapes, [dtype or "float32" for dtype in known_dtypes], exact=True)
        inferred.require_complete()
        return inferred

    def partial_dtypes(self, dtypes: Mapping[str, str]) -> tuple[dict[str, str | None], list[str | None]]:
        """Infer dtypes as far as they follow from those of some variables: of all variables by name, of the heads."""
        known: list[str | None] = [None] * len(self.owners)
        for node, number in self.variables:
            known[number] = _of_variable(node, None, dtypes.get(node.name))[1]
        self.infer_dtypes(known, default=None)
        return {node.name: known[number] for node, number in self.variables}, [known[at] for at in self.outputs]

    def infer_dtypes(self, dtypes: list[str | None], default: str | None = "float32") -> None:
        """Fill in the dtypes of all values, by number, from those that are known. ``default``: of variables of which
        nothing else decides; None leaves them, and what follows from them, unknown, and refuses what MXNet refuses."""
        infer_dtypes(self.steps, dtypes, default)

    def infer_shapes(self, shapes: list[MaybeShape], *, strict: bool = False) -> None:
        """Fill in the shapes of values: step forwards and backwards until nothing follows any more."""
        steps = self.steps
        for _ in range(_MOST_ROUNDS):
            steps = [step for step in steps if _is_open(step, shapes)]
            changed = False
            for step in steps:
                changed |= _infer_step(step, shapes, strict=strict)
            for step in reversed(steps):
                changed |= _is_open(step, shapes) and _infer_step(step, shapes, strict=strict)
            if not changed:
                break


@dataclass(frozen=True)
class Inferred:
    """What is known of the values of ``wiring``, by their numbers. A shape is None, or has zeros, where it does not
    follow. ``binaries``: the same for the variables that only compiled nodes take. ``exact``: a size of 0 means none.
    """

    wiring: Wiring
    value_shapes: list[MaybeShape]
    value_dtypes: list[str]
    binaries: Inferred | None = None
    exact: bool = False

    @property
    def shapes(self) -> dict[str, MaybeShape]:
        """Of all variables by name; those of the wiring in the order of ``walk``."""
        shapes = {node.name: self.value_shapes[number] for node, number in self.wiring.variables}
        return shapes if self.binaries is None else {**self.binaries.shapes, **shapes}

    @property
    def dtypes(self) -> dict[str, str]:
        """NumPy's names, of all variables by name."""
        dtypes = {node.name: self.value_dtypes[number] for node, number in self.wiring.variables}
        return dtypes if self.binaries is None else {**self.binaries.dtypes, **dtypes}

    @property
    def outputs(self) -> list[tuple[MaybeShape, str]]:
        """Shape and dtype of each head."""
        return [(self.value_shapes[number], self.value_dtypes[number]) for number in self.wiring.outputs]

    def is_complete(self) -> bool:
        """Whether all shapes are known."""
        return self._first_unknown() is None

    def require_complete(self) -> None:
        """Raise InvalidGraphError naming the first value of which the shape is not known, and such variables."""
        number = self._first_unknown()
        if number is None:
            return
        unknown = [node.name for node, at in self.wiring.variables if not complete(self.value_shapes[at])]
        listed = ", ".join(unknown) or "no variable"
        raise invalid(self.wiring.owners[number], f"its shape does not follow from what is given; unknown: {listed}")

    def require_possible(self) -> None:
        """Raise InvalidGraphError naming the first value that is larger than the machine's memory: a damaged file may
        ask for anything, and the kernel would promise it."""
        most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        for node, shape, dtype in zip(self.wiring.owners, self.value_shapes, self.value_dtypes):
            size = math.prod(shape or ()) * np.dtype(dtype).itemsize
            if size > most:
                raise invalid(
                    node, f"a value of shape {shape} takes {size >> 20} MiB, and the machine has {most >> 20}"
                )

    def _first_unknown(self) -> int | None:
        for number, shape in enumerate(self.value_shapes):
            if shape is None or (0 in shape and not self.exact):
                return number
        return None

    def has_empty(self) -> bool:
        """Whether a value has no elements."""
        return self.exact and any(shape is not None and 0 in shape for shape in self.value_shapes)


def infer(
    heads: Sequence[Entry], shapes: Mapping[str, MaybeShape], dtypes: Mapping[str, str], *, partial: bool = False
) -> Inferred:
    """Infer the graph of ``heads``. Unless ``partial``, raise InvalidGraphError where a shape stays unknown."""
    inferred = Wiring(heads).infer(shapes, dtypes)
    if not partial:
        inferred.require_complete()
    return inferred


def infer_operator(step: Step, ins: Sequence[tuple[Shape, str]]) -> list[tuple[Shape, str]]:
    """Infer the shapes and dtypes of an operator's outputs from those of its inputs, of which the values are numbered
    from 0. Raises InvalidGraphError where they contradict, or do not follow."""
    shapes: list[MaybeShape] = [*(shape for shape, _dtype in ins), *[None] * len(step.outs)]
    dtypes: list[str | None] = [*(dtype for _shape, dtype in ins), *[None] * len(step.outs)]
    infer_dtypes([step], dtypes, "float32")
    exact = is_np_shape() or all(complete(shape) for shape in shapes[: len(ins)])
    _infer_step(step, shapes, exact=exact)
    outputs = []
    for number in step.outs:
        shape = shapes[number]
        if shape is None or not (exact or complete(shape)):
            raise invalid(step.node, "the shape of its output does not follow from its inputs")
        outputs.append((shape, dtypes[number] or "float32"))
    return outputs


def _operator(node: Node) -> Operator | None:
    try:
        return operator_of(node)
    except (ValueError, ArithmeticError) as error:
        raise invalid(node, str(error)) from error


def _require_known(nodes: Sequence[Node], operators: Sequence[Operator | None]) -> None:
    unknown: dict[str, list[str]] = {}
    for node, operator in zip(nodes, operators):
        if operator is None and node.op != "null":
            unknown.setdefault(node.op, []).append(node.name)
    if unknown:
        raise UnsupportedOperatorError.of(unknown)


def _checked(node: Node, operator: Operator, numbers: Mapping[Entry, int]) -> tuple[tuple[int, ...], int]:
    """Return the numbers of the values that ``node`` takes, and how many it gives."""
    try:
        names = operator.inputs(node.attrs)
        count = len(operator.outputs(node.attrs))
    except (ValueError, ArithmeticError) as error:
        raise invalid(node, str(error)) from error
    if len(node.inputs) != len(names):
        raise invalid(node, f"it takes {len(names)} inputs ({', '.join(names)}), got {len(node.inputs)}")
    for entry in node.inputs:
        if entry not in numbers:
            raise invalid(node, f"it takes output {entry.index} of {entry.node.name}, which has no such output")
    return tuple(map(numbers.__getitem__, node.inputs)), count


def _of_variable(node: Node, shape: MaybeShape, dtype: str | None) -> tuple[MaybeShape, str | None]:
    """Return shape and dtype of a variable: as passed, or as its own attributes say."""
    attributes = Attributes(node.attrs)
    try:
        # Files of the time of NumPy's shapes write -1 for a size that is not known.
        hint = tuple(max(0, size) for size in attributes.integers("__shape__")) if attributes.has("__shape__") else None
        hinted = None if dtype else (attributes.dtype("__dtype__") if attributes.has("__dtype__") else None)
    except (ValueError, ArithmeticError) as error:
        raise invalid(node, str(error)) from error
    if dtype is not None and dtype not in NUMBERS:
        raise invalid(node, f"dtype {dtype} is not supported; one of {', '.join(NUMBERS)} is")
    # As MXNet has it: the variable's own shape counts where not all of the other one is known.
    return hint if shape is None or (hint and not complete(shape)) else tuple(shape), dtype or hinted


def _is_open(step: Step, shapes: Sequence[MaybeShape]) -> bool:
    """Whether a shape of what it takes or gives is not known."""
    for number in (*step.ins, *step.outs):
        shape = shapes[number]
        if shape is None or 0 in shape:
            return True
    return False


def _infer_step(step: Step, shapes: list[MaybeShape], *, exact: bool = False, strict: bool = False) -> bool:
    """Fill in what follows from one operator; whether anything did."""
    before_ins = [shapes[number] for number in step.ins]
    before_outs = [shapes[number] for number in step.outs]
    try:
        if strict and not may_infer(step.node.op, step.node.attrs, before_ins):
            return False
        asked: Sequence[MaybeShape] = before_outs
        if strict and step.node.op in ONE_WAY:
            asked = [None] * len(before_outs)
        ins, outs = step.operator.shapes(step.node.attrs, before_ins, asked, exact=exact)
        changed = False
        for number, shape in zip((*step.ins, *step.outs), (*ins, *outs)):
            before = shapes[number]
            if shape != before:
                after = shapes[number] = unify(before, shape)
                changed |= after != before
    except (ValueError, ArithmeticError, LookupError, StopIteration, TypeError) as error:
        names = step.operator.inputs(step.node.attrs)
        got = ", ".join(f"{name} {shape or 'unknown'}" for name, shape in zip(names, before_ins))
        why = str(error) if isinstance(error, ValueError) else f"inputs and attributes do not fit, {error!r}"
        raise invalid(step.node, f"{why} (inputs: {got})") from error
    return changed
