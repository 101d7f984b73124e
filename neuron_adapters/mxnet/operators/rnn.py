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
        for name in ("lstm_state_clip_min", "lstm_state_clip_max"):
            at.only(name, "None", "MXNet itself clips states on GPUs only; on CPUs it leaves them as they are")
        self.projection = at.integer("projection_size", 0)
        if self.projection and self.mode != "lstm":
            raise ValueError("attribute projection_size is for mode lstm: others have no projection")
        self.out = self.projection or self.hidden
        """The width of what a layer gives in each direction, and of its first state."""

    def width(self, layer: int, data: int) -> int:
        """Return the input width of a layer."""
        return data if layer == 0 else self.out * self.ways

    def parameters(self, data: int) -> int:
        """Count the parameters."""
        wide = sum(self.width(layer, data) + self.out + 2 for layer in range(self.layers))
        return self.ways * (wide * self.gates * self.hidden + self.layers * self.projection * self.hidden)


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
    state, cell = ((form.layers * form.ways, batch, size) for size in (form.out, form.hidden))
    if width:
        ins[1] = unify(ins[1], (form.parameters(width),), "parameters")
    for place, name in enumerate(_inputs(at)):
        if name.startswith("state"):
            ins[place] = unify(ins[place], cell if name == "state_cell" else state, name)
    outputs = [(length, batch, form.out * form.ways), state, cell]
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
        current = [state[layer] for state in first]
        if form.projection:
            results = _projected(to, form, value, next(weights), current, length)
        else:
            results = _layer(to, form, [value, *next(weights), None, *current])
        value = to.reshape(to.transpose(results[0], [0, 2, 1, 3]), [length, batch, form.out * form.ways])
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


def _projected(
    to: Builder, form: _Form, value: Value, weights: list[Value], states: list[Value], length: int
) -> list[Value]:
    """Unroll a layer of LSTM whose output is projected, which neither ONNX nor the engine has as a whole."""
    ones = [1] * form.ways
    per_way = zip(*(to.split(weight, 0, ones) for weight in weights), *(to.split(state, 0, ones) for state in states))
    ways, hiddens, cells = [], [], []
    for way, (weight, recurrent, bias, projection, hidden, cell) in enumerate(per_way):
        across, back, narrow = (to.transpose(matrix, [0, 2, 1]) for matrix in (weight, recurrent, projection))
        bias = to.Add(*to.split(bias, 1, [form.gates * form.hidden] * 2))  # noqa: PLW2901 - both add up
        rows = to.split(to.Add(to.MatMul(value, across), bias), 0, [1] * length)
        steps = []
        for row in rows[:: 1 - 2 * way]:
            gates = to.split(to.Add(row, to.MatMul(hidden, back)), 2, [form.hidden] * 4)
            out, *kept = (to.Sigmoid(gates[place]) for place in (1, 0, 2))  # ONNX's order: i o f c
            cell = to.Add(to.Mul(kept[1], cell), to.Mul(kept[0], to.Tanh(gates[3])))  # noqa: PLW2901
            hidden = to.MatMul(to.Mul(out, to.Tanh(cell)), narrow)  # noqa: PLW2901
            steps.append(hidden)
        ways.append(to.unsqueeze(to.Concat(*steps[:: 1 - 2 * way], axis=0), 1))
        hiddens.append(hidden)
        cells.append(cell)
    return [to.Concat(*each, axis=axis) for each, axis in ((ways, 1), (hiddens, 0), (cells, 0))]


def _weights(to: Builder, form: _Form, parameters: Tensor, width: int) -> Iterator[list[Value]]:
    """Yield for each layer the weights of its input and of its state, the biases, and the projections, if it has some.
    In the vector all weights come first, layer by layer and in each direction by direction; then all biases."""
    rows, kinds = form.gates * form.hidden, 3 if form.projection else 2
    sizes = []
    for layer in range(form.layers):
        sizes += [rows * form.width(layer, width), rows * form.out, form.projection * form.hidden][:kinds] * form.ways
    sizes += [rows, rows] * (form.layers * form.ways)
    parts = to.split(parameters, 0, sizes)
    biases = parts[kinds * form.layers * form.ways :]
    for layer in range(form.layers):
        weights = parts[kinds * layer * form.ways : kinds * (layer + 1) * form.ways]
        offsets = biases[2 * layer * form.ways : 2 * (layer + 1) * form.ways]
        ins = [_ordered(to, form, gate, [-1, form.width(layer, width)]) for gate in weights[::kinds]]
        outs = [_ordered(to, form, gate, [-1, form.out]) for gate in weights[1::kinds]]
        both = [to.Concat(*(_ordered(to, form, offset, [-1]) for offset in offsets[at : at + 2]), axis=0)
                for at in range(0, 2 * form.ways, 2)]  # fmt: skip
        last = [to.reshape(part, [form.projection, form.hidden]) for part in weights[2::3]] if form.projection else []
        each_way = [ins, outs, both, last] if last else [ins, outs, both]
        yield [to.Concat(*(to.unsqueeze(weight, 0) for weight in each), axis=0) for each in each_way]


def _ordered(to: Builder, form: _Form, value: Value, shape: list[int]) -> Value:
    """Reorder the gates as ONNX has them."""
    gates = to.reshape(value, [form.gates, form.hidden, *shape[1:]])
    return to.reshape(to.Gather(gates, to.constant(_ORDER[form.mode]), axis=0), shape)
