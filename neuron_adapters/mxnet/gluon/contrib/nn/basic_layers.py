"""Layers of ``mx.gluon.contrib.nn``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet._training import refuse_sparse
from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.gluon.block import HybridBlock
from neuron_adapters.mxnet.gluon.nn import BatchNorm, HybridSequential, Sequential

__all__ = [
    "Concurrent", "HybridConcurrent", "Identity", "PixelShuffle1D", "PixelShuffle2D", "PixelShuffle3D",
    "SparseEmbedding", "SyncBatchNorm",
]  # fmt: skip


class Concurrent(Sequential):
    """Blocks of the same input, whose outputs are concatenated along ``axis``."""

    def __init__(self, axis: int = -1, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
        self.axis = axis

    def forward(self, x: Any) -> Any:
        """Call each with ``x``."""
        return ndarray.concat(*(block(x) for block in self._children.values()), dim=self.axis)


class HybridConcurrent(HybridSequential):
    """HybridBlocks of the same input, whose outputs are concatenated along ``axis``."""

    def __init__(self, axis: int = -1, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
        self.axis = axis

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Call each with ``x``."""
        return F.concat(*(block(x) for block in self._children.values()), dim=self.axis)


class Identity(HybridBlock):
    """What comes."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: ARG002
        """Return it."""
        return x


class SparseEmbedding:
    """Refused: its table is a sparse array."""

    def __init__(self, *_args: Any, **_options: Any) -> NoReturn:
        refuse_sparse("SparseEmbedding, whose weights gluon.nn.Embedding reads")


class SyncBatchNorm(BatchNorm):
    """BatchNorm: at inference there is nothing to synchronise."""

    def __init__(
        self,
        in_channels: int = 0,
        num_devices: int | None = None,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        use_global_stats: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        running_mean_initializer: Any = "zeros",
        running_variance_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            1, momentum, epsilon, center, scale, use_global_stats, beta_initializer, gamma_initializer,
            running_mean_initializer, running_variance_initializer, in_channels, **kwargs,
        )  # fmt: skip
        del self._kwargs["axis"]
        self._kwargs.update(ndev=1 if num_devices is None else num_devices, key=self.prefix)

    _operator = "_contrib_SyncBatchNorm"


class _PixelShuffle(HybridBlock):
    """Moves channels into the axes of the picture, ``factor`` times as long."""

    _axes = 1

    def __init__(self, factor: int | Sequence[int]) -> None:
        super().__init__()
        self._factors = (factor,) * self._axes if isinstance(factor, int) else tuple(map(int, factor))
        if len(self._factors) != self._axes:
            raise MXNetError(f"{type(self).__name__}: factor is a number, or {self._axes} of them, got {factor!r}.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._factors[0] if self._axes == 1 else self._factors})"


class PixelShuffle1D(_PixelShuffle):
    """(batch, f·channels, width) becomes (batch, channels, f·width)."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Move them."""
        x = F.reshape(x, (0, -4, -1, self._factors[0], 0))
        return F.reshape(F.transpose(x, (0, 1, 3, 2)), (0, 0, -3))


class PixelShuffle2D(_PixelShuffle):
    """(batch, f·g·channels, height, width) becomes (batch, channels, f·height, g·width)."""

    _axes = 2

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Move them."""
        first, second = self._factors
        x = F.reshape(x, (0, -4, -1, first * second, 0, 0))
        x = F.reshape(x, (0, 0, -4, first, second, 0, 0))
        return F.reshape(F.transpose(x, (0, 1, 4, 2, 5, 3)), (0, 0, -3, -3))


class PixelShuffle3D(_PixelShuffle):
    """The same with (batch, channels, depth, height, width)."""

    _axes = 3

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Move them."""
        first, second, third = self._factors
        x = F.swapaxes(F.reshape(x, (0, -4, -1, first * second * third, 0, 0, 0)), 2, 3)
        x = F.reshape(x, (0, 0, 0, -4, first, second * third, 0, 0))
        x = F.swapaxes(F.reshape(x, (0, 0, -3, 0, 0, 0)), 3, 4)
        x = F.reshape(x, (0, 0, 0, 0, -4, second, third, 0))
        x = F.swapaxes(F.reshape(x, (0, 0, 0, -3, 0, 0)), 4, 5)
        return F.reshape(x, (0, 0, 0, 0, -3))
