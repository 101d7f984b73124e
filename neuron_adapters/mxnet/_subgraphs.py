"""Compiled graphs: nodes ``_neuron_subgraph_op`` hold parts of a graph, as mx_neuron wrote them; ``inline`` undoes it.

Such a node takes what its part takes, then the compiled binary; the original part stands in its ``subgraphs``. The
variables of the part are its inputs, in order.
"""

from __future__ import annotations

from collections.abc import Sequence

from neuron_adapters.files import bounded_json
from neuron_adapters.files.mxnet import INPUTS, input_map
from neuron_adapters.files.record import cores
from neuron_adapters.mxnet._errors import InvalidGraphError
from neuron_adapters.mxnet._graph import Entry, Node, walk

OP = "_neuron_subgraph_op"
#: Attributes with the number of NCs that the whole model, or a part, was compiled for.
MODEL_CORES, PART_CORES = "__model_opt_neuroncore__", "__subgraph_opt_neuroncore__"
#: An attribute of this package: "bf16" where a cast flag asked for it, and the results agreed.
CAST = "__neuron_adapters_cast__"


def pipeline_cores(compiled: Sequence[Node]) -> int:
    """Return the number of NCs that a graph with these compiled nodes was compiled for; 1 where it has none. Raises
    InvalidGraphError."""
    count = 1
    for node in compiled:
        for name in (MODEL_CORES, PART_CORES):
            if name in node.attrs:
                try:
                    count = max(count, cores(bounded_json.whole(node.attrs[name])))
                except ValueError as error:
                    raise _invalid(node, f"{name}={node.attrs[name]!r} is not a number of NeuronCores") from error
    return count


def inputs_of(node: Node) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return the shapes and dtypes of the inputs that a compiled node was compiled for; empty where it does not record
    them."""
    return input_map(node.attrs.get(INPUTS, ""))


def inline(heads: Sequence[Entry]) -> list[Entry]:
    """Replace every compiled node by its original part (SPEC K6). Raises InvalidGraphError."""
    replaced: dict[int, Node | list[Entry]] = {}

    def entry(old: Entry) -> Entry:
        new = replaced[id(old.node)]
        if isinstance(new, Node):
            return Entry(new, old.index)
        if old.index >= len(new):
            raise _invalid(old.node, f"output {old.index} is taken, and its graph has {len(new)}")
        return new[old.index]

    for node in walk(heads):
        inputs = [entry(taken) for taken in node.inputs]
        if node.op == OP:
            replaced[id(node)] = _original(node, inputs)
        elif inputs == node.inputs:
            replaced[id(node)] = node
        else:
            replaced[id(node)] = node.taking(inputs)
    return [entry(head) for head in heads]


def _original(node: Node, inputs: Sequence[Entry]) -> list[Entry]:
    """Return the part in a compiled node, taking ``inputs``."""
    if len(node.subgraphs) != 1:
        raise _invalid(node, f"it holds {len(node.subgraphs)} graphs instead of one")
    (part,) = node.subgraphs
    nodes = walk(part)
    variables = [variable for variable in nodes if variable.op == "null"]
    if len(variables) > len(inputs):
        raise _invalid(node, f"its graph takes {len(variables)} inputs, and it is given {len(inputs)}")
    sources = {id(variable): source for variable, source in zip(variables, inputs)}
    copies: dict[int, Node] = {}

    def entry(old: Entry) -> Entry:
        return sources[id(old.node)] if old.node.op == "null" else Entry(copies[id(old.node)], old.index)

    for inner in nodes:
        if inner.op != "null":
            copies[id(inner)] = inner.taking([entry(old) for old in inner.inputs])
    return [entry(old) for old in part]


def _invalid(node: Node, what: str) -> InvalidGraphError:
    return InvalidGraphError(f"{OP} {node.name}: {what}.", node=node.name, operator=OP)
