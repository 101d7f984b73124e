"""More cells, and a loop over the steps of a sequence."""

from __future__ import annotations

from typing import Any

from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.gluon.parameter import tensor_types
from neuron_adapters.mxnet.gluon.rnn import BidirectionalCell, HybridRecurrentCell, ModifierCell
from neuron_adapters.mxnet.gluon.rnn._sequences import as_steps, listed, masked

__all__ = ["LSTMPCell", "VariationalDropoutCell", "dynamic_unroll"]


class VariationalDropoutCell(ModifierCell):
    """In training, drops the same numbers in all steps; at inference, the base cell."""

    drop_inputs: float
    drop_states: float
    drop_outputs: float

    def __init__(
        self, base_cell: Any, drop_inputs: float = 0.0, drop_states: float = 0.0, drop_outputs: float = 0.0
    ) -> None:
        if drop_states and isinstance(base_cell, BidirectionalCell):
            raise MXNetError("BidirectionalCell doesn't support variational state dropout: use it on the cells in it.")
        super().__init__(base_cell)
        self.drop_inputs, self.drop_states, self.drop_outputs = drop_inputs, drop_states, drop_outputs
        self._masks: dict[str, Any] = {}

    def _alias(self) -> str:
        return "vardrop"

    def reset(self) -> None:
        """Forget what is dropped."""
        super().reset()
        self._masks = {}

    def _dropped(self, F: Any, what: str, value: Any, rate: float) -> Any:
        if not rate:
            return value
        if what not in self._masks:
            self._masks[what] = F.Dropout(F.ones_like(value), p=rate)
        return value * self._masks[what]

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> Any:
        """Compute one step."""
        states = [self._dropped(F, "states", states[0], self.drop_states), *states[1:]]
        output, states = self.base_cell(self._dropped(F, "inputs", inputs, self.drop_inputs), states)
        return self._dropped(F, "outputs", output, self.drop_outputs), states

    def unroll(
        self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
        merge_outputs: bool | None = None, valid_length: Any = None,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Unroll, and drop the same numbers in all steps."""
        if self.drop_states:
            return super().unroll(length, inputs, begin_state, layout, merge_outputs, valid_length)
        self.reset()
        steps, axis, F, batch_size = as_steps(length, inputs, layout, True)
        states = self._first_states(F, begin_state, steps, batch_size)
        if self.drop_inputs:
            steps = F.Dropout(steps, p=self.drop_inputs, axes=(axis,))
        outputs, states = self.base_cell.unroll(length, steps, states, layout, True, valid_length)
        if self.drop_outputs:
            outputs = F.Dropout(outputs, p=self.drop_outputs, axes=(axis,))
        merge = isinstance(outputs, tensor_types) if merge_outputs is None else merge_outputs
        outputs = as_steps(length, outputs, layout, merge).data
        if valid_length is not None:
            outputs = masked(F, outputs, length, valid_length, axis, merge)
        return outputs, states

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p_out = {self.drop_outputs}, p_state = {self.drop_states})"


class LSTMPCell(HybridRecurrentCell):
    """LSTM with a projection: a state of ``projection_size``."""

    def __init__(
        self,
        hidden_size: int,
        projection_size: int,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        h2r_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._hidden_size, self._projection_size, self._input_size = hidden_size, projection_size, input_size
        rows = 4 * hidden_size
        shapes: dict[str, tuple[tuple[int, ...], Any]] = {
            "i2h_weight": ((rows, input_size), i2h_weight_initializer),
            "h2h_weight": ((rows, projection_size), h2h_weight_initializer),
            "h2r_weight": ((projection_size, hidden_size), h2r_weight_initializer),
            "i2h_bias": ((rows,), i2h_bias_initializer),
            "h2h_bias": ((rows,), h2h_bias_initializer),
        }
        for name, (shape, init) in shapes.items():
            setattr(self, name, self.params.get(name, shape=shape, init=init, allow_deferred_init=True))

    def state_info(self, batch_size: int = 0) -> list[dict[str, Any]]:
        """Return shape and layout of each state."""
        widths = (self._projection_size, self._hidden_size)
        return [{"shape": (batch_size, width), "__layout__": "NC"} for width in widths]

    def _alias(self) -> str:
        return "lstmp"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        h2r_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> Any:
        """Compute one step."""
        start, rows = f"t{self._counter}_", 4 * self._hidden_size
        i2h = F.FullyConnected(data=inputs, weight=i2h_weight, bias=i2h_bias, num_hidden=rows, name=f"{start}i2h")
        h2h = F.FullyConnected(data=states[0], weight=h2h_weight, bias=h2h_bias, num_hidden=rows, name=f"{start}h2h")
        gates = F.SliceChannel(i2h + h2h, num_outputs=4, name=f"{start}slice")
        kinds = (("sigmoid", "i"), ("sigmoid", "f"), ("tanh", "c"), ("sigmoid", "o"))
        let_in, keep, new, let_out = (
            F.Activation(gates[place], act_type=kind, name=start + name) for place, (kind, name) in enumerate(kinds)
        )
        memory = F.elemwise_add(keep * states[1], let_in * new, name=f"{start}state")
        hidden = F.elemwise_mul(let_out, F.Activation(memory, act_type="tanh"), name=f"{start}hidden")
        output = F.FullyConnected(
            data=hidden, num_hidden=self._projection_size, weight=h2r_weight, no_bias=True, name=f"{start}out"
        )
        return output, [output, memory]

    def __repr__(self) -> str:
        shape, projection = self._reg_params["i2h_weight"].shape, self._projection_size
        rows, columns = shape or (0, 0)
        return f"{type(self).__name__}({columns or None} -> {rows} -> {projection})"


def dynamic_unroll(
    cell: Any,
    inputs: Any,
    begin_state: Any,
    drop_inputs: float = 0,
    drop_outputs: float = 0,
    layout: str = "TNC",
    valid_length: Any = None,
) -> tuple[Any, Any]:
    """Loop over the steps of ``inputs``, by ``foreach``; return the outputs and the last states."""
    data, axis, F, _size = as_steps(None, inputs, layout, True)
    axes = [*range(len(layout))]
    axes[0], axes[axis] = axes[axis], axes[0]
    if axis:
        data = F.transpose(data, axes=axes)
    if drop_inputs:
        data = F.Dropout(data, p=drop_inputs, axes=(axis,))
    states: Any = begin_state
    step: Any = cell
    if valid_length is not None:
        states = [*listed(begin_state), F.zeros(1)]

        def step(inputs: Any, states: Any) -> Any:  # the last state counts the steps
            output, after = cell(inputs, states[:-1])
            within = F.broadcast_greater(valid_length, states[-1])
            kept = [F.where(within, new, old) for new, old in zip(after, states[:-1])]
            return output, [*kept, states[-1] + 1]

    outputs, states = F.contrib.foreach(step, data, states)
    if drop_outputs:
        outputs = F.Dropout(outputs, p=drop_outputs, axes=(axis,))
    if axis:
        outputs = F.transpose(outputs, axes)
    if valid_length is None:
        return outputs, states
    return F.SequenceMask(outputs, sequence_length=valid_length, use_sequence_length=True, axis=axis), states[:-1]
