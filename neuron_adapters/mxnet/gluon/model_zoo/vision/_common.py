"""What the networks have in common: features, then an output; and constructors by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from neuron_adapters.mxnet.context import Context, cpu
from neuron_adapters.mxnet.gluon import nn
from neuron_adapters.mxnet.gluon.block import HybridBlock
from neuron_adapters.mxnet.gluon.model_zoo.model_store import get_model_file

N = TypeVar("N", bound=HybridBlock)


class Network(HybridBlock):
    """``output(features(x))``."""

    features: Any
    output: Any

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: ARG002
        """Compute features, and of these the output."""
        return self.output(self.features(x))


def chain(*blocks: HybridBlock, prefix: str | None = "") -> nn.HybridSequential:
    """Return blocks, one after the other."""
    chained = nn.HybridSequential(prefix=prefix)
    chained.add(*blocks)
    return chained


def loaded(network: N, name: str, pretrained: bool, ctx: Context | None, root: str | None) -> N:
    """Load the weights of ``name`` where ``pretrained``; return the network."""
    if pretrained:
        network.load_parameters(get_model_file(name, root), ctx=ctx or cpu())
    return network


def named(name: str, make: Callable[..., N], doc: str) -> Callable[..., N]:
    """Return the constructor that scripts call ``name``."""

    def construct(**kwargs: Any) -> N:
        return make(**kwargs)

    construct.__name__ = construct.__qualname__ = name
    construct.__doc__ = doc
    return construct
