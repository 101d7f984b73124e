"""From a graph of MXNet's to an ONNX model of fixed shapes.

``infer`` works out shapes and dtypes; ``translate`` makes the model. Both first refuse, in one error, every operator
that is not known. ``onnx`` is slow to import, so that happens when it is needed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet._errors import InvalidGraphError, UnsupportedOperatorError
from neuron_adapters.mxnet._graph import Entry, Node, walk
from neuron_adapters.mxnet.operators import find
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import NUMBERS, Builder, Made, Tensor, Value
from neuron_adapters.mxnet.operators._registry import MaybeShape, Operator, Shape
from neuron_adapters.mxnet.operators._rules import complete, unify

if TYPE_CHECKING:
    import onnx

Array = np.ndarray[Any, Any]
Key = tuple[int, int]

#: The set of operators that the models use, and the file format that came with it.
OPSET = 18
IR_VERSION = 8
_ROUNDS = 8


@dataclass(frozen=True)
class Inferred:
    """``shapes`` and ``dtypes``: of the variables by name, in the order of ``walk``. ``outputs``: of the heads. A shape
    is None, or has zeros, where it is not known."""

    shapes: dict[str, MaybeShape]
    dtypes: dict[str, str]
    outputs: list[tuple[MaybeShape, str]]


def infer(
    heads: Sequence[Entry], shapes: Mapping[str, MaybeShape], dtypes: Mapping[str, str], *, partial: bool = False
) -> Inferred:
    """Shapes and dtypes of all variables and of ``heads``, given those of some variables by name.

    What follows in either direction is filled in: weights from the data, a batch size from what comes later. A variable
    whose dtype follows from nothing is float32. Unless ``partial``, what stays unknown is an InvalidGraphError.
    """
    graph = _Graph(heads)
    graph.infer(shapes, dtypes)
    if not partial:
        graph.require_complete()
    variables = [node for node in graph.nodes if node.op == "null"]
    return Inferred(
        {node.name: graph.shapes[id(node), 0] for node in variables},
        {node.name: graph.dtype((id(node), 0)) for node in variables},
        [(graph.shapes[id(node), index], graph.dtype((id(node), index))) for node, index in heads],
    )


def translate(
    heads: Sequence[Entry], shapes: Mapping[str, Shape], dtypes: Mapping[str, str], constants: Mapping[str, Array]
) -> onnx.ModelProto:
    """An ONNX model of fixed shapes. Variables named in ``constants`` are its initializers, the others its inputs, in
    the order of ``walk``; its outputs have the names that ``list_outputs()`` says. An input stays one though nothing
    reads it (a label, the gamma of a BatchNorm that fixes it), which not every reader of ONNX keeps.

    Raises UnsupportedOperatorError, and InvalidGraphError for a wrong attribute or shapes that contradict.
    """
    graph = _Graph(heads)
    named = {node.name for node in graph.nodes if node.op == "null"}
    held = {name: array for name, array in constants.items() if name in named}
    graph.infer(
        {**shapes, **{name: array.shape for name, array in held.items()}},
        {**dtypes, **{name: array.dtype.name for name, array in held.items()}},
    )
    graph.require_complete()
    graph.require_possible()
    to = Builder()
    values: dict[Key, Value] = {}
    for node, operator in zip(graph.nodes, graph.operators):
        if operator is None:
            values[id(node), 0] = Value(node.name, graph.dtype((id(node), 0)))
            continue
        tensors = [graph.tensor(entry, values[id(entry.node), entry.index]) for entry in node.inputs]
        count = len(operator.outputs(node.attrs))
        to.turn(node.name, [graph.tensor(Entry(node, index)) for index in range(count)])
        try:
            made = operator.translate(to, node.attrs, *tensors)
        except (ValueError, ArithmeticError) as error:
            raise graph.invalid(node, str(error)) from error
        for index, value in enumerate(made):
            values[id(node), index] = to.cast(value, graph.dtype((id(node), index)))
    return _model(graph, to, values, held)


class _Graph:
    """The nodes of a graph with their operators, and what is known of every value so far."""

    def __init__(self, heads: Sequence[Entry]) -> None:
        self.heads = list(heads)
        self.nodes = walk(heads)
        self.operators = [None if node.op == "null" else find(node.op) for node in self.nodes]
        unknown: dict[str, list[str]] = {}
        for node, operator in zip(self.nodes, self.operators):
            if operator is None and node.op != "null":
                unknown.setdefault(node.op, []).append(node.name)
        if unknown:
            raise UnsupportedOperatorError.of(unknown)
        self.shapes: dict[Key, MaybeShape] = {}
        self._dtypes: dict[Key, str | None] = {}
        for node, operator in zip(self.nodes, self.operators):
            for index in range(1 if operator is None else self._check(node, operator)):
                self.shapes[id(node), index] = None
                self._dtypes[id(node), index] = None
        for node, index in self.heads:
            if (id(node), index) not in self.shapes:
                raise self.invalid(node, f"it has no output {index}")

    def _check(self, node: Node, operator: Operator) -> int:
        """The number of its outputs, once its inputs are as they should be."""
        try:
            names = operator.inputs(node.attrs)
            count = len(operator.outputs(node.attrs))
        except (ValueError, ArithmeticError) as error:
            raise self.invalid(node, str(error)) from error
        if len(node.inputs) != len(names):
            raise self.invalid(node, f"it takes {len(names)} inputs ({', '.join(names)}), got {len(node.inputs)}")
        for entry in node.inputs:
            if (id(entry.node), entry.index) not in self.shapes:
                raise self.invalid(
                    node, f"it takes output {entry.index} of {entry.node.name}, which has no such output"
                )
        return count

    def infer(self, shapes: Mapping[str, MaybeShape], dtypes: Mapping[str, str]) -> None:
        """Work out what follows, forwards and backwards until nothing does."""
        for node in self.nodes:
            if node.op == "null":
                self._variable(node, shapes.get(node.name), dtypes.get(node.name))
        pairs = [(node, operator) for node, operator in zip(self.nodes, self.operators) if operator is not None]
        for node, operator in pairs:
            self._step_dtypes(node, operator)
        for _ in range(_ROUNDS):
            pairs = [pair for pair in pairs if self._open(pair[0], pair[1])]
            changed = [self._step_shapes(*pair) for pair in pairs]
            changed += [self._step_shapes(*pair) for pair in reversed(pairs) if self._open(*pair)]
            if not any(changed):
                break

    def _variable(self, node: Node, shape: MaybeShape, dtype: str | None) -> None:
        at = Attributes(node.attrs)
        try:
            hint = at.integers("__shape__") if at.has("__shape__") else None
            # What a variable says of itself counts where nobody says otherwise.
            self.shapes[id(node), 0] = hint if shape is None else tuple(shape)
            self._dtypes[id(node), 0] = dtype or (at.dtype("__dtype__") if at.has("__dtype__") else None)
        except (ValueError, ArithmeticError) as error:
            raise self.invalid(node, str(error)) from error
        if dtype is not None and dtype not in NUMBERS:
            raise self.invalid(node, f"dtype {dtype} is not supported; one of {', '.join(NUMBERS)} is")

    def _keys(self, node: Node, operator: Operator) -> tuple[list[Key], list[Key]]:
        ins = [(id(entry.node), entry.index) for entry in node.inputs]
        return ins, [(id(node), index) for index in range(len(operator.outputs(node.attrs)))]

    def _open(self, node: Node, operator: Operator) -> bool:
        """Whether there is something about it that is not known."""
        ins, outs = self._keys(node, operator)
        return not all(complete(self.shapes[key]) for key in ins + outs)

    def _step_shapes(self, node: Node, operator: Operator) -> bool:
        ins, outs = self._keys(node, operator)
        before = [self.shapes[key] for key in ins + outs]
        try:
            found_ins, found_outs = operator.shapes(node.attrs, before[: len(ins)], before[len(ins) :])
            after = [unify(self.shapes[key], shape) for key, shape in zip(ins + outs, [*found_ins, *found_outs])]
        except (ValueError, ArithmeticError) as error:
            names = operator.inputs(node.attrs)
            got = ", ".join(f"{name} {self.shapes[key] or 'unknown'}" for name, key in zip(names, ins))
            raise self.invalid(node, f"{error} (inputs: {got})") from error
        self.shapes.update(zip(ins + outs, after))
        return before != after

    def _step_dtypes(self, node: Node, operator: Operator) -> None:
        ins, outs = self._keys(node, operator)
        known = [self._dtypes[key] for key in ins]
        try:
            found, given = operator.dtypes(node.attrs, known)
            if given and given[0] is None:
                # All that it takes are variables of which nothing is known: MXNet's default decides.
                found, given = operator.dtypes(node.attrs, ["float32" if one is None else one for one in known])
        except (ValueError, ArithmeticError) as error:
            raise self.invalid(node, str(error)) from error
        self._dtypes.update((key, dtype) for key, dtype in zip(ins + outs, [*found, *given]) if dtype is not None)

    def require_complete(self) -> None:
        """Raises InvalidGraphError naming the first values of which the shape is not known."""
        for node, operator in zip(self.nodes, self.operators):
            keys = [(id(node), 0)] if operator is None else self._keys(node, operator)[1]
            if not all(complete(self.shapes[key]) for key in keys):
                unknown = [one for one in self.nodes if one.op == "null" and not complete(self.shapes[id(one), 0])]
                listed = ", ".join(one.name for one in unknown) or "no variable"
                raise self.invalid(node, f"its shape does not follow from what is given; unknown: {listed}")

    def require_possible(self) -> None:
        """Raises InvalidGraphError naming the first value that is larger than the machine's memory: a damaged file may
        ask for anything, and the kernel would promise it."""
        most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        for node, operator in zip(self.nodes, self.operators):
            for key in [(id(node), 0)] if operator is None else self._keys(node, operator)[1]:
                size = math.prod(self.shapes[key] or ()) * np.dtype(self.dtype(key)).itemsize
                if size > most:
                    raise self.invalid(
                        node,
                        f"a value of shape {self.shapes[key]} takes {size >> 20} MiB, and the machine has {most >> 20}",
                    )

    def dtype(self, key: Key) -> str:
        """NumPy's name of it; float32 where nothing decides."""
        return self._dtypes[key] or "float32"

    def tensor(self, entry: Entry, value: Value | None = None) -> Tensor:
        """What is known of a value, under the name that it has in the model."""
        key = id(entry.node), entry.index
        return Tensor("" if value is None else value.name, self.dtype(key), self.shapes[key] or ())

    def invalid(self, node: Node, why: str) -> InvalidGraphError:
        """The error that says what is wrong with ``node``."""
        operator = "variable" if node.op == "null" else node.op
        return InvalidGraphError(f"{operator} {node.name}: {why}", node=node.name, operator=operator)


def _model(graph: _Graph, to: Builder, values: Mapping[Key, Value], held: Mapping[str, Array]) -> onnx.ModelProto:
    from onnx import helper, numpy_helper

    nodes, names = _named(graph, to.made, values)

    def info(name: str, key: Key) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, NUMBERS[graph.dtype(key)], list(graph.shapes[key] or ()))

    variables = [node for node in graph.nodes if node.op == "null"]
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node(one.op, one.inputs, one.outputs, **one.attributes) for one in nodes],
            "model",
            [info(node.name, (id(node), 0)) for node in variables if node.name not in held],
            [info(name, (id(node), index)) for name, (node, index) in zip(names, graph.heads)],
            [numpy_helper.from_array(array, name) for name, array in {**held, **to.constants}.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="neuron_adapters.mx",
    )
    return model  # noqa: RET504 - mypy knows the name's type, not the function's


def _named(graph: _Graph, made: Sequence[Made], values: Mapping[Key, Value]) -> tuple[list[Made], list[str]]:
    """The nodes with the heads' values called as ``list_outputs()`` calls them, and those names."""
    produced = {name for one in made for name in one.outputs}
    taken = {node.name for node in graph.nodes if node.op == "null"}
    renamed: dict[str, str] = {}
    names: list[str] = []
    more: list[Made] = []
    for node, index in graph.heads:
        operator = find(node.op)
        suffix = "" if operator is None else f"_{operator.outputs(node.attrs)[index]}"
        name = plain = node.name + suffix
        # Nothing keeps a variable from being an output, nor two nodes from one name; ONNX wants each value once.
        while name in taken:
            name = f"{plain}#{len(names)}"
        taken.add(name)
        names.append(name)
        value = values[id(node), index].name
        if value in produced and value not in renamed:
            renamed[value] = name
        else:
            more.append(Made("Identity", [value], [name], {}))
    nodes = [
        Made(
            one.op,
            [renamed.get(name, name) for name in one.inputs],
            [renamed.get(name, name) for name in one.outputs],
            one.attributes,
        )
        for one in [*made, *more]
    ]
    return nodes, names
