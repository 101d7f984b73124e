"""``mx_neuron.compile`` for the real mxnet's Symbols and blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mxnet as mx
import numpy as np

from neuron_adapters.mx._compile import compile_symbol
from neuron_adapters.mx._real.symbol import of_own, own_of
from neuron_adapters.mxnet import ndarray
from neuron_rt import CompileError

__all__ = ["compile_real"]


def compile_real(obj: Any, args: Any, aux: Any, inputs: Any, **compile_args: Any) -> Any:
    """Compile a Symbol, with its arguments and auxiliary states, or a HybridBlock, which becomes a SymbolBlock."""
    if isinstance(obj, mx.symbol.Symbol):
        return _symbol(obj, args or {}, aux or {}, inputs, compile_args)
    return _block(obj, inputs, compile_args)


def _symbol(symbol: Any, args: Mapping[str, Any], aux: Mapping[str, Any], inputs: Any, options: Any) -> Any:
    examples = _examples(inputs)
    own, compiled_params, _states = compile_symbol(own_of(symbol), _own(args), _own(aux), examples, **options)
    params = dict(args)
    for name, value in compiled_params.items():
        if name not in params:
            params[name] = mx.nd.array(value.asnumpy(), dtype=value.dtype)
    return of_own(own), params, dict(aux)


def _block(block: Any, inputs: Any, options: Any) -> Any:
    examples = _examples(inputs)
    if not isinstance(examples, Mapping) or not examples:
        raise CompileError("inputs is a dictionary with an example for each input, in their order.")
    variables = [mx.sym.var(name) for name in examples]
    graph = block(*variables)
    symbol = mx.sym.Group(graph) if isinstance(graph, (list, tuple)) else graph
    params = {name: parameter.data() for name, parameter in block.collect_params().items()}
    args = {name: params[name] for name in symbol.list_arguments() if name in params}
    aux = {name: params[name] for name in symbol.list_auxiliary_states()}
    compiled, args, aux = _symbol(symbol, args, aux, inputs, options)
    result = mx.gluon.SymbolBlock(compiled, variables)
    for name, parameter in result.collect_params().items():
        parameter._load_init({**args, **aux}[name], mx.cpu(), cast_dtype=True, dtype_source="saved")
    return result


def _examples(inputs: Any) -> Any:
    if not isinstance(inputs, Mapping):
        return inputs
    return {name: np.asarray(value.asnumpy() if hasattr(value, "asnumpy") else value) for name, value in inputs.items()}


def _own(arrays: Mapping[str, Any]) -> dict[str, ndarray.NDArray]:
    return {name: ndarray.array(array.asnumpy(), dtype=array.dtype) for name, array in arrays.items()}
