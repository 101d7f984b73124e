"""Control flow in graphs: ``mx.sym.contrib.foreach``, ``while_loop`` and ``cond``.

A body is called once, on variables, inside an attribute scope that marks its nodes. What marked nodes take from
unmarked ones becomes inputs of the graph that the new node holds, as MXNet has it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from neuron_adapters.mxnet import name as names
from neuron_adapters.mxnet._calls import attr_text
from neuron_adapters.mxnet._graph import Entry, Node, walk
from neuron_adapters.mxnet._nested import Regroup, as_list, flatten
from neuron_adapters.mxnet.attribute import AttrScope, scoped
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.symbol._compose import create
from neuron_adapters.mxnet.symbol._symbol import Symbol

_MARK = "__subgraph_name__"

_counting = threading.Lock()


def foreach(body: Callable[..., Any], data: Any, init_states: Any, name: str = "foreach") -> tuple[Any, Any]:
    """Create a loop over the first axis of ``data``: ``body(row, states)`` returns outputs and the next states.

    Returns the outputs, stacked, and the last states.
    """
    rows, build_rows = flatten(data, Symbol, "foreach: data")
    states, build_states = flatten(init_states, Symbol, "foreach: init_states")
    graph = _Graph(name)
    with graph.scope:
        outputs, after = body(build_rows(iter(graph.variables(rows))), build_states(iter(graph.variables(states))))
        flat, build = flatten(outputs, Symbol, "foreach: outputs")
        last, build_last = flatten(after, Symbol, "foreach: states")
        if len(last) != len(states):
            raise MXNetValueError(f"foreach: the body returns {len(states)} states, got {len(last)}.")
        graph.close([*flat, *last], apart=len(flat))
    taken = graph.taken()
    places = {name: place for place, name in enumerate(taken)}
    first = [graph.name_of(symbol) for symbol in (*rows, *states)]
    for missing in [name for name in first if name not in places]:
        raise MXNetValueError(f"foreach: the body has to use all data and states, and it does not use {missing}.")
    remaining = [name for name in taken if name not in first]
    locations = [places[name] for name in first]
    ins = [*(symbol._entries[0] for symbol in (*rows, *states)), *(taken[name] for name in remaining)]
    loop = _node(
        "_foreach", [graph], ins,
        num_outputs=len(flat) + len(last), num_out_data=len(flat), in_state_locs=locations[len(rows) :],
        in_data_locs=locations[: len(rows)], remain_locs=[places[name] for name in remaining],
    )  # fmt: skip
    return build(iter(loop[: len(flat)])), build_last(iter(loop[len(flat) :]))


def while_loop(
    cond: Callable[..., Any],
    func: Callable[..., Any],
    loop_vars: Any,
    max_iterations: int | None = None,
    name: str = "while_loop",
) -> tuple[Any, Any]:
    """Create a loop that runs while ``cond(*loop_vars)``: ``func(*loop_vars)`` returns outputs and the next variables.

    Returns the outputs, stacked to ``max_iterations`` rows, and the last variables.
    """
    if max_iterations is None:
        raise MXNetValueError("while_loop: max_iterations should be specified.")
    variables, build_variables = flatten(loop_vars, Symbol, "while_loop: loop_vars")
    if not variables:
        raise MXNetValueError("while_loop: loop_vars should contain at least one element.")
    condition, body = _Graph(f"{name}_cond"), _Graph(f"{name}_func")
    with condition.scope:
        holds = cond(*as_list(build_variables(iter(condition.variables(variables)))))
        if not isinstance(holds, Symbol):
            raise MXNetValueError(f"while_loop: cond() returns a Symbol, got {holds!r}.")
        condition.close([holds])
    build: Regroup
    with body.scope:
        outputs, after = func(*as_list(build_variables(iter(body.variables(variables)))))
        flat, build = flatten([] if outputs is None else outputs, Symbol, "while_loop: outputs")
        last, _build = flatten(as_list(after), Symbol, "while_loop: loop_vars")
        if len(last) != len(variables):
            raise MXNetValueError(f"while_loop: func() returns {len(variables)} loop_vars, got {len(last)}.")
        body.close([*flat, *last])
    ins, (condition_places, body_places) = _union([condition, body], by_name=False)
    taken = list(body.taken())
    for symbol in variables:
        if body.name_of(symbol) not in taken:
            raise MXNetValueError(f"while_loop: func() has to use all loop_vars, and it does not use {symbol.name}.")
    loop = _node(
        "_while_loop", [condition, body], ins, max_iterations=int(max_iterations), cond_input_locs=condition_places,
        func_input_locs=body_places, func_var_locs=[taken.index(body.name_of(symbol)) for symbol in variables],
        num_out_data=len(flat), num_outputs=len(flat) + len(last),
    )  # fmt: skip
    return build(iter(loop[: len(flat)])), build_variables(iter(loop[len(flat) :]))


def cond(pred: Symbol, then_func: Callable[[], Any], else_func: Callable[[], Any], name: str = "cond") -> Any:
    """Create a choice: what ``then_func()`` returns where ``pred`` is not zero, else what ``else_func()`` does."""
    graphs, counts, builds = [], [], []
    for kind, call in (("pred", lambda: pred), ("then", then_func), ("else", else_func)):
        graph = _Graph(f"{name}_{kind}")
        with graph.scope:
            flat, build = flatten(call(), Symbol, f"cond: {kind}")
            graph.close(flat)
        graphs.append(graph)
        counts.append(len(flat))
        builds.append(build)
    if counts[0] != 1 or counts[1] != counts[2]:
        raise MXNetValueError(f"cond: both branches have as many outputs, and pred has one, got {counts}.")
    ins, places = _union(graphs, by_name=True)
    choice = _node(
        "_cond", graphs, ins, cond_input_locs=places[0], then_input_locs=places[1], else_input_locs=places[2],
        num_outputs=counts[1],
    )  # fmt: skip
    return builds[1](iter(choice))


class _Graph:
    """A graph that is being made: its nodes carry a mark of their own."""

    def __init__(self, name: str) -> None:
        outer = scoped().get(_MARK, "")
        with _counting:
            full = f"{outer}${name}" if outer else name
            self.name = f"{full}{AttrScope._subgraph_names[full]}"
            AttrScope._subgraph_names[full] += 1
        self.scope = AttrScope(**{_MARK: self.name})
        self.heads: list[Entry] = []
        self._own: dict[str, Entry] = {}
        self._placeholder_names: set[str] = set()
        self._cut: dict[str, Entry] = {}

    def name_of(self, symbol: Symbol) -> str:
        """Name the variable that stands for a symbol inside."""
        (entry,) = symbol._entries
        return f"{entry.node.name}-{entry.index}"

    def variables(self, symbols: Sequence[Symbol]) -> list[Symbol]:
        """Create the variables that stand for symbols inside."""
        placeholders = []
        for symbol in symbols:
            node = Node("null", self.name_of(symbol), scoped())
            self._own[node.name] = symbol._entries[0]
            self._placeholder_names.add(node.name)
            placeholders.append(Symbol([Entry(node)]))
        return placeholders

    def close(self, outputs: Sequence[Symbol], apart: int = 0) -> None:
        """Take the outputs, and cut the graph off what is outside. ``apart``: outputs from there on are copies where
        they are among those before."""
        before: set[str] = set()
        inputs = {node.name for symbol in outputs for node in walk(symbol._entries) if node.op == "null"}
        for number, symbol in enumerate(outputs):
            (entry,) = symbol._entries
            name, inside = entry.node.name, entry.node.attrs.get(_MARK) == self.name
            if name in inputs or not inside or (apart and number >= apart and name in before):
                (entry,) = create("identity", [symbol], {}, {})
            if number < apart:
                before.add(name)
            self.heads.append(entry)
        cut: dict[Entry, Entry] = {}
        for node in walk(self.heads):
            if node.attrs.get(_MARK) == self.name:
                for index, entry in enumerate(node.inputs):
                    if entry.node.attrs.get(_MARK) != self.name:
                        inner = cut.setdefault(entry, Entry(Node("null", Symbol([entry]).list_outputs()[0])))
                        node.inputs[index] = inner
        self._cut = {inner.node.name: entry for entry, inner in cut.items()}

    def is_own(self, name: str) -> bool:
        """Whether a variable stands for one of the symbols that the graph was made for."""
        return name in self._placeholder_names

    def taken(self) -> dict[str, Entry]:
        """Return the variables of the graph in order, each with what it stands for outside."""
        taken: dict[str, Entry] = {}
        for node in walk(self.heads):
            if node.op != "null":
                continue
            if node.name in taken:
                raise MXNetValueError(f"two inputs of a loop or branch are called {node.name}: give them other names.")
            entry = self._own.get(node.name) or self._cut.get(node.name)
            # A variable that the body made is one of the outer graph, too; graphs share no nodes.
            taken[node.name] = entry if entry is not None else self._copies(node)
        return taken

    def _copies(self, node: Node) -> Entry:
        entry = self._own[node.name] = Entry(Node("null", node.name, dict(node.attrs)))
        return entry


def _union(graphs: Sequence[_Graph], *, by_name: bool) -> tuple[list[Entry], list[list[int]]]:
    """Return what the graphs take, and for each graph the places of its inputs among that. Two graphs share loop
    variables; or, ``by_name``, what the one calls as the other's source is called. What else they both take is there
    twice, as in MXNet."""
    ins: list[Entry] = []
    places = []
    shared: dict[object, int] = {}
    for graph in graphs:
        mine = []
        for name, entry in graph.taken().items():
            key: object = name if by_name else entry if graph.is_own(name) else (graph, name)
            if key not in shared:
                shared[entry.node.name if by_name else key] = len(ins)
                mine.append(len(ins))
                ins.append(entry)
            else:
                mine.append(shared[key])
        places.append(mine)
    return ins, places


def _node(operator: str, graphs: Sequence[_Graph], ins: Sequence[Entry], **attrs: Any) -> list[Symbol]:
    texts = {key: attr_text(value) for key, value in attrs.items()}
    texts["num_args"] = str(len(graphs) + len(ins))
    name = names.current().get(None, operator)
    node = Node(operator, name, {**scoped(), **texts}, ins, [graph.heads for graph in graphs])
    return [Symbol([Entry(node, index)]) for index in range(attrs["num_outputs"])]
