"""The base of recurrent cells, and the three cells with weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.gluon.block import Block, HybridBlock
from neuron_adapters.mxnet.gluon.nn import LeakyReLU
from neuron_adapters.mxnet.gluon.parameter import tensor_types
from neuron_adapters.mxnet.gluon.rnn._sequences import as_steps, last_states, masked

__all__ = ["GRUCell", "HybridRecurrentCell", "LSTMCell", "RNNCell", "RecurrentCell"]

Info = dict[str, Any]


class RecurrentCell(Block):
    """A cell: ``output, states = cell(input, states)``, and ``unroll`` for all steps of a sequence."""

    def __init__(self, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
        self._modified = False
        self.reset()

    def reset(self) -> None:
        """Count steps, which name what is made in graphs, from 0 again."""
        self._init_counter = -1
        self._counter = -1
        for cell in self._children.values():
            if isinstance(cell, RecurrentCell):
                cell.reset()

    def state_info(self, batch_size: int = 0) -> list[Info]:
        """Return shape and layout of each state."""
        raise NotImplementedError(f"{type(self).__name__}.state_info()")

    def begin_state(self, batch_size: int = 0, func: Callable[..., Any] = ndarray.zeros, **kwargs: Any) -> list[Any]:
        """Return the first states, made by ``func(name=..., shape=...)``. Raises MXNetError for a modified cell."""
        self._require_own()
        states = []
        for info in self.state_info(batch_size):
            self._init_counter += 1
            states.append(func(name=f"{self._prefix}begin_state_{self._init_counter}", **{**(info or {}), **kwargs}))
        return states

    def _require_own(self) -> None:
        if self._modified:
            raise MXNetError(
                f"{self.name} is inside a modifier cell, such as ZoneoutCell: call begin_state() of that instead."
            )

    def _first_states(self, F: Any, begin_state: Any, inputs: Any, batch_size: int) -> Any:
        if begin_state is not None:
            return begin_state
        if F is not ndarray:
            return self.begin_state(func=F.zeros, batch_size=batch_size)
        first: Any = inputs if isinstance(inputs, tensor_types) else inputs[0]
        with first.context:
            return self.begin_state(func=F.zeros, batch_size=batch_size)

    def unroll(
        self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
        merge_outputs: bool | None = None, valid_length: Any = None,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Return the outputs of all steps, and the last states. ``merge_outputs``: one array or symbol, or, False, a
        list; ``valid_length``: how many steps each sample has, what comes after is 0."""
        self.reset()
        steps, axis, F, batch_size = as_steps(length, inputs, layout, False)
        states = self._first_states(F, begin_state, steps, batch_size)
        outputs: Any = []
        seen = []
        for step in range(length):
            output, states = self(steps[step], states)
            outputs.append(output)
            seen.append(states)
        if valid_length is not None:
            states = last_states(F, seen, valid_length)
            outputs = masked(F, outputs, length, valid_length, axis, True)
        return as_steps(length, outputs, layout, merge_outputs).data, states

    def _get_activation(self, F: Any, inputs: Any, activation: Any, **kwargs: Any) -> Any:
        if activation in ("tanh", "relu", "sigmoid", "softsign"):
            return getattr(F, activation)(inputs, **kwargs)
        if isinstance(activation, str):
            return F.Activation(inputs, act_type=activation, **kwargs)
        if isinstance(activation, LeakyReLU):
            return F.LeakyReLU(inputs, act_type="leaky", slope=activation._alpha, **kwargs)
        return activation(inputs, **kwargs)

    def forward(self, inputs: Any, states: Any) -> Any:
        """Compute one step."""
        self._counter += 1
        return super().forward(inputs, states)


class HybridRecurrentCell(RecurrentCell, HybridBlock):
    """A cell that may be hybridized."""


class _Gated(HybridRecurrentCell):
    """A cell with weights for its input and for its state, of ``_gates`` gates each."""

    _gates = 1
    _states = 1

    def __init__(
        self,
        hidden_size: int,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._hidden_size, self._input_size = hidden_size, input_size
        rows = self._gates * hidden_size
        shapes: dict[str, tuple[tuple[int, ...], Any]] = {
            "i2h_weight": ((rows, input_size), i2h_weight_initializer),
            "h2h_weight": ((rows, hidden_size), h2h_weight_initializer),
            "i2h_bias": ((rows,), i2h_bias_initializer),
            "h2h_bias": ((rows,), h2h_bias_initializer),
        }
        for name, (shape, init) in shapes.items():
            setattr(self, name, self.params.get(name, shape=shape, init=init, allow_deferred_init=True))

    def state_info(self, batch_size: int = 0) -> list[Info]:
        """Return shape and layout of each state."""
        return [{"shape": (batch_size, self._hidden_size), "__layout__": "NC"} for _ in range(self._states)]

    def _both(self, F: Any, inputs: Any, state: Any, weights: Any) -> tuple[str, Any, Any]:
        """Return what the names of this step begin with, and the two products."""
        start, rows = f"t{self._counter}_", self._gates * self._hidden_size
        i2h_weight, h2h_weight, i2h_bias, h2h_bias = weights
        return (
            start,
            F.FullyConnected(data=inputs, weight=i2h_weight, bias=i2h_bias, num_hidden=rows, name=f"{start}i2h"),
            F.FullyConnected(data=state, weight=h2h_weight, bias=h2h_bias, num_hidden=rows, name=f"{start}h2h"),
        )

    def __repr__(self) -> str:
        shape = self._reg_params["i2h_weight"].shape or (0, 0)
        activation = f", {self._activation}" if type(self) is RNNCell else ""
        return f"{type(self).__name__}({shape[1] or None} -> {shape[0]}{activation})"

    _activation: Any = "tanh"


class RNNCell(_Gated):
    """``activation(W x + b + V h + c)``."""

    def __init__(
        self,
        hidden_size: int,
        activation: Any = "tanh",
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(
            hidden_size, i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer,
            input_size, prefix, params,
        )  # fmt: skip
        self._activation = activation

    def _alias(self) -> str:
        return "rnn"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> Any:
        """Compute one step."""
        start, i2h, h2h = self._both(F, inputs, states[0], (i2h_weight, h2h_weight, i2h_bias, h2h_bias))
        both = F.elemwise_add(i2h, h2h, name=f"{start}plus0")
        output = self._get_activation(F, both, self._activation, name=f"{start}out")
        return output, [output]


class LSTMCell(_Gated):
    """Long short-term memory."""

    _gates = 4
    _states = 2

    def __init__(
        self,
        hidden_size: int,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: Any = None,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
    ) -> None:
        super().__init__(
            hidden_size, i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer,
            input_size, prefix, params,
        )  # fmt: skip
        self._activation, self._recurrent_activation = activation, recurrent_activation

    def _alias(self) -> str:
        return "lstm"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> Any:
        """Compute one step."""
        start, i2h, h2h = self._both(F, inputs, states[0], (i2h_weight, h2h_weight, i2h_bias, h2h_bias))
        gates = F.SliceChannel(F.elemwise_add(i2h, h2h, name=f"{start}plus0"), num_outputs=4, name=f"{start}slice")
        gate, inner = self._recurrent_activation, self._activation
        let_in = self._get_activation(F, gates[0], gate, name=f"{start}i")
        keep = self._get_activation(F, gates[1], gate, name=f"{start}f")
        new = self._get_activation(F, gates[2], inner, name=f"{start}c")
        let_out = self._get_activation(F, gates[3], gate, name=f"{start}o")
        memory = F.elemwise_add(
            F.elemwise_mul(keep, states[1], name=f"{start}mul0"), F.elemwise_mul(let_in, new, name=f"{start}mul1"),
            name=f"{start}state",
        )  # fmt: skip
        shown = F.Activation(memory, act_type=inner, name=f"{start}activation0")
        output = F.elemwise_mul(let_out, shown, name=f"{start}out")
        return output, [output, memory]


class GRUCell(_Gated):
    """Gated recurrent unit."""

    _gates = 3

    def _alias(self) -> str:
        return "gru"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> Any:
        """Compute one step."""
        before = states[0]
        start, i2h, h2h = self._both(F, inputs, before, (i2h_weight, h2h_weight, i2h_bias, h2h_bias))
        i2h_reset, i2h_update, i2h_new = F.SliceChannel(i2h, num_outputs=3, name=f"{start}i2h_slice")
        h2h_reset, h2h_update, h2h_new = F.SliceChannel(h2h, num_outputs=3, name=f"{start}h2h_slice")
        reset, update = (
            F.Activation(
                F.elemwise_add(i, h, name=f"{start}plus{place}"), act_type="sigmoid", name=f"{start}{name}_act"
            )
            for place, (i, h, name) in enumerate([(i2h_reset, h2h_reset, "r"), (i2h_update, h2h_update, "z")])
        )
        held = F.elemwise_mul(reset, h2h_new, name=f"{start}mul0")
        new = F.Activation(F.elemwise_add(i2h_new, held, name=f"{start}plus2"), act_type="tanh", name=f"{start}h_act")
        rest = F.elemwise_sub(F.ones_like(update, name=f"{start}ones_like0"), update, name=f"{start}minus0")
        output = F.elemwise_add(
            F.elemwise_mul(rest, new, name=f"{start}mul1"), F.elemwise_mul(update, before, name=f"{start}mul20"),
            name=f"{start}out",
        )  # fmt: skip
        return output, [output]
