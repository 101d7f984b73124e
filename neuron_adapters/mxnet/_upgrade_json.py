"""Upgrades older symbol files, and says what files need to know of operators.

The upgrades are those of MXNet 1.9.1, and happen at the same versions.
"""

from __future__ import annotations

from collections.abc import Sequence

from neuron_adapters.files.bounded_json import whole
from neuron_adapters.mxnet._graph import VERSION, Entry, Node, walk
from neuron_adapters.mxnet._operator_lookup import find
from neuron_adapters.mxnet._signatures import own_name
from neuron_adapters.mxnet.base import FormatError

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
    "_contrib_SyncBatchNorm": 3,
    "_contrib_box_nms": 2,
    "sort": 2,
}

#: Operators and kinds of them that have two outputs.
_OUTPUTS_BY_KIND = {("LeakyReLU", "rrelu"), ("topk", "value")}


#: Most variables that are added where operators of the oldest files lack inputs.
MOST_ADDED = 1 << 16


def upgrade(nodes: list[Node], version: int) -> None:
    """Upgrade ``nodes`` of a file of ``version`` to MXNet 1.9.1, in place. Raises FormatError."""
    for node in nodes:
        node.op = own_name(node.op)
    if version >= VERSION:
        return
    left = MOST_ADDED
    for node in nodes:
        names = input_names(node)
        _move_hidden(node, names)
        if version < 900 and len(node.inputs) < len(names):
            left -= len(names) - len(node.inputs)
            if left < 0:
                raise FormatError(f"this symbol file is damaged: its operators lack more than {MOST_ADDED} inputs.")
            added = [variable_of(node, name) for name in names[len(node.inputs) :]]
            node.inputs += [Entry(variable) for variable in added]
        if version < 904:
            set_initial(node)
        if version < 905 and node.op in ("argmax", "argmin") and node.attrs.get("axis") == "-1":
            # In files before 0.9.5 it meant all axes, later the last.
            del node.attrs["axis"]


def variable_of(node: Node, name: str) -> Node:
    """The variable that is made where ``node`` gets nothing for its input ``name``. It has all the node's attributes,
    whether they are meant for it or not."""
    return Node("null", f"{node.name}_{name}", dict(node.attrs))


def set_initial(node: Node) -> None:
    """Set the attribute ``__init__`` of the variables that ``node`` wants initialized in its own way."""
    for index, how in INITIAL.get(node.op, {}).items():
        if index < len(node.inputs) and node.inputs[index].node.op == "null":
            node.inputs[index].node.attrs.setdefault("__init__", how)


def hidden(key: str) -> str:
    """The name that ``key`` has in files."""
    return f"__{key}__" if key in HIDDEN else key


def input_names(node: Node) -> Sequence[str]:
    """The names of its inputs, none where its operator is not known. Raises FormatError for wrong attributes."""
    operator = find(node.op)
    try:
        return () if operator is None else operator.inputs(node.attrs)
    except ValueError as error:
        raise FormatError(f"this symbol file is damaged: {node.op} {node.name!r}: {error}.") from error


def output_names(node: Node) -> Sequence[str]:
    """The names of its visible outputs, none where its operator is not known. Raises FormatError likewise."""
    operator = find(node.op)
    try:
        return () if operator is None else operator.outputs(node.attrs)
    except ValueError as error:
        raise FormatError(f"this symbol file is damaged: {node.op} {node.name!r}: {error}.") from error


def written_inputs(node: Node) -> list[int]:
    """The indices of its auxiliary states, which training writes to; files count the writes."""
    operator = find(node.op)
    if node.subgraphs:  # a compiled part: what its operators write to
        nodes = walk(node.subgraphs[0])
        written = {id(inner.inputs[index].node) for inner in nodes for index in written_inputs(inner)}
        variables = [inner for inner in nodes if inner.op == "null"]
        return [index for index, variable in enumerate(variables) if id(variable) in written]
    if operator is None or not operator.auxiliary:
        return []
    names = input_names(node)
    return [
        index for index, (name, _) in enumerate(zip(names, node.inputs, strict=False)) if name in operator.auxiliary
    ]


def count_outputs(node: Node) -> int:
    """The number of its outputs, those included that it does not show. Raises FormatError for wrong attributes."""
    try:
        return _count_outputs(node)
    except ValueError as error:
        raise FormatError(f"this symbol file is damaged: {node.op} {node.name!r}: {error}.") from error


def _count_outputs(node: Node) -> int:
    if node.subgraphs:
        return whole(node.attrs["num_outputs"]) if "num_outputs" in node.attrs else len(node.subgraphs[0])
    if (node.op, node.attrs.get("act_type", node.attrs.get("ret_typ"))) in _OUTPUTS_BY_KIND or _keeps_places(node):
        return 2
    operator = find(node.op)
    return _OUTPUTS.get(node.op) or (1 if operator is None else len(operator.outputs(node.attrs)))


def _keeps_places(node: Node) -> bool:
    """Whether it is a pooling that also outputs the indices of the largest elements."""
    attrs = node.attrs
    if node.op != "Pooling" or "kernel" not in attrs:
        return False
    return attrs.get("pool_type", "max") == "max" and attrs.get("layout", "NCHW").endswith(("W", "None"))


def _move_hidden(node: Node, names: Sequence[str]) -> None:
    places: dict[str, int] = {}
    for key, value in list(node.attrs.items()):
        if key in HIDDEN:
            node.attrs[hidden(key)] = node.attrs.pop(key)
            continue
        word = next((hidden_name for hidden_name in HIDDEN if key.endswith(f"_{hidden_name}")), "")
        places = places or ({name: index for index, name in enumerate(names)} if word else {})
        index = places.get(key[: -len(word) - 1]) if word else None
        if index is not None:
            # Older files say it of an input at the operator, newer ones at the variable.
            if index < len(node.inputs) and node.inputs[index].node.op == "null":
                node.inputs[index].node.attrs[hidden(word)] = value
            del node.attrs[key]
