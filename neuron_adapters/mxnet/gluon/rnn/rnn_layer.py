"""Layers of ``mx.gluon.rnn``: all steps of a sequence in one operator."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from neuron_adapters.mxnet import ndarray, symbol
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.gluon.block import HybridBlock
from neuron_adapters.mxnet.gluon.parameter import Parameter, tensor_types
from neuron_adapters.mxnet.gluon.rnn import rnn_cell
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["GRU", "LSTM", "RNN"]

_GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}
_NAME = re.compile(r"([lr])(\d+)_(i2h|h2h|h2r)_(weight|bias)")


class _RNNLayer(HybridBlock):
    """``num_layers`` of cells of a ``mode``. ``layout``: TNC or NTC."""

    skip_states: bool

    def __init__(
        self,
        mode: str,
        hidden_size: int,
        num_layers: int,
        layout: str,
        dropout: float,
        bidirectional: bool,
        input_size: int,
        initializers: tuple[Any, Any, Any, Any],
        dtype: Any,
        *,
        projection: tuple[int | None, Any] = (None, None),
        clipping: tuple[Any, Any, bool] = (None, None, False),
        use_sequence_length: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if layout not in ("TNC", "NTC"):
            raise MXNetError(f"Invalid layout {layout}; must be one of ['TNC' or 'NTC']")
        self._mode, self._hidden_size, self._num_layers, self._layout = mode, hidden_size, num_layers, layout
        self._dropout, self._dir, self._input_size = dropout, 2 if bidirectional else 1, input_size
        self._initializers, self._dtype, self._clipping = initializers, dtype, clipping
        self._projection_size, projection_init = projection[0] or None, projection[1]
        self._use_sequence_length = use_sequence_length
        self._gates = _GATES[mode]
        self.skip_states = False
        rows, width, state = self._gates * hidden_size, input_size, self._projection_size or hidden_size
        i2h_weight, h2h_weight, i2h_bias, h2h_bias = initializers
        for start in self._starts():
            layer = int(start[1:])
            size = width if layer == 0 else state * self._dir
            self._register_param(f"{start}_i2h_weight", (rows, size), i2h_weight)
            self._register_param(f"{start}_h2h_weight", (rows, state), h2h_weight)
            self._register_param(f"{start}_i2h_bias", (rows,), i2h_bias)
            self._register_param(f"{start}_h2h_bias", (rows,), h2h_bias)
            if self._projection_size:
                self._register_param(f"{start}_h2r_weight", (state, hidden_size), projection_init)

    def _starts(self) -> list[str]:
        """What the names of the parameters begin with: of each layer, in each direction."""
        return [f"{direction}{layer}" for layer in range(self._num_layers) for direction in "lr"[: self._dir]]

    def _register_param(self, name: str, shape: tuple[int, ...], init: Any) -> None:
        parameter = self.params.get(name, shape=shape, init=init, allow_deferred_init=True, dtype=self._dtype)
        setattr(self, name, parameter)

    def _collect_params_with_prefix(self, prefix: str = "") -> dict[str, Parameter]:
        """Name them in files as the cells of ``_unfuse()``, as MXNet does."""
        start = prefix + "." if prefix else ""
        parameters = {}
        for name, parameter in self._reg_params.items():
            match = _NAME.fullmatch(name)
            assert match is not None
            direction, layer, gate, kind = match.groups()
            cell = f"{layer}.{direction}_cell" if self._dir == 2 else layer
            parameters[f"{start}_unfused.{cell}.{gate}_{kind}"] = parameter
        return parameters

    def state_info(self, batch_size: int = 0) -> list[dict[str, Any]]:
        """Return shape, layout and dtype of each state."""
        layers = self._num_layers * self._dir
        widths = [self._projection_size or self._hidden_size, self._hidden_size][: 2 if self._mode == "lstm" else 1]
        return [{"shape": (layers, batch_size, width), "__layout__": "LNC", "dtype": self._dtype} for width in widths]

    def _unfuse(self) -> Any:
        """Return a stack of cells with the same parameters."""
        if self._projection_size or self._clipping[0] or self._clipping[1]:
            raise MXNetError("_unfuse does not support projection layer or state clipping yet!")
        names = ("i2h_weight", "h2h_weight", "i2h_bias", "h2h_bias")
        options = {f"{name}_initializer": init for name, init in zip(names, self._initializers)}
        stack = rnn_cell.HybridSequentialRNNCell(prefix=self.prefix, params=self.params)
        with stack.name_scope():
            size = self._input_size
            for layer in range(self._num_layers):
                cells = [self._cell(f"{direction}{layer}_", size, options) for direction in "lr"[: self._dir]]
                stack.add(rnn_cell.BidirectionalCell(*cells) if self._dir == 2 else cells[0])
                if self._dropout > 0 and layer != self._num_layers - 1:
                    stack.add(rnn_cell.DropoutCell(self._dropout))
                size = self._hidden_size * self._dir
        return stack

    def _cell(self, prefix: str, size: int, options: dict[str, Any]) -> Any:
        more = {**options, "input_size": size, "prefix": prefix}
        if self._mode == "lstm":
            return rnn_cell.LSTMCell(self._hidden_size, **more)
        if self._mode == "gru":
            return rnn_cell.GRUCell(self._hidden_size, **more)
        return rnn_cell.RNNCell(self._hidden_size, activation=self._mode[4:], **more)

    def cast(self, dtype: Any) -> None:
        """Compute in ``dtype`` from now on."""
        super().cast(dtype)
        self._dtype = dtype

    def begin_state(self, batch_size: int = 0, func: Callable[..., Any] = ndarray.zeros, **kwargs: Any) -> list[Any]:
        """Return the first states, made by ``func(name=..., shape=...)``."""
        return [
            func(name=f"{self.prefix}h0_{place}", **{**info, **kwargs})
            for place, info in enumerate(self.state_info(batch_size))
        ]

    def __call__(self, inputs: Any, states: Any = None, sequence_length: Any = None) -> Any:
        """Return the outputs; with ``states`` given, the states after the last step, too."""
        self.skip_states = states is None
        if states is None:
            if isinstance(inputs, NDArray):
                size = inputs.shape[self._layout.find("N")]
                states = self.begin_state(size, ctx=inputs.context, dtype=inputs.dtype)
            else:
                states = self.begin_state(0, func=symbol.zeros)
        if isinstance(states, tensor_types):
            states = [states]
        if self._use_sequence_length:
            return super().__call__(inputs, states, sequence_length)
        return super().__call__(inputs, states)

    def hybrid_forward(  # type: ignore[override]
        self,
        F: Any,
        inputs: Any,
        states: Any,
        sequence_length: Any = None,
        **arrays: Any,
    ) -> Any:
        """Compute all steps."""
        if F is ndarray:
            for state, info in zip(states, self.state_info(inputs.shape[self._layout.find("N")])):
                if state.shape != info["shape"]:
                    raise MXNetValueError(
                        f"Invalid recurrent state shape. Expecting {info['shape']}, got {state.shape}."
                    )
        if self._layout == "NTC":
            inputs = F.swapaxes(inputs, 0, 1)
        gates = ["i2h", "h2h", "h2r"] if self._projection_size else ["i2h", "h2h"]
        parts = [
            arrays[f"{start}_{gate}_{kind}"].reshape(-1)
            for kind in ("weight", "bias")
            for start in self._starts()
            for gate in gates
            if f"{start}_{gate}_{kind}" in arrays
        ]
        least, most, clip_nan = self._clipping
        result = F.RNN(
            inputs, F._internal._rnn_param_concat(*parts, dim=0), *states,
            *([sequence_length] if self._use_sequence_length else []), use_sequence_length=self._use_sequence_length,
            state_size=self._hidden_size, projection_size=self._projection_size, num_layers=self._num_layers,
            bidirectional=self._dir == 2, p=self._dropout, state_outputs=True, mode=self._mode,
            lstm_state_clip_min=least, lstm_state_clip_max=most, lstm_state_clip_nan=clip_nan,
        )  # fmt: skip
        outputs = F.swapaxes(result[0], 0, 1) if self._layout == "NTC" else result[0]
        return outputs if self.skip_states else (outputs, [result[place + 1] for place in range(len(states))])

    def __repr__(self) -> str:
        shape = self._reg_params["l0_i2h_weight"].shape or (0, 0)
        text = f"{shape[1] or None} -> {shape[0] // self._gates}, {self._layout}"
        text += f", num_layers={self._num_layers}" if self._num_layers != 1 else ""
        text += f", dropout={self._dropout}" if self._dropout else ""
        text += ", bidirectional" if self._dir == 2 else ""
        return f"{type(self).__name__}({text})"


class RNN(_RNNLayer):
    """Layers of RNNCells."""

    def __init__(
        self,
        hidden_size: int,
        num_layers: int = 1,
        activation: str = "relu",
        layout: str = "TNC",
        dropout: float = 0,
        bidirectional: bool = False,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        initializers = (i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer)
        super().__init__(
            f"rnn_{activation}", hidden_size, num_layers, layout, dropout, bidirectional, input_size, initializers,
            dtype, **kwargs,
        )  # fmt: skip


class LSTM(_RNNLayer):
    """Layers of LSTMCells, with projections where ``projection_size`` says so."""

    def __init__(
        self,
        hidden_size: int,
        num_layers: int = 1,
        layout: str = "TNC",
        dropout: float = 0,
        bidirectional: bool = False,
        input_size: int = 0,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        projection_size: int | None = None,
        h2r_weight_initializer: Any = None,
        state_clip_min: float | None = None,
        state_clip_max: float | None = None,
        state_clip_nan: bool = False,
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        initializers = (i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer)
        super().__init__(
            "lstm", hidden_size, num_layers, layout, dropout, bidirectional, input_size, initializers, dtype,
            projection=(projection_size, h2r_weight_initializer),
            clipping=(state_clip_min, state_clip_max, state_clip_nan), **kwargs,
        )  # fmt: skip


class GRU(_RNNLayer):
    """Layers of GRUCells."""

    def __init__(
        self,
        hidden_size: int,
        num_layers: int = 1,
        layout: str = "TNC",
        dropout: float = 0,
        bidirectional: bool = False,
        input_size: int = 0,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        initializers = (i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer)
        super().__init__(
            "gru", hidden_size, num_layers, layout, dropout, bidirectional, input_size, initializers, dtype, **kwargs
        )
