"""Recurrent layers: MXNet's RNN, whose weights are one vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuron_adapters.mxnet.onnx._call import Call
from neuron_adapters.mxnet.onnx._operators import sym
from neuron_adapters.mxnet.onnx.conversions._registry import converts
from neuron_adapters.mxnet.symbol import Symbol

Array = np.ndarray[Any, Any]

#: MXNet's order of the gates, by their places in ONNX's (i o f c to i f c o; z r h to r z h).
_ORDER = {"LSTM": [0, 2, 3, 1], "GRU": [1, 0, 2], "RNN": [0]}
_ACTIVATIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}


@converts("LSTM", "GRU", "RNN")
def _recurrent(call: Call) -> list[Symbol]:
    direction = call.attribute("direction", "forward")
    ways = 2 if direction == "bidirectional" else 1
    mode = _mode(call, ways)
    hidden = call.attribute("hidden_size") or call.size(2, 2)
    batch_first = bool(call.attribute("layout", 0))
    x = call.tensor(0)
    if batch_first:
        x = sym.swapaxes(x, dim1=0, dim2=1)
    if direction == "reverse":
        x = sym.reverse(x, axis=0)
    states = [_state(call, x, place, ways, hidden, batch_first=batch_first) for place in (5, 6)[: 1 + (mode == "lstm")]]
    layer = sym.RNN(
        x,
        call.parameter(_parameters(call, ways), "parameters"),
        *states,
        mode=mode,
        state_size=hidden,
        num_layers=1,
        bidirectional=ways == 2,
        state_outputs=True,
        name=call.name,
    )
    # (length, batch, ways x hidden) becomes ONNX's (length, ways, batch, hidden).
    y = layer[0]
    if direction == "reverse":
        y = sym.reverse(y, axis=0)
    y = sym.reshape(y, shape=(0, 0, -4, ways, hidden))
    finals = [layer[place] for place in range(1, 1 + len(states))]
    if batch_first:
        return [sym.transpose(y, axes=(1, 0, 2, 3)), *(sym.swapaxes(final, dim1=0, dim2=1) for final in finals)]
    return [sym.transpose(y, axes=(0, 2, 1, 3)), *finals]


def _mode(call: Call, ways: int) -> str:
    """Return MXNet's word for the cell. Refuses cells that it lacks."""
    activations = [word.decode() if isinstance(word, bytes) else word for word in call.attribute("activations", [])]
    first = activations[: len(activations) // ways] if activations else []
    lengths = call.known(4)
    if call.has_input(4) and (lengths is None or np.any(lengths != call.shape(0)[call.attribute("layout", 0)])):
        call.refuse(
            "sequences of several lengths have no counterpart in MXNet: export the model without sequence_lens."
        )
    if call.has_input(7):
        call.refuse("peepholes have no counterpart in MXNet: replace the layer.")
    if call.has_attribute("clip") or call.attribute("input_forget", 0):
        call.refuse("clip and input_forget have no counterpart in MXNet: replace the layer.")
    if activations != first * ways:
        call.refuse(f"directions with activations of their own ({activations}) have no counterpart in MXNet.")
    if call.op == "RNN":
        kind = first[0] if first else "Tanh"
        if kind not in ("Tanh", "Relu"):
            call.refuse(f"the activation {kind} has no counterpart in MXNet, which has Tanh and Relu.")
        return f"rnn_{kind.lower()}"
    if first and first != _ACTIVATIONS[call.op]:
        call.refuse(f"the activations {first} have no counterpart in MXNet, which has {_ACTIVATIONS[call.op]}.")
    if call.op == "GRU" and not call.attribute("linear_before_reset", 0):
        call.refuse(
            "linear_before_reset=0 has no counterpart in MXNet, whose cells reset behind the product: export the layer "
            "with linear_before_reset=1 (Keras: reset_after=True)."
        )
    return call.op.lower()


def _parameters(call: Call, ways: int) -> Array:
    """Return all weights, direction by direction, then all biases: input's, then state's."""
    weights, states = call.constant(1, "weights"), call.constant(2, "recurrent weights")
    rows = weights.shape[1]
    biases = call.constant(3, "biases") if call.has_input(3) else np.zeros((ways, 2 * rows), weights.dtype)
    parts: list[Array] = []
    for way in range(ways):
        parts += [_ordered(call.op, weights[way]), _ordered(call.op, states[way])]
    for way in range(ways):
        parts += [_ordered(call.op, biases[way, :rows]), _ordered(call.op, biases[way, rows:])]
    return np.concatenate([part.reshape(-1) for part in parts])


def _ordered(op: str, array: Array) -> Array:
    order = _ORDER[op]
    gates = array.reshape(len(order), -1, *array.shape[1:])
    return gates[order].reshape(array.shape)


def _state(call: Call, x: Symbol, place: int, ways: int, hidden: int, *, batch_first: bool) -> Symbol:
    """Return the first state (ways, batch, hidden): zeros where it is not given."""
    if call.has_input(place):
        state = call.tensor(place)
        return sym.swapaxes(state, dim1=0, dim2=1) if batch_first else state
    corner = sym.slice_axis(sym.slice_axis(x, axis=0, begin=0, end=1), axis=2, begin=0, end=1)
    return sym.broadcast_axis(sym.zeros_like(corner), axis=(0, 2), size=(ways, hidden))
