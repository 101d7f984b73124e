"""Cells whose states are pictures, and whose weights are convolutions, of one to three axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.gluon.nn.conv_layers import _sizes
from neuron_adapters.mxnet.gluon.rnn import HybridRecurrentCell

__all__ = [
    "Conv1DGRUCell", "Conv1DLSTMCell", "Conv1DRNNCell", "Conv2DGRUCell", "Conv2DLSTMCell", "Conv2DRNNCell",
    "Conv3DGRUCell", "Conv3DLSTMCell", "Conv3DRNNCell",
]  # fmt: skip

Size = int | Sequence[int]

_LAYOUTS = {1: "NCW", 2: "NCHW", 3: "NCDHW"}


class _ConvCell(HybridRecurrentCell):
    """``input_shape``: that of one step without the batch, in ``conv_layout``."""

    _axes = 2
    _gates = 1
    _states = 1

    def __init__(
        self,
        input_shape: Sequence[int],
        hidden_channels: int,
        i2h_kernel: Size,
        h2h_kernel: Size,
        i2h_pad: Size = 0,
        i2h_dilate: Size = 1,
        h2h_dilate: Size = 1,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        conv_layout: str | None = None,
        activation: Any = "tanh",
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        axes = self._axes
        self._hidden_channels, self._activation = hidden_channels, activation
        self._layout = conv_layout or _LAYOUTS[axes]
        self._channel_axis = self._layout.find("C")
        ones = (1,) * axes
        h2h_kernel, h2h_dilate = _sizes("h2h_kernel", h2h_kernel, axes), _sizes("h2h_dilate", h2h_dilate, axes)
        if not all(size % 2 for size in h2h_kernel):
            raise MXNetError(f"Only support odd number, get h2h_kernel= {h2h_kernel}")
        pad = tuple(dilate * (size - 1) // 2 for dilate, size in zip(h2h_dilate, h2h_kernel))
        self._convolutions: dict[str, dict[str, Any]] = {
            "i2h": {
                "kernel": _sizes("i2h_kernel", i2h_kernel, axes), "stride": ones,
                "pad": _sizes("i2h_pad", i2h_pad, axes), "dilate": _sizes("i2h_dilate", i2h_dilate, axes),
            },
            "h2h": {"kernel": h2h_kernel, "stride": ones, "pad": pad, "dilate": h2h_dilate},
        }  # fmt: skip
        sizes = list(input_shape)
        channels = sizes.pop(self._channel_axis - 1)
        self._state_shape = self._placed(hidden_channels, self._convolved_sizes(sizes))
        rows = hidden_channels * self._gates
        inits = {
            "i2h": (i2h_weight_initializer, i2h_bias_initializer),
            "h2h": (h2h_weight_initializer, h2h_bias_initializer),
        }
        for kind in ("weight", "bias"):
            for group, inner in (("i2h", channels), ("h2h", hidden_channels)):
                shape = (
                    (rows, *self._placed(inner, self._convolutions[group]["kernel"])) if kind == "weight" else (rows,)
                )
                init = inits[group][kind == "bias"]
                name = f"{group}_{kind}"
                setattr(self, name, self.params.get(name, shape=shape, init=init, allow_deferred_init=True))

    def _convolved_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        how = self._convolutions["i2h"]
        return tuple(
            size + 2 * pad - dilate * (kernel - 1) if size else 0
            for size, kernel, pad, dilate in zip(sizes, how["kernel"], how["pad"], how["dilate"])
        )

    def _placed(self, channels: int, sizes: Sequence[int]) -> tuple[int, ...]:
        return (channels, *sizes) if self._channel_axis == 1 else (*sizes, channels)

    def state_info(self, batch_size: int = 0) -> list[dict[str, Any]]:
        """Return shape and layout of each state."""
        info = {"shape": (batch_size, *self._state_shape), "__layout__": self._layout}
        return [dict(info) for _ in range(self._states)]

    def _convolved(self, F: Any, name: str, group: str, data: Any, weight: Any, bias: Any) -> Any:
        return F.Convolution(
            data=data, weight=weight, bias=bias, num_filter=self._hidden_channels * self._gates, layout=self._layout,
            name=f"{name}{group}", **self._convolutions[group],
        )  # fmt: skip

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
        start = f"t{self._counter}_"
        i2h = self._convolved(F, start, "i2h", inputs, i2h_weight, i2h_bias)
        h2h = self._convolved(F, start, "h2h", states[0], h2h_weight, h2h_bias)
        return self._step(F, start, i2h, h2h, states)

    def _step(self, F: Any, start: str, i2h: Any, h2h: Any, states: Any) -> Any:  # noqa: ARG002
        output = self._get_activation(F, i2h + h2h, self._activation, name=f"{start}out")
        return output, [output]

    def _alias(self) -> str:
        return "conv_rnn"

    def __repr__(self) -> str:
        shape = self._reg_params["i2h_weight"].shape or (0,)
        channels = shape[1 if self._channel_axis == 1 else -1]
        return f"{type(self).__name__}({channels or None} -> {shape[0]}, {self._activation}, {self._layout})"


class _ConvLSTMCell(_ConvCell):
    _gates = 4
    _states = 2

    def _alias(self) -> str:
        return "conv_lstm"

    def _step(self, F: Any, start: str, i2h: Any, h2h: Any, states: Any) -> Any:
        gates = F.SliceChannel(i2h + h2h, num_outputs=4, name=f"{start}slice", axis=self._channel_axis)
        let_in = F.Activation(gates[0], act_type="sigmoid", name=f"{start}i")
        keep = F.Activation(gates[1], act_type="sigmoid", name=f"{start}f")
        new = self._get_activation(F, gates[2], self._activation, name=f"{start}c")
        let_out = F.Activation(gates[3], act_type="sigmoid", name=f"{start}o")
        memory = F.elemwise_add(keep * states[1], let_in * new, name=f"{start}state")
        output = F.elemwise_mul(let_out, self._get_activation(F, memory, self._activation), name=f"{start}out")
        return output, [output, memory]


class _ConvGRUCell(_ConvCell):
    _gates = 3

    def _alias(self) -> str:
        return "conv_gru"

    def _step(self, F: Any, start: str, i2h: Any, h2h: Any, states: Any) -> Any:
        split = {"num_outputs": 3, "axis": self._channel_axis}
        i2h_reset, i2h_update, i2h_new = F.SliceChannel(i2h, name=f"{start}i2h_slice", **split)
        h2h_reset, h2h_update, h2h_new = F.SliceChannel(h2h, name=f"{start}h2h_slice", **split)
        reset = F.Activation(i2h_reset + h2h_reset, act_type="sigmoid", name=f"{start}r_act")
        update = F.Activation(i2h_update + h2h_update, act_type="sigmoid", name=f"{start}z_act")
        new = self._get_activation(F, i2h_new + reset * h2h_new, self._activation, name=f"{start}h_act")
        output = F.elemwise_add((1.0 - update) * new, update * states[0], name=f"{start}out")
        return output, [output]


class Conv1DRNNCell(_ConvCell):
    """The plain cell, of (batch, channels, width)."""

    _axes = 1


class Conv2DRNNCell(_ConvCell):
    """The plain cell, of (batch, channels, height, width)."""


class Conv3DRNNCell(_ConvCell):
    """The plain cell, of (batch, channels, depth, height, width)."""

    _axes = 3


class Conv1DLSTMCell(_ConvLSTMCell):
    """Long short-term memory, of (batch, channels, width)."""

    _axes = 1


class Conv2DLSTMCell(_ConvLSTMCell):
    """Long short-term memory, of (batch, channels, height, width)."""


class Conv3DLSTMCell(_ConvLSTMCell):
    """Long short-term memory, of (batch, channels, depth, height, width)."""

    _axes = 3


class Conv1DGRUCell(_ConvGRUCell):
    """A gated recurrent unit, of (batch, channels, width)."""

    _axes = 1


class Conv2DGRUCell(_ConvGRUCell):
    """A gated recurrent unit, of (batch, channels, height, width)."""


class Conv3DGRUCell(_ConvGRUCell):
    """A gated recurrent unit, of (batch, channels, depth, height, width)."""

    _axes = 3
