"""Cells whose states are pictures, and whose weights are convolutions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from neuron_adapters.mxnet import symbol
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.rnn.rnn_cell import Activation, BaseRNNCell, RNNParams, Step, gru_step, lstm_step
from neuron_adapters.mxnet.symbol import Symbol

__all__ = ["ConvGRUCell", "ConvLSTMCell", "ConvRNNCell"]

Pair = tuple[int, int]


def _leaky(inputs: Symbol, **named: Any) -> Symbol:
    return symbol.LeakyReLU(inputs, act_type="leaky", slope=0.2, **named)


class _ConvCell(BaseRNNCell):
    """``input_shape``: that of one step's inputs, in ``conv_layout``."""

    _default_prefix = ""
    _states = 1

    def __init__(
        self,
        input_shape: Sequence[int],
        num_hidden: int,
        h2h_kernel: Pair = (3, 3),
        h2h_dilate: Pair = (1, 1),
        i2h_kernel: Pair = (3, 3),
        i2h_stride: Pair = (1, 1),
        i2h_pad: Pair = (1, 1),
        i2h_dilate: Pair = (1, 1),
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        activation: Activation = _leaky,
        prefix: str | None = None,
        params: RNNParams | None = None,
        conv_layout: str = "NCHW",
    ) -> None:
        if not all(size % 2 for size in h2h_kernel):
            raise MXNetValueError(f"h2h_kernel has odd sizes, which keep the state's, got {h2h_kernel}.")
        super().__init__(self._default_prefix if prefix is None else prefix, params)
        self._num_hidden, self._activation, self._layout = num_hidden, activation, conv_layout
        pad = tuple(dilate * (size - 1) // 2 for dilate, size in zip(h2h_dilate, h2h_kernel))
        self._kernels: dict[str, dict[str, Any]] = {
            "i2h": {"kernel": i2h_kernel, "stride": i2h_stride, "pad": i2h_pad, "dilate": i2h_dilate},
            "h2h": {"kernel": h2h_kernel, "stride": (1, 1), "pad": pad, "dilate": h2h_dilate},
        }
        convolution = symbol.Convolution(
            symbol.Variable("data"), num_filter=num_hidden, layout=conv_layout, **self._kernels["i2h"]
        )
        inferred = convolution.infer_shape(data=tuple(input_shape))[1]
        if inferred is None:
            raise MXNetValueError(f"input_shape has four sizes that are known, got {tuple(input_shape)}.")
        self._state_shape = (0, *inferred[0][1:])
        self.params.get("i2h_weight", init=i2h_weight_initializer)
        self.params.get("h2h_weight", init=h2h_weight_initializer)
        self.params.get("i2h_bias", init=i2h_bias_initializer)
        self.params.get("h2h_bias", init=h2h_bias_initializer)

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """See the base."""
        return [{"shape": self._state_shape, "__layout__": self._layout}] * self._states

    def _convolved(self, name: str, group: str, inputs: Symbol) -> Symbol:
        weight, bias = (self.params.get(f"{group}_{kind}") for kind in ("weight", "bias"))
        return symbol.Convolution(
            name=f"{name}{group}", data=inputs, weight=weight, bias=bias, layout=self._layout,
            num_filter=self._num_hidden * len(self._gate_names), **self._kernels[group],
        )  # fmt: skip

    @property
    def _activate(self) -> Callable[..., Symbol]:
        return functools.partial(self._get_activation, activation=self._activation)


class ConvRNNCell(_ConvCell):
    """The plain cell."""

    _default_prefix = "ConvRNN_"

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("",)

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> Step:
        """See the base."""
        name = self._step_name()
        both = self._convolved(name, "i2h", inputs) + self._convolved(name, "h2h", states[0])
        output = self._activate(both, name=f"{name}out")
        return output, [output]


class ConvLSTMCell(_ConvCell):
    """Long short-term memory."""

    _default_prefix = "ConvLSTM_"
    _states = 2

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_i", "_f", "_c", "_o")

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> Step:
        """See the base."""
        name = self._step_name()
        gates = self._convolved(name, "i2h", inputs) + self._convolved(name, "h2h", states[0])
        parts = symbol.SliceChannel(gates, num_outputs=4, axis=self._layout.find("C"), name=f"{name}slice")
        return lstm_step(name, parts, states[1], self._activate)


class ConvGRUCell(_ConvCell):
    """A gated recurrent unit."""

    _default_prefix = "ConvGRU_"

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_r", "_z", "_o")

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> Step:
        """See the base."""
        name = self._step_name()
        i2h, h2h = self._convolved(name, "i2h", inputs), self._convolved(name, "h2h", states[0])
        return gru_step(name, i2h, h2h, states[0], self._activate)
