"""The graph pass: layers become operators of whole numbers, with quantize, requantize and dequantize nodes around them.

Nodes have the names and the attributes that MXNet's QuantizeGraph gives them. Unlike there, an output that is also read
by a float operator is dequantized once, and a pooling that has no quantized form stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from neuron_adapters.mxnet._graph import Entry, Node, output_names, walk
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.operators import find

Thresholds = Mapping[str, tuple[float, float]]

#: Operators whose outputs have names in MXNet, by which quantize nodes are called; outputs of the others have numbers.
_NAMED_OUTPUTS = {
    "Activation", "BatchNorm", "BatchNorm_v1", "BilinearSampler", "Concat", "Convolution", "Convolution_v1",
    "Correlation", "Crop", "Deconvolution", "Dropout", "FullyConnected", "GridGenerator", "GroupNorm",
    "InstanceNorm", "L2Normalization", "LRN", "LayerNorm", "LeakyReLU", "MakeLoss", "Pad", "Pooling", "Pooling_v1",
    "RNN", "ROIPooling", "SVMOutput", "SequenceLast", "SequenceMask", "SequenceReverse", "SliceChannel",
    "SoftmaxActivation", "SoftmaxOutput", "SpatialTransformer", "SwapAxis", "UpSampling",
    "_contrib_BatchNormWithReLU", "_contrib_DeformableConvolution", "_contrib_ModulatedDeformableConvolution",
    "_contrib_MultiBoxDetection", "_contrib_MultiBoxPrior", "_contrib_MultiProposal", "_contrib_PSROIPooling",
    "_contrib_Proposal", "_contrib_ROIAlign", "_contrib_RROIAlign", "_contrib_SyncBatchNorm",
    "_contrib_index_array", "_contrib_interleaved_matmul_encdec_qk", "_contrib_interleaved_matmul_encdec_valatt",
    "_contrib_interleaved_matmul_selfatt_qk", "_contrib_interleaved_matmul_selfatt_valatt", "_rnn_param_concat",
    "col2im", "elemwise_add", "im2col", "softmax", "softmin",
}  # fmt: skip


class _Rule(NamedTuple):
    """How one operator is quantized. ``must``: "smart" always quantizes it, the others only between two such.
    ``sums``: it gives sums of 32 bits, which are requantized. ``plain``: the inputs that stay as they are."""

    quantized: str
    must: bool = False
    sums: bool = False
    plain: frozenset[int] = frozenset()
    able: Callable[[Mapping[str, str]], bool] = lambda _attrs: True


_RULES = {
    "Convolution": _Rule("_contrib_quantized_conv", must=True, sums=True),
    "FullyConnected": _Rule("_contrib_quantized_fully_connected", must=True, sums=True),
    "Pooling": _Rule("_contrib_quantized_pooling", able=lambda attrs: attrs.get("pool_type", "max") in ("max", "avg")),
    "Activation": _Rule("_contrib_quantized_act", able=lambda attrs: attrs.get("act_type") == "relu"),
    "Flatten": _Rule("_contrib_quantized_flatten"),
    "Concat": _Rule("_contrib_quantized_concat", able=lambda attrs: int(attrs.get("dim", "1")) > 0),
    "BatchNorm": _Rule("_contrib_quantized_batch_norm", plain=frozenset({1, 2, 3, 4})),
    "Embedding": _Rule(
        "_contrib_quantized_embedding", plain=frozenset({0}),
        able=lambda attrs: attrs.get("dtype", "float32") == "float32",
    ),
    "elemwise_add": _Rule("_contrib_quantized_elemwise_add", sums=True),
    "elemwise_mul": _Rule("_contrib_quantized_elemwise_mul", sums=True),
}  # fmt: skip


class Quantized(NamedTuple):
    """A quantized graph, and what to calibrate it by: outputs of the float graph by the names of their layers."""

    heads: list[Entry]
    layers: dict[str, Entry]


def quantize(
    heads: Sequence[Entry],
    excluded_names: Collection[str] = (),
    excluded_operators: Collection[str] = (),
    offline: Collection[str] = (),
    dtype: str = "int8",
    mode: str = "smart",
) -> Quantized:
    """Return the quantized form of a graph.

    ``excluded_names``, ``excluded_operators``: nodes and kinds of nodes that stay as they are. ``offline``: variables
    whose quantized form is a variable, too. ``mode``: "full", or "smart", which leaves alone what no layer reads.
    """
    if mode not in ("smart", "full"):
        raise MXNetValueError(f'quantize_mode is "smart" or "full", got {mode!r}.')
    nodes = walk(heads)
    rules = {
        id(node): rule
        for node in nodes
        if node.name not in excluded_names and (rule := _rule_of(node, excluded_operators)) is not None
    }
    if mode == "smart":
        rules = _worthwhile(nodes, rules)
    builder = _Builder(rules, frozenset(offline), dtype)
    for node in nodes:
        builder.add(node)
    outputs = [builder.floats(entry) for entry in heads]
    return Quantized(outputs, builder.layers(outputs))


def set_thresholds(heads: Sequence[Entry], thresholds: Thresholds) -> list[Entry]:
    """Copy a quantized graph with ranges that were calibrated, by the names of the layers of the float graph."""
    copies: dict[int, Node] = {}
    for node in walk(heads):
        copy = node.taking([Entry(copies[id(source)], index) for source, index in node.inputs])
        copy.attrs = dict(node.attrs)
        source = _calibrated_by(node)
        limits = None if source is None else thresholds.get(_layer_name(source).removeprefix("quantized_"))
        if limits is not None:
            copy.attrs.update(min_calib_range=f"{limits[0]:f}", max_calib_range=f"{limits[1]:f}")
        copies[id(node)] = copy
    return [Entry(copies[id(node)], index) for node, index in heads]


def _rule_of(node: Node, excluded_operators: Collection[str]) -> _Rule | None:
    operator = None if node.op == "null" else find(node.op)
    if operator is None or {operator.name, node.op} & set(excluded_operators):
        return None
    rule = _RULES.get(operator.name)
    return rule if rule is not None and rule.able(node.attrs) else None


def _worthwhile(nodes: Sequence[Node], rules: Mapping[int, _Rule]) -> dict[int, _Rule]:
    """Keep the layers that must be quantized, and what is between two of them."""
    before: set[int] = set()
    after: set[int] = set()
    for node in reversed(nodes):  # each after all that read it
        if id(node) in rules and (rules[id(node)].must or id(node) in before):
            before.update(id(source) for source, _index in node.inputs)
    for node in nodes:
        rule = rules.get(id(node))
        if rule is not None and (rule.must or any(id(source) in after for source, _index in node.inputs)):
            after.add(id(node))
    return {place: rule for place, rule in rules.items() if rule.must or (place in before and place in after)}


class _Builder:
    """The new graph while it is built. Each node of the old one has a node of whole numbers, or a copy."""

    def __init__(self, rules: Mapping[int, _Rule], offline: frozenset[str], dtype: str) -> None:
        self._rules = rules
        self._offline = offline
        self._dtype = dtype
        self._nodes: dict[int, Node] = {}
        self._dequantized: dict[int, Node] = {}
        #: The quantized forms of float outputs: data and the two ends of its range.
        self._inputs: dict[tuple[int, int], list[Entry]] = {}
        #: The float outputs whose ranges nodes of the new graph want.
        self._sources: dict[int, Entry] = {}

    def add(self, node: Node) -> None:
        """Add the new form of ``node``, whose inputs were added before."""
        rule = self._rules.get(id(node))
        if rule is None:
            self._nodes[id(node)] = node.taking([self.floats(entry) for entry in node.inputs])
            return
        new = self._nodes[id(node)] = self._quantized_layer(node, rule)
        if _calibrated_by(new) is not None:
            self._sources[id(new)] = Entry(node)

    def floats(self, entry: Entry) -> Entry:
        """Return what stands for an output of the old graph, in floats."""
        node, index = entry
        if id(node) not in self._rules:
            return Entry(self._nodes[id(node)], index)
        if id(node) not in self._dequantized:
            self._dequantized[id(node)] = Node("_contrib_dequantize", f"{node.name}_dequantize", {}, self._parts(entry))
        return Entry(self._dequantized[id(node)])

    def layers(self, heads: Sequence[Entry]) -> dict[str, Entry]:
        """Return the float outputs whose ranges the nodes of the new graph want, by the names of the layers."""
        sources = [self._sources[id(node)] for node in walk(heads) if id(node) in self._sources]
        return {_layer_name(entry): entry for entry in sources}

    def _quantized_layer(self, node: Node, rule: _Rule) -> Node:
        data: list[Entry] = []
        ranges: list[Entry] = []
        for place, entry in enumerate(node.inputs):
            if place in rule.plain:
                data.append(self.floats(entry))
                continue
            whole, *ends = self._parts(entry) if id(entry.node) in self._rules else self._quantized_input(entry)
            data.append(whole)
            ranges += ends
        layer = Node(rule.quantized, f"quantized_{node.name}", dict(node.attrs), [*data, *ranges])
        if not rule.sums:
            return layer
        outputs = [Entry(layer, index) for index in range(3)]
        return Node("_contrib_requantize", f"requantize_{node.name}", {"out_type": self._dtype}, outputs)

    def _parts(self, entry: Entry) -> list[Entry]:
        """Return the whole numbers of a quantized layer, and the ends of their range."""
        return [Entry(self._nodes[id(entry.node)], index) for index in range(3)]

    def _quantized_input(self, entry: Entry) -> list[Entry]:
        key = (id(entry.node), entry.index)
        if key not in self._inputs:
            self._inputs[key] = self._quantize_float(entry)
        return self._inputs[key]

    def _quantize_float(self, entry: Entry) -> list[Entry]:
        node = entry.node
        if node.op == "null" and node.name in self._offline:
            return [Entry(Node("null", f"{node.name}_quantize{end}")) for end in ("", "_min", "_max")]
        suffix = "" if node.op == "null" else f"_{_own_output_name(entry)}"
        attrs = {"out_type": self._dtype}
        quantized = Node("_contrib_quantize_v2", f"{node.name}{suffix}_quantize", attrs, [self.floats(entry)])
        self._sources[id(quantized)] = entry
        return [Entry(quantized, index) for index in range(3)]


def _calibrated_by(node: Node) -> Entry | None:
    """Return the output in the quantized graph whose range ``node`` is given by calibration; None for other nodes."""
    if node.op in ("_contrib_quantize_v2", "_contrib_requantize"):
        return node.inputs[0]
    return Entry(node) if node.op == "_contrib_quantized_batch_norm" else None


def _layer_name(entry: Entry) -> str:
    """Return the name of an output, as executors show it to their callbacks."""
    node, index = entry
    if node.op == "null":
        return node.name
    names = output_names(node)
    return f"{node.name}_{names[index] if index < len(names) else f'output{index}'}"


def _own_output_name(entry: Entry) -> str:
    """Return the name of an output as MXNet's operator has it: a number where it has none."""
    node, index = entry
    operator, names = find(node.op), output_names(node)
    name = names[index] if index < len(names) else "output"
    named = operator is not None and operator.name in _NAMED_OUTPUTS
    return name if named or not name.startswith("output") else str(index)
