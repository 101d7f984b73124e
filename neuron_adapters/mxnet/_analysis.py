"""A graph, analysed: its variables by kind, its compiled parts, and its values with the operators between them.

A Symbol keeps the analysis of its graph. Nodes may change later, since symbols share them: ``_set_attr`` writes
attributes, composing names what it copied. So the analysis remembers every field of every node, and the Symbol compares
them at each use: an analysis that no longer describes the graph is replaced.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from neuron_adapters.mxnet._errors import UnregisteredError
from neuron_adapters.mxnet._graph import Entry, Node, input_names, walk, written_inputs
from neuron_adapters.mxnet._subgraphs import OP, inline
from neuron_adapters.mxnet._training import acts_in_training
from neuron_adapters.mxnet.operators import find, operator_of

if TYPE_CHECKING:
    from neuron_adapters.mxnet._backend import Plan
    from neuron_adapters.mxnet._inference import Inferred, Wiring
    from neuron_adapters.mxnet.operators._rules import MaybeShape

T = TypeVar("T")

#: Operators' names for inputs that are weights: a network learns them, and no caller feeds them.
_WEIGHTS = {
    "weight", "bias", "gamma", "beta", "moving_mean", "moving_var", "running_mean", "running_var", "parameters",
}  # fmt: skip


class _Once(Generic[T]):
    """An attribute computed when it is first read. ``functools.cached_property`` takes a lock before Python 3.12, which
    a fork in another thread would leave taken in the child."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, _owner: type) -> T:
        value = instance.__dict__[self._name] = self._compute(instance)
        return value


class Graph:
    """The graph that ``heads`` need. ``nodes``: all nodes, in the order of ``walk``. ``compiled``: those that are
    compiled parts."""

    def __init__(self, heads: Sequence[Entry]) -> None:
        self.heads = list(heads)
        self.nodes = walk(heads)
        self.compiled = [node for node in self.nodes if node.op == OP]
        self._plans: weakref.WeakValueDictionary[Hashable, Plan] = weakref.WeakValueDictionary()
        self._last_plan: Plan | None = None
        self._all_nodes = list(self.nodes)
        for node in self._all_nodes:  # grows meanwhile: parts may hold parts
            for part in node.subgraphs:
                self._all_nodes += walk(part)
        self._fields = _fields_of(self._all_nodes)

    def describes(self, heads: Sequence[Entry]) -> bool:
        """Whether it still is the analysis of ``heads``: no node has changed since."""
        return heads == self.heads and _fields_of(self._all_nodes) == self._fields

    def plan(self, key: Hashable, lower: Callable[[], Plan]) -> Plan:
        """Return the backend's plan known by ``key``, or a new one. It is kept while an executor has it or it is the
        last one."""
        plan = self._plans.get(key)
        if plan is None:
            plan = lower()
            self._plans[key] = plan
        self._last_plan = plan
        return plan

    @_Once
    def variables(self) -> list[tuple[str, bool]]:
        """The name of each variable, and whether it is an auxiliary state: whether training writes to it."""
        auxiliary = {id(node.inputs[index].node) for node in self.nodes for index in written_inputs(node)}
        return [(node.name, id(node) in auxiliary) for node in self.nodes if node.op == "null"]

    @_Once
    def arguments(self) -> list[str]:
        """The names of the variables that are not auxiliary states."""
        return [name for name, auxiliary in self.variables if not auxiliary]

    @_Once
    def auxiliary_states(self) -> list[str]:
        """The names of the others."""
        return [name for name, auxiliary in self.variables if auxiliary]

    @_Once
    def original(self) -> list[Entry]:
        """The heads with every compiled node replaced by the part it was made of. Raises InvalidGraphError."""
        return inline(self.heads) if self.compiled else self.heads

    @_Once
    def wiring(self) -> Wiring:
        """The values of the original graph. Raises UnsupportedOperatorError and InvalidGraphError."""
        from neuron_adapters.mxnet._inference import Wiring

        return Wiring(self.original)

    @_Once
    def binaries(self) -> Wiring:
        """The variables that only compiled nodes take, which are their binaries."""
        from neuron_adapters.mxnet._inference import Wiring

        taken = {node.name for node, _number in self.wiring.variables}
        return Wiring([Entry(node) for node in self.nodes if node.op == "null" and node.name not in taken])

    def infer(self, shapes: Mapping[str, MaybeShape], dtypes: Mapping[str, str], *, strict: bool = False) -> Inferred:
        """Infer the original graph from shapes and dtypes of some variables by name; ``strict``: as far as MXNet
        does. Raises InvalidGraphError."""
        inferred = self.wiring.infer(shapes, dtypes, strict=strict)
        return replace(inferred, binaries=self.binaries.infer(shapes, dtypes)) if self.compiled else inferred

    def unknown_shapes(self, inferred: Inferred) -> str:
        """Return the text of the warning where shapes of arguments or outputs are not known, "" where all are."""
        shapes = inferred.shapes
        unknown = [f"{name}: {shape or ()}" for name in self.arguments if (shape := shapes[name]) is None or 0 in shape]
        if not unknown and not [shape for shape, _dtype in inferred.outputs if shape is None or 0 in shape]:
            return ""
        listed = "\n\t".join(unknown)
        return f"the shapes of these arguments do not follow (0 is an unknown size); give some of them:\n\t{listed}"

    @_Once
    def training_nodes(self) -> list[str]:
        """The operators that would act differently in training, each with the name of its node; those in loops, too."""
        return [f"{node.op} {node.name}" for node in self._all_nodes if acts_in_training(node.op, node.attrs)]

    @_Once
    def weights(self) -> frozenset[str]:
        """The names of the variables that are weights wherever they are used."""
        weights: set[str] = set()
        fed = {entry.node.name for entry in self.heads}
        for node, entry, name in self._inputs_by_name:
            # An embedding table needs no packing: the engine reads it in place.
            (weights if name in _WEIGHTS and node.op != "Embedding" else fed).add(entry.node.name)
        return frozenset(weights - fed)

    @_Once
    def tables(self) -> frozenset[str]:
        """The names of the variables that are tables of embeddings."""
        return frozenset(
            entry.node.name for node, entry, name in self._inputs_by_name if node.op == "Embedding" and name == "weight"
        )

    @_Once
    def labels(self) -> frozenset[str]:
        """The names of the variables that are labels, from which nothing is computed at inference."""
        return frozenset(entry.node.name for _node, entry, name in self._inputs_by_name if name == "label")

    @_Once
    def _inputs_by_name(self) -> list[tuple[Node, Entry, str]]:
        """Each variable that an operator takes: the operator's node, the variable, and the operator's name for it."""
        inputs: list[tuple[Node, Entry, str]] = []
        for node in walk(self.original) if self.compiled else self.nodes:
            operator = find(node.op)
            if operator is not None and operator.holding is not None:
                named = _held_inputs(node)
            elif operator is not None:
                named = [(node, *each) for each in zip(node.inputs, input_names(node))]
            else:
                named = []
            inputs += [each for each in named if each[1].node.op == "null"]
        return inputs


def _held_inputs(node: Node) -> list[tuple[Node, Entry, str]]:
    """List what the operators of the graphs that ``node`` holds take of its inputs: nothing where one is written
    in Python and not registered, since the real MXNet has its own."""
    operator = operator_of(node)
    assert operator is not None
    try:
        named: list[tuple[Node, Entry, str]] = operator.held.named_inputs(node.inputs)
    except UnregisteredError:
        return []
    return named


def _fields_of(nodes: Sequence[Node]) -> list[tuple[Any, ...]]:
    """Return everything in the nodes that may change."""
    return [
        (node.op, node.name, *node.attrs.items(), *node.inputs, *map(tuple, node.subgraphs))
        for node in nodes
    ]  # fmt: skip
