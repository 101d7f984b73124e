"""What older symbol files mean today, and what operators are to a symbol file.

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

#: How operators want some of their variables to begin: by the place among the inputs.
INITIAL = {
    "BatchNorm": {3: '["zero", {}]', 4: '["one", {}]'},
    "BatchNorm_v1": {3: '["zero", {}]', 4: '["one", {}]'},
    "_contrib_SyncBatchNorm": {3: '["zero", {}]', 4: '["one", {}]'},
    "_contrib_BatchNormWithReLU": {3: '["zero", {}]', 4: '["one", {}]'},
    "UpSampling": {1: '["bilinear", {}]'},
    "LeakyReLU": {1: '["Constant", {"value": 0.25}]'},
}

#: Outputs of operators that have more than they show: means, masks and work space.
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

#: Operators and kinds of them that have a second output.
_OUTPUTS_BY_KIND = {("LeakyReLU", "rrelu"), ("topk", "value")}


#: Variables that are made where operators of the oldest files lack inputs.
MOST_ADDED = 1 << 16


def upgrade(nodes: list[Node], version: int) -> None:
    """Make of ``nodes``, as they were in a file of ``version``, what they are in one of today. In place. Raises
    FormatError."""
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
            node.inputs += [Entry(one) for one in added]
        if version < 904:
            set_initial(node)
        if version < 905 and node.op in ("argmax", "argmin") and node.attrs.get("axis") == "-1":
            # It once meant all axes, and came to mean the last.
            del node.attrs["axis"]


def variable_of(node: Node, name: str) -> Node:
    """The variable that is made where ``node`` gets nothing for its input ``name``. It has all the node's attributes,
    whoever they are meant for."""
    return Node("null", f"{node.name}_{name}", dict(node.attrs))


def set_initial(node: Node) -> None:
    """Let the variables that ``node`` takes know how it wants them to begin."""
    for index, how in INITIAL.get(node.op, {}).items():
        if index < len(node.inputs) and node.inputs[index].node.op == "null":
            node.inputs[index].node.attrs.setdefault("__init__", how)


def hidden(key: str) -> str:
    """``key``, as it is saved."""
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
    """The places of its auxiliary states, which training writes to; files count the writes."""
    operator = find(node.op)
    if node.subgraphs:  # a compiled part: what its operators write to
        nodes = walk(node.subgraphs[0])
        written = {id(one.inputs[index].node) for one in nodes for index in written_inputs(one)}
        variables = [one for one in nodes if one.op == "null"]
        return [index for index, one in enumerate(variables) if id(one) in written]
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
    """Whether it is a pooling that keeps where its largest elements were."""
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
        word = next((one for one in HIDDEN if key.endswith(f"_{one}")), "")
        places = places or ({name: index for index, name in enumerate(names)} if word else {})
        index = places.get(key[: -len(word) - 1]) if word else None
        if index is not None:
            # Once said of an input at the operator, today at the variable itself.
            if index < len(node.inputs) and node.inputs[index].node.op == "null":
                node.inputs[index].node.attrs[hidden(word)] = value
            del node.attrs[key]
