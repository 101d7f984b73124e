"""The RNN operator: layers of LSTM, GRU or plain cells, all their parameters in one vector."""

from __future__ import annotations

from collections.abc import Iterator

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shapes, unify

_GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}
#: ONNX's order of the gates, by their places in MXNet's (i f c o to i o f c; r z n to z r n).
_ORDER = {"rnn_relu": [0], "rnn_tanh": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}


class _Form:
    """The attributes, and the sizes that follow."""

    def __init__(self, at: Attributes) -> None:
        self.mode = at.choice("mode", tuple(_GATES))
        self.gates = _GATES[self.mode]
        self.hidden, self.layers = at.integer("state_size"), at.integer("num_layers")
        self.ways = 2 if at.flag("bidirectional", default=False) else 1
        self.states = at.flag("state_outputs", default=False)
        if at.flag("use_sequence_length", default=False):
            raise ValueError("attribute use_sequence_length must be False: MXNet itself has lengths on GPUs only")
        for name in ("projection_size", "lstm_state_clip_min", "lstm_state_clip_max"):
            at.only(name, "None", "projections and clipped states are not supported")

    def width(self, layer: int, data: int) -> int:
        """Return the input width of a layer."""
        return data if layer == 0 else self.hidden * self.ways

    def parameters(self, data: int) -> int:
        """Count the parameters."""
        wide = sum(self.width(layer, data) + self.hidden + 2 for layer in range(self.layers))
        return wide * self.ways * self.gates * self.hidden


def _inputs(at: Attributes) -> list[str]:
    form = _Form(at)
    return ["data", "parameters", "state"] + ["state_cell"] * (form.mode == "lstm")


def _outputs(at: Attributes) -> list[str]:
    form = _Form(at)
    return ["output"] + (["state_output"] + ["statecell_output"] * (form.mode == "lstm") if form.states else [])


def _shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    form = _Form(at)
    data = ins[0]
    if data is None:
        return ins, outs
    if len(data) != 3:
        raise ValueError("data must be (length, batch, width)")
    length, batch, width = data
    state = (form.layers * form.ways, batch, form.hidden)
    if width:
        ins[1] = unify(ins[1], (form.parameters(width),), "parameters")
    for place, name in enumerate(_inputs(at)):
        if name.startswith("state"):
            ins[place] = unify(ins[place], state, name)
    outputs = [(length, batch, form.hidden * form.ways), state, state]
    return ins, [unify(out, shape, "output") for out, shape in zip(outs, outputs)]


@operator("RNN", inputs=_inputs, outputs=_outputs, shapes=_shapes)
def _rnn(to: Builder, at: Attributes, data: Tensor, parameters: Tensor, *states: Tensor) -> list[Value]:
    form = _Form(at)
    length, batch, width = data.shape
    weights = _weights(to, form, parameters, width)
    first = [to.split(state, 0, [form.ways] * form.layers) for state in states]
    value: Value = data
    finals: list[list[Value]] = []
    for layer in range(form.layers):
        taken = [value, *next(weights), None, *(state[layer] for state in first)]
        results = _layer(to, form, taken)
        value = to.reshape(to.transpose(results[0], [0, 2, 1, 3]), [length, batch, form.hidden * form.ways])
        finals.append(results[1:])
    if not form.states:
        return [value]
    return [value, *(to.Concat(*state, axis=0) if form.layers > 1 else state[0] for state in zip(*finals))]


def _layer(to: Builder, form: _Form, taken: list[Value | None]) -> list[Value]:
    how = {"hidden_size": form.hidden, "direction": "bidirectional" if form.ways == 2 else "forward"}
    if form.mode == "lstm":
        return to.node("LSTM", 3, *taken, **how)
    if form.mode == "gru":
        return to.node("GRU", 2, *taken, linear_before_reset=1, **how)
    kind = "Relu" if form.mode == "rnn_relu" else "Tanh"
    return to.node("RNN", 2, *taken, activations=[kind] * form.ways, **how)


def _weights(to: Builder, form: _Form, parameters: Tensor, width: int) -> Iterator[list[Value]]:
    """Yield for each layer the weights of its input and of its state, and the biases. In the vector all weights come
    first, layer by layer and in each direction by direction; then all biases."""
    rows = form.gates * form.hidden
    sizes = []
    for layer in range(form.layers):
        sizes += [rows * form.width(layer, width), rows * form.hidden] * form.ways
    sizes += [rows, rows] * (form.layers * form.ways)
    parts = to.split(parameters, 0, sizes)
    biases = parts[2 * form.layers * form.ways :]
    for layer in range(form.layers):
        at = 2 * layer * form.ways
        weights, offsets = parts[at : at + 2 * form.ways], biases[at : at + 2 * form.ways]
        ins = [_ordered(to, form, gate, [-1, form.width(layer, width)]) for gate in weights[::2]]
        outs = [_ordered(to, form, gate, [-1, form.hidden]) for gate in weights[1::2]]
        both = [to.Concat(*(_ordered(to, form, offset, [-1]) for offset in offsets[at : at + 2]), axis=0)
                for at in range(0, 2 * form.ways, 2)]  # fmt: skip
        yield [to.Concat(*(to.unsqueeze(weight, 0) for weight in each), axis=0) for each in (ins, outs, both)]


def _ordered(to: Builder, form: _Form, value: Value, shape: list[int]) -> Value:
    """Reorder the gates as ONNX has them."""
    gates = to.reshape(value, [form.gates, form.hidden, *shape[1:]])
    return to.reshape(to.Gather(gates, to.constant(_ORDER[form.mode]), axis=0), shape)
