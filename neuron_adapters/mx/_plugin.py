"""``mx_neuron``, and beside the real mxnet ``mx.contrib.neuron`` too: ``compile`` for graphs of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from neuron_adapters.adapter.versions import MX_NEURON
from neuron_adapters.mx._framework import loaded_mxnet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuron_adapters.mxnet.gluon import SymbolBlock
    from neuron_adapters.mxnet.ndarray import NDArray
    from neuron_adapters.mxnet.symbol import Symbol

    Arrays = Mapping[str, NDArray]

__all__ = ["__version__", "compile"]

__version__ = MX_NEURON


@overload
def compile(  # noqa: A001
    obj: Symbol,
    args: Arrays | None = None,
    aux: Arrays | None = None,
    inputs: Mapping[str, Any] | None = None,
    **compile_args: Any,
) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]: ...


@overload
def compile(  # noqa: A001
    obj: SymbolBlock, args: None = None, aux: None = None, inputs: Mapping[str, Any] | None = None, **compile_args: Any
) -> SymbolBlock: ...


@overload
def compile(obj: Any, args: Any = None, aux: Any = None, inputs: Any = None, **compile_args: Any) -> Any: ...  # noqa: A001


def compile(obj: Any, args: Any = None, aux: Any = None, inputs: Any = None, **compile_args: Any) -> Any:  # noqa: A001
    """Compile for NeuronCores (SPEC K1): a Symbol with its arrays to ``(sym, args, aux)``, a block to a block, of this
    package or of mxnet.

    ``inputs``: an example for each input by name. ``compile_args``: as of ``neuron_adapters.mx.contrib.neuron``.
    """
    mxnet = loaded_mxnet()
    if mxnet is not None and isinstance(obj, (mxnet.symbol.Symbol, mxnet.gluon.HybridBlock)):
        from neuron_adapters.mx._real.compiling import compile_real

        return compile_real(obj, args, aux, inputs, **compile_args)
    from neuron_adapters.mx.contrib.neuron import compile as compile_own

    return compile_own(obj, args, aux, inputs, **compile_args)
