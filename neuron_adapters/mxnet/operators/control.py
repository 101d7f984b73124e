"""Control flow: ``_foreach``, ``_while_loop`` and ``_cond``, whose nodes hold the graphs that they run.

Shapes are known, so a short loop is unrolled, and guarded like the rest of the graph. A long one becomes a loop of the
engine's where its iterations are all alike; else it is unrolled, too, or left to NumPy. Of a condition both branches
are computed, and of a ``_while_loop`` all iterations; what does not count is not selected.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value, count_nodes
from neuron_adapters.mxnet.operators._registry import Operator, operator
from neuron_adapters.mxnet.operators._rules import Dtypes, MaybeShape, Shapes, numbered, unify
from neuron_adapters.mxnet.operators.arithmetic import true

if TYPE_CHECKING:
    from neuron_adapters.mxnet._bodies import Body
    from neuron_adapters.mxnet._graph import Entry, Node
    from neuron_adapters.mxnet._inference import Inferred

#: Most operators that a loop becomes, or that all iterations of a ``_while_loop`` are.
MOST_UNROLLED = 1 << 13

#: Most operators of a loop that is unrolled where the engine could run it as a loop: fifty steps of an LSTM. Unrolled,
#: they are compiled in one or two seconds and not in a sixth of one, but run up to twice as fast. That gain shrinks as
#: loops grow: 200 steps take seven seconds to run 1.3 times as fast, and 400 run slower.
SHORT = 700


class Held:
    """The graphs of one node. ``bodies``: each with the index of the node's input for each of its variables."""

    at: Attributes
    bodies: list[tuple[Body, list[int]]]
    outputs: int

    def __init__(self, node: Node, places: Sequence[Sequence[int]]) -> None:
        from neuron_adapters.mxnet._bodies import Body

        if len(node.subgraphs) != len(places):
            raise ValueError(f"it must hold {len(places)} graphs, got {len(node.subgraphs)}")
        self.at = Attributes(node.attrs)
        self.bodies = [(Body(heads), list(indexes)) for heads, indexes in zip(node.subgraphs, places)]
        self.outputs = self.at.count("num_outputs")
        for body, indexes in self.bodies:
            if len(indexes) != len(body.variables) or not all(0 <= index < len(node.inputs) for index in indexes):
                raise ValueError(
                    f"its attributes must name an input for each of the {len(body.variables)} of its graph"
                )

    def dtypes(self, _at: Attributes, ins: Dtypes, _count: int) -> tuple[Dtypes, Dtypes]:
        """Infer dtypes by those of the graphs."""
        ins = list(ins)
        outs: Dtypes = []
        for body, indexes in self.bodies:
            inner, outs = body.dtypes([ins[index] for index in indexes])
            for index, dtype in zip(indexes, inner):
                ins[index] = ins[index] or dtype
        return ins, outs[: self.outputs]

    def through(self, number: int, ins: Shapes, outs: Sequence[MaybeShape]) -> Shapes:
        """Infer one graph; fill in ``ins``, and return the shapes of its outputs."""
        body, indexes = self.bodies[number]
        inner, outputs = body.shapes([ins[index] for index in indexes], outs)
        for index, shape in zip(indexes, inner):
            ins[index] = unify(ins[index], shape)
        return outputs

    def graphs(self, tensors: Sequence[Tensor]) -> list[Inferred]:
        """Infer all graphs from tensors for the node's inputs."""
        return [self.inferred(number, tensors) for number in range(len(self.bodies))]

    def inferred(self, number: int, tensors: Sequence[Tensor]) -> Inferred:
        """Infer one graph from tensors for the node's inputs."""
        body, indexes = self.bodies[number]
        return body.inferred([tensors[index] for index in indexes])

    def named_inputs(self, inputs: Sequence[Entry]) -> list[tuple[Node, Entry, str]]:
        """List what the operators of the graphs take of the node's inputs: node, input, and the operator's name."""
        named: list[tuple[Node, Entry, str]] = []
        for body, indexes in self.bodies:
            sources = {
                id(variable): inputs[index] for (variable, _number), index in zip(body.wiring.variables, indexes)
            }
            for step in body.wiring.steps:
                outer = [sources.get(id(entry.node), entry) for entry in step.node.inputs]
                if step.operator.held is not None:
                    named += step.operator.held.named_inputs(outer)
                else:
                    names = step.operator.inputs(step.node.attrs)
                    named += [(step.node, entry, name) for entry, name in zip(outer, names)]
        return [each for each in named if each[1] in inputs]

    def run(self, to: Builder, number: int, inferred: Inferred, values: Sequence[Value]) -> list[Value]:
        """Translate one graph, with the node's inputs as they are now."""
        body, indexes = self.bodies[number]
        return body.translate(to, inferred, [values[index] for index in indexes])


def of_one_step(shape: MaybeShape) -> MaybeShape:
    """Return the shape of what an iteration takes of the data: of one axis, a number is left as ``(1,)``."""
    return shape if shape is None else shape[1:] or (1,)


class Foreach(Held):
    """A loop over the first axis of its data."""

    data: tuple[int, ...]
    states: tuple[int, ...]
    stacked: int

    def __init__(self, node: Node) -> None:
        at = Attributes(node.attrs)
        self.data, self.states, others = (
            at.integers(name, ()) for name in ("in_data_locs", "in_state_locs", "remain_locs")
        )
        places = [*self.data, *self.states, *others]
        if sorted(places) != list(range(len(places))) or not self.data:
            raise ValueError("attributes in_data_locs, in_state_locs and remain_locs must name each input once")
        super().__init__(node, [[places.index(variable) for variable in range(len(places))]])
        self.stacked = at.count("num_out_data")
        if self.stacked + len(self.states) != self.outputs or len(self.bodies[0][0].heads) != self.outputs:
            raise ValueError(f"attribute num_outputs must count outputs and states, got {self.outputs}")

    def shapes(self, _at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        """Infer shapes: those of the body, with the length in front of its data and outputs."""
        count, width = len(self.data), len(self.states)
        lengths = {shape[0] for shape in (*ins[:count], *outs[: self.stacked]) if shape} - {0}
        if len(lengths) > 1:
            raise ValueError(f"all data of a loop must have one length, got {sorted(lengths)}")
        length = lengths.pop() if lengths else 0
        states = [unify(*pair, "state") for pair in zip(ins[count : count + width], outs[self.stacked :])]
        inner = [*map(of_one_step, ins[:count]), *states, *ins[count + width :]]
        outputs = self.through(0, inner, [*(shape and shape[1:] for shape in outs[: self.stacked]), *states])
        data = [
            known if known is None or len(known) == 1 else unify(known, (length, *(shape or known[1:])))
            for known, shape in zip(ins[:count], inner)
        ]
        states = [unify(*pair, "state") for pair in zip(inner[count : count + width], outputs[self.stacked :])]
        stacked = [None if shape is None else (length, *shape) for shape in outputs[: self.stacked]]
        return [*data, *states, *inner[count + width :]], [*stacked, *states]

    def graphs(self, tensors: Sequence[Tensor]) -> list[Inferred]:
        """See the base. An iteration takes a row of the data."""
        count = len(self.data)
        first = [Tensor(each.name, each.dtype, of_one_step(each.shape) or ()) for each in tensors[:count]]
        return [self.inferred(0, [*first, *tensors[count:]])]

    def translate(self, to: Builder, _at: Attributes, *tensors: Tensor) -> list[Value]:
        """Add a loop; unroll it where it is short, or where an iteration draws random numbers."""
        count, length = len(self.data), tensors[0].shape[0]
        (inferred,) = self.graphs(tensors)
        values: list[Value] = list(tensors)
        if to.loops and length > 1:
            looped = self._loop(to, inferred, tensors)
            if looped is not None:
                return looped
        steps: list[list[Value]] = []
        before = len(to.nodes)
        for step in range(length):
            values[:count] = [
                to.at(each, 0, step) if len(each.shape) > 1 else to.slice(each, 0, step, step + 1)
                for each in tensors[:count]
            ]
            outputs = self.run(to, 0, inferred, values)
            steps.append(outputs[: self.stacked])
            values[count : count + len(self.states)] = outputs[self.stacked :]
            if step == 0:
                require_short(length * (len(to.nodes) - before))
        return [*_stacked(to, steps), *values[count : count + len(self.states)]]

    def _loop(self, to: Builder, inferred: Inferred, tensors: Sequence[Tensor]) -> list[Value] | None:
        """Add a loop that the engine runs; None where it is to be unrolled."""
        count, length, body = len(self.data), tensors[0].shape[0], to.inner()
        number = body.value("int64")
        rows = [body.Gather(each, number, axis=0) for each in tensors[:count]]
        rows = [row if len(each.shape) > 1 else body.unsqueeze(row, 0) for row, each in zip(rows, tensors)]
        first = tensors[count : count + len(self.states)]
        states = [_state_like(body, each) for each in first]
        outputs = self.run(body, 0, inferred, [*rows, *states, *tensors[count + len(states) :]])
        shapes = [shape or () for shape, _dtype in inferred.outputs]
        stacked = [Tensor(value.name, value.dtype, shape) for value, shape in zip(outputs[: self.stacked], shapes)]
        after = outputs[self.stacked :]
        if is_short(length, body) or [each.dtype for each in after] != [each.dtype for each in states]:
            return None
        results = to.add_loop(length, number, list(zip(first, states, after)), stacked, body)
        return [*results[len(states) :], *results[: len(states)]]


class While(Held):
    """A loop while its first graph says so. Iterations that are not made leave zeros in its outputs."""

    most: int
    stacked: int
    variables: list[int]

    def __init__(self, node: Node) -> None:
        at = Attributes(node.attrs)
        inputs = at.integers("func_input_locs")
        super().__init__(node, [at.integers("cond_input_locs", ()), inputs])
        self.most, self.stacked = at.integer("max_iterations"), at.count("num_out_data")
        variables = at.integers("func_var_locs")
        if not all(0 <= variable < len(inputs) for variable in variables):
            raise ValueError(f"attribute func_var_locs must name inputs of the loop's graph, got {variables}")
        #: The node's input that each loop variable starts as.
        self.variables = [inputs[variable] for variable in variables]
        if self.stacked + len(self.variables) != self.outputs or len(self.bodies[1][0].heads) != self.outputs:
            raise ValueError(f"attribute num_outputs must count outputs and loop variables, got {self.outputs}")

    def dtypes(self, at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
        """See the base. Loop variables keep their dtypes."""
        ins, outs = super().dtypes(at, ins, count)
        return ins, [*outs[: self.stacked], *(ins[index] for index in self.variables)]

    def shapes(self, _at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        """Infer shapes: those of the body, with the most iterations in front of its outputs."""
        for index, shape in zip(self.variables, outs[self.stacked :]):
            ins[index] = unify(ins[index], shape, "loop variable")
        self.through(0, ins, [])
        states = [ins[index] for index in self.variables]
        outputs = self.through(1, ins, [*(shape and shape[1:] for shape in outs[: self.stacked]), *states])
        for index, shape in zip(self.variables, outputs[self.stacked :]):
            ins[index] = unify(ins[index], shape, "loop variable")
        stacked = [None if shape is None else (self.most, *shape) for shape in outputs[: self.stacked]]
        return ins, [*stacked, *(ins[index] for index in self.variables)]

    def translate(self, to: Builder, _at: Attributes, *tensors: Tensor) -> list[Value]:
        """Add a loop of all iterations, or unroll it; each iteration selects whether it counts."""
        condition, func = self.inferred(0, tensors), self.inferred(1, tensors)
        values: list[Value] = list(tensors)
        if to.loops and self.most > 1:
            looped = self._loop(to, condition, func, tensors)
            if looped is not None:
                return looped
        before = len(to.nodes)
        steps: list[list[Value]] = []
        active: Value | None = None
        for step in range(self.most):
            goes_on = scalar(to, self.run(to, 0, condition, values)[0])
            active = goes_on if active is None else to.And(active, goes_on)
            outputs = self.run(to, 1, func, values)
            steps.append([to.Where(active, value, to.constant(0, value.dtype)) for value in outputs[: self.stacked]])
            for index, value in zip(self.variables, outputs[self.stacked :]):
                values[index] = to.Where(active, value, values[index])
            if step == 0:
                require_short(self.most * (len(to.nodes) - before))
        return [*_stacked(to, steps), *(values[index] for index in self.variables)]

    def _loop(self, to: Builder, condition: Inferred, func: Inferred, tensors: Sequence[Tensor]) -> list[Value] | None:
        """Add a loop that the engine runs; None where it is to be unrolled."""
        body = to.inner()
        number = body.value("int64")
        before = Tensor(body.value("bool").name, "bool", ())
        states = [_state_like(body, tensors[index]) for index in self.variables]
        values: list[Value] = list(tensors)
        for index, state in zip(self.variables, states):
            values[index] = state
        active = body.And(before, scalar(body, self.run(body, 0, condition, values)[0]))
        outputs = self.run(body, 1, func, values)
        require_short(self.most * count_nodes(body.nodes))  # NumPy stops where the loop does: more would be slower here
        shapes = [shape or () for shape, _dtype in func.outputs]
        stacked = [
            Tensor(body.Where(active, value, body.constant(0, value.dtype)).name, value.dtype, shape)
            for value, shape in zip(outputs[: self.stacked], shapes)
        ]
        after = outputs[self.stacked :]
        if is_short(self.most, body) or [each.dtype for each in after] != [each.dtype for each in states]:
            return None
        kept = [body.Where(active, value, state) for value, state in zip(after, states)]
        first = [to.constant(1, "bool"), *(tensors[index] for index in self.variables)]
        every = list(zip(first, [before, *states], [active, *kept]))
        results = to.add_loop(self.most, number, every, stacked, body)[1:]
        return [*results[len(states) :], *results[: len(states)]]


class Cond(Held):
    """One of two graphs, as a third says."""

    def __init__(self, node: Node) -> None:
        at = Attributes(node.attrs)
        super().__init__(node, [at.integers(f"{name}_input_locs", ()) for name in ("cond", "then", "else")])
        for body, _indexes in self.bodies[1:]:
            if len(body.heads) != self.outputs:
                raise ValueError(f"both branches must have {self.outputs} outputs, as num_outputs says")

    def shapes(self, _at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        """Infer shapes: both branches give the same."""
        self.through(0, ins, [])
        for number in (1, 2):
            outs = [unify(*pair, "output") for pair in zip(outs, self.through(number, ins, outs))]
        return ins, outs

    def translate(self, to: Builder, _at: Attributes, *tensors: Tensor) -> list[Value]:
        """Compute both branches, and select."""
        asked, then, other = (self.run(to, number, self.inferred(number, tensors), tensors) for number in range(3))
        chosen = scalar(to, asked[0])
        return [to.Where(chosen, *pair) for pair in zip(then, other)]


def is_short(length: int, body: Builder) -> bool:
    """Whether a loop is unrolled: it runs faster then, and is compiled in a moment. One that draws random numbers is
    unrolled in any case: each iteration draws its own."""
    return bool(body.draws) or length * count_nodes(body.nodes) <= SHORT


def require_short(operators: int) -> None:
    """Raise BeyondOnnxError where the iterations of a loop are more operators than the most."""
    if operators > MOST_UNROLLED:
        raise BeyondOnnxError(
            f"all iterations of its loop are {operators} operators, and the engine gets {MOST_UNROLLED} at most"
        )


def scalar(to: Builder, value: Value) -> Value:
    """Return whether a condition, a single number, is not zero."""
    return true(to, to.reshape(value, []))


def _state_like(body: Builder, tensor: Tensor) -> Tensor:
    return dataclasses.replace(tensor, name=body.value(tensor.dtype).name)


def _stacked(to: Builder, steps: Sequence[Sequence[Value]]) -> list[Value]:
    return [to.Concat(*(to.unsqueeze(value, 0) for value in values), axis=0) for values in zip(*steps)]


def _holding(kind: Callable[[Node], Any]) -> Callable[[Operator, Node], Operator]:
    def make(general: Operator, node: Node) -> Operator:
        held = kind(node)
        return dataclasses.replace(
            general, translation=held.translate, shape_rule=held.shapes, dtype_rule=held.dtypes, held=held
        )

    return make


def _without_graphs(*_arguments: Any) -> Any:
    raise ValueError("it works in graphs only, where its node holds other graphs")


for _name, _graphs, _kind in (("_foreach", 1, Foreach), ("_while_loop", 2, While), ("_cond", 3, Cond)):
    operator(
        _name,
        inputs=lambda at, graphs=_graphs: numbered("data", at.count("num_args") - graphs),  # type: ignore[misc]
        outputs=lambda at: ["output"] if at.count("num_outputs") == 1 else numbered("output", at.count("num_outputs")),
        shapes=_without_graphs,
        dtypes=_without_graphs,
        holding=_holding(_kind),
    )(_without_graphs)
