"""Layers of ``mx.gluon.nn`` that are no convolutions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from neuron_adapters.mxnet import ndarray, symbol
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.gluon._block import Block, _indented
from neuron_adapters.mxnet.gluon._hybrid import HybridBlock
from neuron_adapters.mxnet.gluon.nn.activations import Activation
from neuron_adapters.mxnet.gluon.parameter import Parameter

__all__ = [
    "BatchNorm", "BatchNormReLU", "Dense", "Dropout", "Embedding", "Flatten", "GroupNorm", "HybridLambda",
    "HybridSequential", "InstanceNorm", "Lambda", "LayerNorm", "Sequential",
]  # fmt: skip


class _Chain(Block):
    """Blocks, one after the other."""

    _is_container = True

    def add(self, *blocks: Block) -> None:
        """Append blocks."""
        for block in blocks:
            self.register_child(block)

    def _chained(self, x: Any) -> Any:
        for block in self._children.values():
            x = block(x)
        return x

    def __getitem__(self, key: Any) -> Any:
        chosen = list(self._children.values())[key]
        if not isinstance(chosen, list):
            return chosen
        part = type(self)(prefix=self._prefix)
        with part.name_scope():
            part.add(*chosen)
        return part

    def __len__(self) -> int:
        return len(self._children)

    def __iter__(self) -> Iterator[Block]:
        return iter(self._children.values())

    def __repr__(self) -> str:
        lines = [f"  ({name}): {_indented(repr(block))}" for name, block in self._children.items()]
        return f"{type(self).__name__}(\n" + "\n".join(lines) + "\n)"


class Sequential(_Chain):
    """Blocks, one after the other, hybrid or not."""

    def forward(self, x: Any) -> Any:
        """Call one after the other."""
        return self._chained(x)

    def hybridize(self, active: bool = True, **options: Any) -> None:
        """Hybridize each."""
        if self._children and all(isinstance(block, HybridBlock) for block in self._children.values()):
            warnings.warn(
                f"All children of this Sequential layer '{self.prefix}' are HybridBlocks. Consider using "
                "HybridSequential for the best performance.",
                stacklevel=2,
            )
        super().hybridize(active, **options)


class HybridSequential(_Chain, HybridBlock):
    """HybridBlocks, one after the other."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: ARG002
        """Call one after the other."""
        return self._chained(x)


class Dense(HybridBlock):
    """``activation(x · weightᵀ + bias)``, with ``units`` outputs. ``in_units`` 0: as many as the first input has."""

    weight: Parameter
    act: Activation | None

    def __init__(
        self,
        units: int,
        activation: str | None = None,
        use_bias: bool = True,
        flatten: bool = True,
        dtype: Any = "float32",
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_units: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._flatten, self._units, self._in_units = flatten, units, in_units
        with self.name_scope():
            self.weight = self.params.get(
                "weight", shape=(units, in_units), init=weight_initializer, dtype=dtype, allow_deferred_init=True
            )
            self.bias: Parameter | None = None
            if use_bias:
                self.bias = self.params.get(
                    "bias", shape=(units,), init=bias_initializer, dtype=dtype, allow_deferred_init=True
                )
            self.act = Activation(activation, prefix=f"{activation}_") if activation is not None else None

    def hybrid_forward(self, F: Any, x: Any, weight: Any, bias: Any = None) -> Any:
        """Multiply, add, activate."""
        out = F.FullyConnected(
            x, weight, bias, no_bias=bias is None, num_hidden=self._units, flatten=self._flatten, name="fwd"
        )
        return out if self.act is None else self.act(out)

    def __repr__(self) -> str:
        units, in_units = self.weight.shape or (None, None)
        return f"{type(self).__name__}({in_units or None} -> {units}, {self.act or 'linear'})"


class Dropout(HybridBlock):
    """Nothing at inference."""

    def __init__(self, rate: float, axes: tuple[int, ...] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._rate, self._axes = rate, axes

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return what comes."""
        if self._rate > 0:
            return F.Dropout(x, p=self._rate, axes=self._axes, name="fwd", cudnn_off=False)
        return F.identity(x)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p = {self._rate}, axes={self._axes})"


class _Normalising(HybridBlock):
    """A layer with ``gamma`` and ``beta``, and numbers that its operator takes."""

    _kwargs: dict[str, Any]

    def _add_pair(
        self, channels: int, scale: bool, center: bool, gamma: Any, beta: Any, *, differentiable: bool = True
    ) -> None:
        for name, used, init in (("gamma", scale, gamma), ("beta", center, beta)):
            parameter = self.params.get(
                name, grad_req="write" if used else "null", shape=(channels,), init=init, allow_deferred_init=True,
                differentiable=used or differentiable,
            )  # fmt: skip
            setattr(self, name, parameter)

    def _describe(self, channels: Any) -> str:
        content = ", ".join(f"{key}={value!r}" for key, value in self._kwargs.items())
        return f"{type(self).__name__}({content}, in_channels={channels})"

    def __repr__(self) -> str:
        return self._describe(self.params[f"{self.params.prefix}gamma"].shape[0])  # type: ignore[index]


class BatchNorm(_Normalising):
    """Normalise by the running mean and variance."""

    _operator = "BatchNorm"

    def __init__(
        self,
        axis: int = 1,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        use_global_stats: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        running_mean_initializer: Any = "zeros",
        running_variance_initializer: Any = "ones",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._kwargs = {
            "axis": axis, "eps": epsilon, "momentum": momentum, "fix_gamma": not scale,
            "use_global_stats": use_global_stats,
        }  # fmt: skip
        if in_channels:
            self.in_channels = in_channels
        self._add_pair(in_channels, scale, center, gamma_initializer, beta_initializer, differentiable=False)
        for name, init in (("mean", running_mean_initializer), ("var", running_variance_initializer)):
            parameter = self.params.get(
                f"running_{name}", grad_req="null", shape=(in_channels,), init=init, allow_deferred_init=True,
                differentiable=False,
            )  # fmt: skip
            setattr(self, f"running_{name}", parameter)

    def cast(self, dtype: Any) -> None:
        """Cast; what is of float16 around it leaves it in float32."""
        super().cast("float32" if np.dtype(dtype).name == "float16" else dtype)

    def hybrid_forward(self, F: Any, x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any) -> Any:
        """Normalise."""
        return getattr(F, self._operator)(x, gamma, beta, running_mean, running_var, name="fwd", **self._kwargs)

    def __repr__(self) -> str:
        return self._describe(self.params[f"{self.params.prefix}gamma"].shape[0] or None)  # type: ignore[index]


class BatchNormReLU(BatchNorm):
    """BatchNorm, and then ReLU."""

    _operator = "_contrib_BatchNormWithReLU"


class InstanceNorm(_Normalising):
    """Normalise each channel of each sample by its own mean and variance."""

    def __init__(
        self,
        axis: int = 1,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._kwargs = {"eps": epsilon, "axis": axis, "center": center, "scale": scale}
        self._axis, self._epsilon = axis, epsilon
        self._add_pair(in_channels, scale, center, gamma_initializer, beta_initializer)

    def hybrid_forward(self, F: Any, x: Any, gamma: Any, beta: Any) -> Any:
        """Normalise."""
        if self._axis == 1:
            return F.InstanceNorm(x, gamma, beta, name="fwd", eps=self._epsilon)
        x = x.swapaxes(1, self._axis)
        return F.InstanceNorm(x, gamma, beta, name="fwd", eps=self._epsilon).swapaxes(1, self._axis)


class LayerNorm(_Normalising):
    """Normalise along an axis."""

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        in_channels: int = 0,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._kwargs = {"eps": epsilon, "axis": axis, "center": center, "scale": scale}
        self._axis, self._epsilon = axis, epsilon
        self._add_pair(in_channels, scale, center, gamma_initializer, beta_initializer)

    def hybrid_forward(self, F: Any, data: Any, gamma: Any, beta: Any) -> Any:
        """Normalise."""
        return F.LayerNorm(data, gamma=gamma, beta=beta, axis=self._axis, eps=self._epsilon)


class GroupNorm(_Normalising):
    """Normalise each of ``num_groups`` groups of channels."""

    def __init__(
        self,
        num_groups: int = 1,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._kwargs = {"eps": epsilon, "num_groups": num_groups, "center": center, "scale": scale}
        self._num_groups, self._epsilon = num_groups, epsilon
        self._add_pair(num_groups, scale, center, gamma_initializer, beta_initializer)

    def hybrid_forward(self, F: Any, data: Any, gamma: Any, beta: Any) -> Any:
        """Normalise."""
        return F.GroupNorm(data, gamma=gamma, beta=beta, num_groups=self._num_groups, eps=self._epsilon)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self._kwargs.items())})"


class Embedding(HybridBlock):
    """Rows of a table, by number. ``sparse_grad`` is of training."""

    weight: Parameter

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        dtype: Any = "float32",
        weight_initializer: Any = None,
        sparse_grad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._kwargs = {"input_dim": input_dim, "output_dim": output_dim, "dtype": dtype, "sparse_grad": sparse_grad}
        self.weight = self.params.get(
            "weight", shape=(input_dim, output_dim), init=weight_initializer, dtype=dtype, allow_deferred_init=True
        )

    def hybrid_forward(self, F: Any, x: Any, weight: Any) -> Any:
        """Look them up."""
        return F.Embedding(x, weight, name="fwd", **self._kwargs)

    def __repr__(self) -> str:
        return "{}({input_dim} -> {output_dim}, {dtype})".format(type(self).__name__, **self._kwargs)


class Flatten(HybridBlock):
    """All axes but the first become one."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Flatten."""
        return F.flatten(x)

    def __repr__(self) -> str:
        return type(self).__name__


class Lambda(Block):
    """A function as a block: itself, or the name of one of ``mx.nd``."""

    def __init__(self, function: str | Callable[..., Any], prefix: str | None = None) -> None:
        super().__init__(prefix=prefix)
        self._function: Callable[..., Any] = getattr(ndarray, function) if isinstance(function, str) else function
        _require_callable(self._function)

    def forward(self, *args: Any) -> Any:
        """Call it."""
        return self._function(*args)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._function.__name__})"


class HybridLambda(HybridBlock):
    """A function as a block: one that gets ``F`` first, or the name of one of ``mx.nd`` and ``mx.sym``."""

    def __init__(self, function: str | Callable[..., Any], prefix: str | None = None) -> None:
        super().__init__(prefix=prefix)
        if isinstance(function, str):
            name = function
            getattr(ndarray, name), getattr(symbol, name)  # what is missing is an error now

            def call(F: Any, *args: Any) -> Any:
                return getattr(F, name)(*args)

            self._function, self._function_name = call, name
        else:
            _require_callable(function)
            self._function, self._function_name = function, function.__name__

    def hybrid_forward(self, F: Any, x: Any, *args: Any) -> Any:
        """Call it."""
        return self._function(F, x, *args)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._function_name})"


def _require_callable(function: Any) -> None:
    if not callable(function):
        raise MXNetValueError(f"Unrecognized function in lambda: {function!r} of type {type(function).__name__}.")
