"""Layers of cells as one operator, ``RNN``, whose weights are one vector."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neuron_adapters.mxnet import initializer, ndarray, symbol
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.rnn._combined import BidirectionalCell, DropoutCell, SequentialRNNCell
from neuron_adapters.mxnet.rnn.rnn_cell import Arrays, BaseRNNCell, GRUCell, LSTMCell, RNNCell, RNNParams, arranged
from neuron_adapters.mxnet.symbol import Symbol

__all__ = ["FusedRNNCell"]

_GATES: dict[str, Sequence[str]] = {
    "rnn_relu": ("",), "rnn_tanh": ("",), "lstm": ("_i", "_f", "_c", "_o"), "gru": ("_r", "_z", "_o"),
}  # fmt: skip


class FusedRNNCell(BaseRNNCell):
    """``num_layers`` layers of the kind ``mode``: rnn_relu, rnn_tanh, lstm or gru."""

    def __init__(
        self,
        num_hidden: int,
        num_layers: int = 1,
        mode: str = "lstm",
        bidirectional: bool = False,
        dropout: float = 0.0,
        get_next_state: bool = False,
        forget_bias: float = 1.0,
        prefix: str | None = None,
        params: RNNParams | None = None,
    ) -> None:
        if mode not in _GATES:
            raise MXNetValueError(f"mode is one of {', '.join(_GATES)}, got {mode!r}.")
        super().__init__(f"{mode}_" if prefix is None else prefix, params)
        self._num_hidden, self._num_layers, self._mode, self._dropout = num_hidden, num_layers, mode, dropout
        self._bidirectional, self._get_next_state = bidirectional, get_next_state
        self._directions = ["l", "r"] if bidirectional else ["l"]
        first = initializer.FusedRNN(None, num_hidden, num_layers, mode, bidirectional, forget_bias)
        self._parameter = self.params.get("parameters", init=first)

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """See the base."""
        shape = len(self._directions) * self._num_layers, 0, self._num_hidden
        return [{"shape": shape, "__layout__": "LNC"}] * (2 if self._mode == "lstm" else 1)

    @property
    def _gate_names(self) -> Sequence[str]:
        return _GATES[self._mode]

    def _parts(self, num_input: int) -> list[tuple[str, tuple[int, ...]]]:
        """Return name and shape of each part of the vector, in its order."""
        hidden = self._num_hidden
        parts: list[tuple[str, tuple[int, ...]]] = []
        for kind in ("weight", "bias"):
            for layer in range(self._num_layers):
                width = num_input if layer == 0 else len(self._directions) * hidden
                for direction in self._directions:
                    for group, columns in (("i2h", width), ("h2h", hidden)):
                        shape: tuple[int, ...] = (hidden, columns) if kind == "weight" else (hidden,)
                        name = f"{self._prefix}{direction}{layer}_{group}"
                        parts += [(f"{name}{gate}_{kind}", shape) for gate in self._gate_names]
        return parts

    def _width(self, size: int) -> int:
        """Return the width of the inputs for a vector of ``size`` numbers. Raises MXNetValueError."""
        without = sum(_size(shape) for _name, shape in self._parts(0))
        width, rest = divmod(size - without, len(self._directions) * len(self._gate_names) * self._num_hidden)
        if rest or width < 1:
            raise MXNetValueError(f"{self._parameter.name} cannot have {size} numbers with {self._num_hidden} hidden.")
        return width

    def unpack_weights(self, args: Mapping[str, NDArray]) -> Arrays:
        """See the base."""
        unpacked = dict(args)
        vector = unpacked.pop(str(self._parameter.name))
        start = 0
        for name, shape in self._parts(self._width(vector.size)):
            unpacked[name] = vector[start : start + _size(shape)].reshape(shape).copy()
            start += _size(shape)
        return unpacked

    def pack_weights(self, args: Mapping[str, NDArray]) -> Arrays:
        """See the base."""
        packed = dict(args)
        width = packed[f"{self._prefix}l0_i2h{self._gate_names[0]}_weight"].shape[1]
        parts = [packed.pop(name).reshape(-1) for name, _shape in self._parts(width)]
        packed[str(self._parameter.name)] = ndarray.concatenate(parts)
        return packed

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, list[Symbol]]:
        """See the base. States are returned where the cell was made with ``get_next_state``."""
        self.reset()
        sequence, axis = arranged(length, inputs, layout, merge=True)
        if axis == 1:
            warnings.warn("NTC: the operator works on TNC, so the axes are swapped before and after.", stacklevel=2)
            sequence = symbol.swapaxes(sequence, dim1=0, dim2=1)
        elif axis != 0:
            raise MXNetValueError(f"layout is NTC or TNC, got {layout!r}.")
        states = self.begin_state() if begin_state is None else begin_state
        out = symbol.RNN(
            data=sequence, parameters=self._parameter, state_size=self._num_hidden, num_layers=self._num_layers,
            bidirectional=self._bidirectional, p=self._dropout, state_outputs=self._get_next_state, mode=self._mode,
            name=f"{self._prefix}rnn", **dict(zip(("state", "state_cell"), states)),
        )  # fmt: skip
        after = list(out)[1:] if self._get_next_state else []
        for state in after:
            state._set_attr(__layout__="LNC")
        outputs = out[0]
        if axis == 1:
            outputs = symbol.swapaxes(outputs, dim1=0, dim2=1)
        return arranged(length, outputs, layout, merge_outputs)[0], after

    def unfuse(self) -> SequentialRNNCell:
        """Return a stack of single cells that computes the same, with the weights that ``unpack_weights`` names."""
        make: Callable[[str], BaseRNNCell] = {
            "rnn_relu": lambda prefix: RNNCell(self._num_hidden, "relu", prefix),
            "rnn_tanh": lambda prefix: RNNCell(self._num_hidden, "tanh", prefix),
            "lstm": lambda prefix: LSTMCell(self._num_hidden, prefix),
            "gru": lambda prefix: GRUCell(self._num_hidden, prefix),
        }[self._mode]
        stack = SequentialRNNCell()
        for layer in range(self._num_layers):
            cells = [make(f"{self._prefix}{direction}{layer}_") for direction in self._directions]
            output_prefix = f"{self._prefix}bi_l{layer}_"
            first, *second = cells
            stack.add(BidirectionalCell(first, second[0], output_prefix=output_prefix) if second else first)
            if self._dropout > 0 and layer != self._num_layers - 1:
                stack.add(DropoutCell(self._dropout, prefix=f"{self._prefix}_dropout{layer}_"))
        return stack


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
