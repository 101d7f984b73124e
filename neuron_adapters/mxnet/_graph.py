"""The graph behind a Symbol: nodes, what each takes from which, and what operators say of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from neuron_adapters.files.bounded_json import whole
from neuron_adapters.mxnet._errors import UnregisteredError
from neuron_adapters.mxnet.base import FormatError
from neuron_adapters.mxnet.operators import operator_of

if TYPE_CHECKING:
    from neuron_adapters.mxnet.operators._registry import Operator

T = TypeVar("T")

#: Attributes that belong to MXNet and not to an operator, saved as ``__lr_mult__``.
HIDDEN = ("ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage")

#: Initializers that operators want for some of their variables, by the index of the input.
INITIAL = {
    "BatchNorm": {3: '["zero", {}]', 4: '["one", {}]'},
    "BatchNorm_v1": {3: '["zero", {}]', 4: '["one", {}]'},
    "_contrib_SyncBatchNorm": {3: '["zero", {}]', 4: '["one", {}]'},
    "_contrib_BatchNormWithReLU": {3: '["zero", {}]', 4: '["one", {}]'},
    "UpSampling": {1: '["bilinear", {}]'},
    "LeakyReLU": {1: '["Constant", {"value": 0.25}]'},
}

#: Numbers of outputs of operators with hidden ones: means, masks and work space.
_OUTPUTS = {
    "BatchNorm": 3,
    "BatchNorm_v1": 3,
    "CTCLoss": 2,
    "BilinearSampler": 2,
    "Dropout": 2,
    "GridGenerator": 2,
    "GroupNorm": 3,
    "InstanceNorm": 3,
    "L2Normalization": 2,
    "LRN": 2,
    "LayerNorm": 3,
    "ROIPooling": 2,
    "_contrib_BatchNormWithReLU": 4,
    "_contrib_MultiProposal": 2,
    "_contrib_Proposal": 2,
    "_contrib_SyncBatchNorm": 3,
    "_contrib_box_nms": 2,
    "_npi_average": 2,
    "_npi_norm": 4,
    "_npi_std": 2,
    "_npi_var": 2,
    "sort": 2,
}

#: Operators and kinds of them that have two outputs.
_OUTPUTS_BY_KIND = {("LeakyReLU", "rrelu"), ("topk", "value")}


class Node:
    """One operator, or a variable where ``op`` is "null". Known by identity; symbols share nodes."""

    __slots__ = ("attrs", "inputs", "name", "op", "subgraphs")

    def __init__(
        self,
        op: str,
        name: str,
        attrs: dict[str, str] | None = None,
        inputs: Sequence[Entry] = (),
        subgraphs: Sequence[Sequence[Entry]] = (),
    ) -> None:
        """``attrs``: as text, operator parameters and user attributes (``__lr_mult__``) alike. ``subgraphs``: the
        heads of each (``_neuron_subgraph_op`` has one)."""
        self.op = op
        self.name = name
        self.attrs = {} if attrs is None else attrs
        self.inputs = list(inputs)
        self.subgraphs = [list(heads) for heads in subgraphs]

    def taking(self, inputs: Sequence[Entry]) -> Node:
        """Copy the node with other inputs. Both share their attributes."""
        return Node(self.op, self.name, self.attrs, inputs, self.subgraphs)


class Entry(NamedTuple):
    """One output of a node."""

    node: Node
    index: int = 0  # type: ignore[assignment] # a tuple has a method of that name


def walk(heads: Sequence[Entry]) -> list[Node]:
    """List the nodes that ``heads`` need, each after its inputs: depth first, in the order of the inputs, as MXNet
    lists arguments. Iterative, since real graphs are deeper than Python's stack."""
    nodes: dict[int, Node] = {}
    for head in heads:
        stack = [(head.node, 0)]
        while stack:
            node, step = stack.pop()
            if id(node) in nodes:
                continue
            if step < len(node.inputs):
                stack += [(node, step + 1), (node.inputs[step].node, 0)]
            else:
                nodes[id(node)] = node
    return list(nodes.values())


def variable_of(node: Node, name: str) -> Node:
    """Create the variable for an input of ``node`` that is not connected. It has all the node's attributes, whether
    they are meant for it or not."""
    return Node("null", f"{node.name}_{name}", dict(node.attrs))


def set_initial(node: Node) -> None:
    """Set the attribute ``__init__`` of the variables that ``node`` wants initialized in its own way."""
    for index, how in INITIAL.get(node.op, {}).items():
        if index < len(node.inputs) and node.inputs[index].node.op == "null":
            node.inputs[index].node.attrs.setdefault("__init__", how)


def hidden(key: str) -> str:
    """Return the name that ``key`` has in files."""
    return f"__{key}__" if key in HIDDEN else key


def input_names(node: Node) -> Sequence[str]:
    """Name its inputs; none where its operator is not known. Raises FormatError for wrong attributes."""
    return _of_operator(node, lambda operator: operator.inputs(node.attrs), ())


def output_names(node: Node) -> Sequence[str]:
    """Name its visible outputs; none where its operator is not known. Raises FormatError for wrong attributes."""
    return _of_operator(node, lambda operator: operator.outputs(node.attrs), ())


def written_inputs(node: Node) -> list[int]:
    """Return the indices of its auxiliary states, which training writes to; files count the writes."""
    operator = _operator(node)
    if operator is None and node.subgraphs:  # a compiled part: what its operators write to
        nodes = walk(node.subgraphs[0])
        written = {id(inner.inputs[index].node) for inner in nodes for index in written_inputs(inner)}
        variables = [inner for inner in nodes if inner.op == "null"]
        return [index for index, variable in enumerate(variables) if id(variable) in written]
    if operator is None or not operator.auxiliary:
        return []
    none: Sequence[str] = ()
    states = set(_of_operator(node, lambda operator: operator.states(node.attrs), none))
    return [index for index, (name, _entry) in enumerate(zip(input_names(node), node.inputs)) if name in states]


def count_outputs(node: Node) -> int:
    """Count its outputs, hidden ones included. Raises FormatError for wrong attributes."""
    if node.subgraphs and _operator(node) is None:
        declared = node.attrs.get("num_outputs")
        try:
            return len(node.subgraphs[0]) if declared is None else whole(declared)
        except ValueError as error:
            raise _damaged(node, error) from error
    if (node.op, node.attrs.get("act_type", node.attrs.get("ret_typ"))) in _OUTPUTS_BY_KIND or _keeps_places(node):
        return 2
    return _OUTPUTS.get(node.op) or _of_operator(node, lambda operator: len(operator.outputs(node.attrs)), 1)


def _of_operator(node: Node, ask: Callable[[Operator], T], unknown: T) -> T:
    """Ask the operator of ``node``; return ``unknown`` where there is no such operator, or none of that name in Python:
    the real MXNet has its own."""
    operator = _operator(node)
    try:
        return unknown if operator is None else ask(operator)
    except UnregisteredError:
        return unknown
    except ValueError as error:
        raise _damaged(node, error) from error


def _operator(node: Node) -> Operator | None:
    try:
        return operator_of(node)
    except ValueError as error:
        raise _damaged(node, error) from error


def _damaged(node: Node, error: ValueError) -> FormatError:
    return FormatError(f"this symbol file is damaged: {node.op} {node.name!r}: {error}.")


def _keeps_places(node: Node) -> bool:
    """Whether it is a pooling that also outputs the indices of the largest elements."""
    attrs = node.attrs
    if node.op != "Pooling" or "kernel" not in attrs:
        return False
    return attrs.get("pool_type", "max") == "max" and attrs.get("layout", "NCHW").endswith(("W", "None"))
