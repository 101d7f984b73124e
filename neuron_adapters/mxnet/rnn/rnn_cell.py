"""Recurrent cells: what one step computes, and graphs of several steps. Nodes and weights have the names that MXNet's
have, so a graph fits the checkpoints of MXNet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neuron_adapters.mxnet import initializer, ndarray, symbol
from neuron_adapters.mxnet._training import Elsewhere, names_of
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.symbol import Symbol

__all__ = ["BaseRNNCell", "GRUCell", "LSTMCell", "RNNCell", "RNNParams"]

__getattr__: Elsewhere = names_of("neuron_adapters.mxnet.rnn", "mx.rnn.rnn_cell")

Arrays = dict[str, NDArray]
Inputs = Symbol | Sequence[Symbol]
Step = tuple[Symbol, list[Symbol]]
Activation = str | Callable[..., Symbol]


def arranged(length: int | None, inputs: Inputs, layout: str, merge: bool | None) -> tuple[Any, int]:
    """Return a sequence as one Symbol where ``merge``, as a list where it is False, as it is where None; also its axis
    of time. Raises MXNetValueError for another length."""
    axis = layout.find("T")
    if isinstance(inputs, Symbol):
        if merge is False:
            if len(inputs) != 1:
                raise MXNetValueError("unroll() takes one output as its inputs, or a list: list(inputs).")
            return list(symbol.split(inputs, axis=axis, num_outputs=length, squeeze_axis=1)), axis
        return inputs, axis
    steps = list(inputs)
    if length is not None and len(steps) != length:
        raise MXNetValueError(f"unroll({length}) takes an input for each step, got {len(steps)}.")
    if merge:
        return symbol.Concat(*(symbol.expand_dims(step, axis=axis) for step in steps), dim=axis), axis
    return steps, axis


class RNNParams:
    """The variables of cells that share weights: ``get`` returns the same one each time."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._params: dict[str, Symbol] = {}

    def get(self, name: str, **kwargs: Any) -> Symbol:
        """Return the variable called ``prefix`` and ``name``; a new one, made with ``kwargs``, where there is none."""
        full = self._prefix + name
        if full not in self._params:
            self._params[full] = symbol.Variable(full, **kwargs)
        return self._params[full]


class BaseRNNCell:
    """A cell: ``cell(inputs, states)`` adds one step to a graph, ``unroll`` several."""

    def __init__(self, prefix: str = "", params: RNNParams | None = None) -> None:
        self._own_params = params is None
        self._prefix = prefix
        self._params = RNNParams(prefix) if params is None else params
        #: Whether another cell changes what this one does, and is to be called instead.
        self._modified = False
        self._num_hidden = 0
        self.reset()

    def reset(self) -> None:
        """Count steps from 0 again, before the cell makes another graph."""
        self._init_counter = self._counter = -1

    def __call__(self, inputs: Any, states: Any) -> Any:
        """Add one step: its output and the new states."""
        raise NotImplementedError(f"{type(self).__name__} takes no single steps: unroll() it")

    @property
    def params(self) -> RNNParams:
        """The variables."""
        return self._params

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """Shape and layout of each state; the batch is 0."""
        raise NotImplementedError

    @property
    def state_shape(self) -> list[tuple[int, ...]]:
        """The shape of each state."""
        return [info["shape"] for info in self.state_info]

    @property
    def _gate_names(self) -> Sequence[str]:
        return ()

    def _step_name(self) -> str:
        self._counter += 1
        return f"{self._prefix}t{self._counter}_"

    def _require_unmodified(self) -> None:
        if self._modified:
            raise MXNetError(f"{type(self).__name__} belongs to a cell that modifies it: call that one.")

    def begin_state(self, func: Callable[..., Symbol] = symbol.zeros, **kwargs: Any) -> list[Symbol]:
        """Return the first states: ``func(name=..., shape=..., **kwargs)`` for each. ``mx.sym.Variable`` makes them
        inputs."""
        self._require_unmodified()
        states = []
        for info in self.state_info:
            self._init_counter += 1
            name = f"{self._prefix}begin_state_{self._init_counter}"
            states.append(func(name=name, **{**kwargs, **(info or {})}))
        return states

    def unpack_weights(self, args: Mapping[str, NDArray]) -> Arrays:
        """Return the arrays with those of this cell divided by gates."""
        unpacked = dict(args)
        for name in self._packed():
            array = unpacked.pop(self._prefix + "_".join(name))
            for place, gate in enumerate(self._gate_names):
                part = array[place * self._num_hidden : (place + 1) * self._num_hidden].copy()
                unpacked[f"{self._prefix}{name[0]}{gate}_{name[1]}"] = part
        return unpacked

    def pack_weights(self, args: Mapping[str, NDArray]) -> Arrays:
        """Return the arrays with those of this cell joined: what ``unpack_weights`` divides."""
        packed = dict(args)
        for name in self._packed():
            parts = [packed.pop(f"{self._prefix}{name[0]}{gate}_{name[1]}") for gate in self._gate_names]
            packed[self._prefix + "_".join(name)] = ndarray.concatenate(parts)
        return packed

    def _packed(self) -> list[tuple[str, str]]:
        if not self._gate_names:
            return []
        return [(group, kind) for group in ("i2h", "h2h") for kind in ("weight", "bias")]

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, list[Symbol]]:
        """Add ``length`` steps; return the outputs and the last states.

        ``inputs``: a Symbol in ``layout``, or a list with one for each step. ``merge_outputs``: True gives one Symbol,
        False a list, None what is at hand.
        """
        self.reset()
        steps, _axis = arranged(length, inputs, layout, merge=False)
        states = self.begin_state() if begin_state is None else begin_state
        outputs = []
        for step in steps:
            output, states = self(step, states)
            outputs.append(output)
        return arranged(length, outputs, layout, merge_outputs)[0], states

    def _get_activation(self, inputs: Symbol, activation: Activation, **kwargs: Any) -> Symbol:
        if isinstance(activation, str):
            return symbol.Activation(inputs, act_type=activation, **kwargs)
        return activation(inputs, **kwargs)

    def _dense(self, name: str, inputs: Symbol, group: str, gates: int) -> Symbol:
        """Add what the inputs, or the states, contribute."""
        weight, bias = (self.params.get(f"{group}_{kind}") for kind in ("weight", "bias"))
        return symbol.FullyConnected(
            data=inputs, weight=weight, bias=bias, num_hidden=gates * self._num_hidden, name=name
        )


class RNNCell(BaseRNNCell):
    """The plain cell: an activation of what inputs and state contribute."""

    def __init__(
        self, num_hidden: int, activation: Activation = "tanh", prefix: str = "rnn_", params: RNNParams | None = None
    ) -> None:
        super().__init__(prefix, params)
        self._num_hidden, self._activation = num_hidden, activation
        for name in ("i2h_weight", "i2h_bias", "h2h_weight", "h2h_bias"):
            self.params.get(name)

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """See the base."""
        return [{"shape": (0, self._num_hidden), "__layout__": "NC"}]

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("",)

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> Step:
        """See the base."""
        name = self._step_name()
        both = self._dense(f"{name}i2h", inputs, "i2h", 1) + self._dense(f"{name}h2h", states[0], "h2h", 1)
        output = self._get_activation(both, self._activation, name=f"{name}out")
        return output, [output]


class LSTMCell(BaseRNNCell):
    """Long short-term memory. ``forget_bias``: the first value of the forget gates' bias."""

    def __init__(
        self, num_hidden: int, prefix: str = "lstm_", params: RNNParams | None = None, forget_bias: float = 1.0
    ) -> None:
        super().__init__(prefix, params)
        self._num_hidden = num_hidden
        self.params.get("i2h_weight")
        self.params.get("h2h_weight")
        self.params.get("i2h_bias", init=initializer.LSTMBias(forget_bias=forget_bias))
        self.params.get("h2h_bias")

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """See the base."""
        return [{"shape": (0, self._num_hidden), "__layout__": "NC"}] * 2

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_i", "_f", "_c", "_o")

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> Step:
        """See the base."""
        name = self._step_name()
        gates = self._dense(f"{name}i2h", inputs, "i2h", 4) + self._dense(f"{name}h2h", states[0], "h2h", 4)
        return lstm_step(name, symbol.SliceChannel(gates, num_outputs=4, name=f"{name}slice"), states[1], self._tanh)

    def _tanh(self, inputs: Symbol, **kwargs: Any) -> Symbol:
        return self._get_activation(inputs, "tanh", **kwargs)


def lstm_step(name: str, gates: Symbol, cell: Symbol, activation: Callable[..., Symbol]) -> Step:
    """Add the rest of a step of long short-term memory. ``gates``: input, forget, new and output."""
    entering = symbol.Activation(gates[0], act_type="sigmoid", name=f"{name}i")
    kept = symbol.Activation(gates[1], act_type="sigmoid", name=f"{name}f")
    new = activation(gates[2], name=f"{name}c")
    leaving = symbol.Activation(gates[3], act_type="sigmoid", name=f"{name}o")
    state = symbol.elemwise_add(kept * cell, entering * new, name=f"{name}state")
    output = symbol.elemwise_mul(leaving, activation(state), name=f"{name}out")
    return output, [output, state]


class GRUCell(BaseRNNCell):
    """A gated recurrent unit, as cuDNN has it."""

    def __init__(self, num_hidden: int, prefix: str = "gru_", params: RNNParams | None = None) -> None:
        super().__init__(prefix, params)
        self._num_hidden = num_hidden
        for name in ("i2h_weight", "i2h_bias", "h2h_weight", "h2h_bias"):
            self.params.get(name)

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """See the base."""
        return [{"shape": (0, self._num_hidden), "__layout__": "NC"}]

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_r", "_z", "_o")

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> Step:
        """See the base."""
        name = self._step_name()
        i2h, h2h = self._dense(f"{name}_i2h", inputs, "i2h", 3), self._dense(f"{name}_h2h", states[0], "h2h", 3)
        return gru_step(
            name, i2h, h2h, states[0], lambda both, **named: symbol.Activation(both, act_type="tanh", **named)
        )


def gru_step(name: str, i2h: Symbol, h2h: Symbol, state: Symbol, activation: Callable[..., Symbol]) -> Step:
    """Add the rest of a step of a gated recurrent unit. ``i2h``, ``h2h``: reset, update and new."""
    entering = symbol.SliceChannel(i2h, num_outputs=3, name=f"{name}_i2h_slice")
    kept = symbol.SliceChannel(h2h, num_outputs=3, name=f"{name}_h2h_slice")
    reset = symbol.Activation(entering[0] + kept[0], act_type="sigmoid", name=f"{name}_r_act")
    update = symbol.Activation(entering[1] + kept[1], act_type="sigmoid", name=f"{name}_z_act")
    new = activation(entering[2] + reset * kept[2], name=f"{name}_h_act")
    output = symbol.elemwise_add((1.0 - update) * new, update * state, name=f"{name}out")
    return output, [output]
