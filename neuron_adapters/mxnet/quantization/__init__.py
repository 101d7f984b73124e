"""``mx.contrib.quantization``: networks of whole numbers made of float networks, with ranges from examples.

A quantized graph has the operators and the names that MXNet's would have, without the fusion of its MKL-DNN backend.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet._graph import Entry
from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.context import Context, cpu
from neuron_adapters.mxnet.io import DataIter
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.quantization import _pass
from neuron_adapters.mxnet.quantization._blocks import BatchesIter, traced
from neuron_adapters.mxnet.quantization._calibration import (
    HistogramCollector,
    MinMaxCollector,
    collect_statistics,
    combine_histogram,
    optimal_thresholds,
)
from neuron_adapters.mxnet.symbol import Symbol

__all__ = [
    "calib_graph", "combine_histogram", "quantize_graph", "quantize_model", "quantize_net", "quantize_net_v2",
]  # fmt: skip

__getattr__: Missing = missing_names("mx.contrib.quantization")

Params = Mapping[str, NDArray]
Names = list[str] | None


def quantize_model(
    sym: Symbol,
    arg_params: Params,
    aux_params: Params,
    data_names: Sequence[str] = ("data",),
    label_names: Sequence[str] | None = ("softmax_label",),
    ctx: Context | None = None,
    excluded_sym_names: Names = None,
    excluded_op_names: Names = None,
    calib_mode: str | None = "entropy",
    calib_data: DataIter | None = None,
    num_calib_examples: int | None = None,
    quantized_dtype: str = "int8",
    quantize_mode: str = "smart",
    quantize_granularity: str = "tensor-wise",
    logger: Any = None,
) -> tuple[Symbol, dict[str, NDArray], Params]:
    """Quantize a network: return its graph, its parameters, int8 with their ranges, and its auxiliary states.

    ``excluded_sym_names``, ``excluded_op_names``: nodes and operators that stay floats. ``calib_mode``: "none" computes
    ranges at each call; "naive" takes them from ``calib_data``, and "entropy" cuts those where that loses least.
    ``quantized_dtype``: "int8", "uint8", or "auto", which is uint8 where the range has no negative numbers.

    ``data_names`` and ``label_names`` are accepted: what ``calib_data`` provides has names.
    """
    del data_names, label_names
    context = _single(ctx)
    qsym, layers = _quantized_graph(
        sym, arg_params, excluded_sym_names, excluded_op_names, quantized_dtype, quantize_mode, quantize_granularity
    )
    thresholds: Mapping[str, tuple[float, float]] = {}
    if calib_mode is not None and calib_mode != "none":
        collector = _collector(calib_mode, list(layers), logger)
        data = _examples(calib_data, calib_mode)
        count = collect_statistics(layers, arg_params, aux_params, data, collector, context, num_calib_examples)
        _log(logger, f"Collected the ranges of {len(layers)} layers from {count} examples")
        thresholds = _thresholds(collector, calib_mode, quantized_dtype, logger)
        qsym = Symbol(_pass.set_thresholds(qsym._entries, thresholds))
    return qsym, _quantized_params(qsym, arg_params), aux_params


def quantize_graph(
    sym: Symbol,
    arg_params: Params,
    aux_params: Params,
    ctx: Context | None = None,
    excluded_sym_names: Names = None,
    excluded_op_names: Names = None,
    calib_mode: str | None = "entropy",
    quantized_dtype: str = "int8",
    quantize_mode: str = "full",
    quantize_granularity: str = "tensor-wise",
    LayerOutputCollector: Any = None,  # noqa: N803 - MXNet's name
    logger: Any = None,
) -> tuple[Symbol, dict[str, NDArray], Params, Any]:
    """Quantize a network that ``calib_graph`` will calibrate.

    Return what ``quantize_model`` returns, and a collector: let an executor of the float graph show it the outputs of
    all layers, ``set_monitor_callback(collector.collect, monitor_all=True)``. It is ``LayerOutputCollector`` for the
    mode "customize", and None for "none".
    """
    _single(ctx)
    qsym, layers = _quantized_graph(
        sym, arg_params, excluded_sym_names, excluded_op_names, quantized_dtype, quantize_mode, quantize_granularity
    )
    collector = None
    if calib_mode is not None and calib_mode != "none":
        collector = _collector(calib_mode, list(layers), logger, LayerOutputCollector)
    return qsym, _quantized_params(qsym, arg_params), aux_params, collector


def calib_graph(
    qsym: Symbol,
    arg_params: Params,
    aux_params: Params,
    collector: Any,
    calib_mode: str | None = "entropy",
    quantized_dtype: str = "int8",
    logger: Any = None,
) -> tuple[Symbol, dict[str, NDArray], Params]:
    """Calibrate a graph of ``quantize_graph`` by a collector that has seen the layers. ``arg_params``: the floats."""
    if calib_mode is None or calib_mode == "none":
        raise ValueError('calib_graph: calib_mode is "naive", "entropy" or "customize".')
    thresholds = _thresholds(collector, calib_mode, quantized_dtype, logger)
    calibrated = Symbol(_pass.set_thresholds(qsym._entries, thresholds))
    return calibrated, _quantized_params(calibrated, arg_params), aux_params


def quantize_net_v2(
    network: Any,
    quantized_dtype: str = "auto",
    quantize_mode: str = "full",
    quantize_granularity: str = "tensor-wise",
    exclude_layers: Names = None,
    exclude_layers_match: Names = None,
    exclude_operators: Names = None,
    calib_data: Any = None,
    data_shapes: Sequence[Any] | None = None,
    calib_mode: str | None = "none",
    num_calib_examples: int | None = None,
    ctx: Context | None = None,
    LayerOutputCollector: Any = None,  # noqa: N803 - MXNet's name
    logger: Any = None,
) -> Any:
    """Quantize a HybridBlock: return a SymbolBlock.

    ``calib_data``: a DataIter, or batches such as those of a DataLoader, whose labels come last. ``data_shapes``: of
    its inputs, where there is no ``calib_data``. ``exclude_layers_match``: parts of names.
    """
    context = _single(ctx)
    data = None if calib_data is None else _iterator(calib_data)
    block = traced(network, list(data_shapes or ([] if data is None else data.provide_data)))
    symbol, arguments, states = block.taken_apart()
    excluded = list(exclude_layers or [])
    for part in exclude_layers_match or []:
        excluded += [str(layer.name) for layer in symbol.get_internals() if part in str(layer.name)]
    _log(logger, f"These layers stay floats: {excluded}")
    # A convolution of uint8 that is not fused loses its scale, in MXNet too.
    quantized_dtype = "int8" if quantized_dtype == "auto" else quantized_dtype
    qsym, layers = _quantized_graph(
        symbol, arguments, excluded, exclude_operators, quantized_dtype, quantize_mode, quantize_granularity
    )
    if calib_mode is not None and calib_mode != "none":
        collector = _collector(calib_mode, list(layers), logger, LayerOutputCollector)
        examples = _examples(data, calib_mode)
        collect_statistics(layers, arguments, states, examples, collector, context, num_calib_examples)
        thresholds = _thresholds(collector, calib_mode, quantized_dtype, logger)
        qsym = Symbol(_pass.set_thresholds(qsym._entries, thresholds))
    quantized = block.with_graph(qsym, {**_quantized_params(qsym, arguments), **states})
    quantized.collect_params().reset_ctx(context)
    return quantized


def quantize_net(
    network: Any,
    quantized_dtype: str = "auto",
    quantize_mode: str = "full",
    exclude_layers: Names = None,
    exclude_layers_match: Names = None,
    exclude_operators: Names = None,
    calib_data: Any = None,
    data_shapes: Sequence[Any] | None = None,
    calib_mode: str | None = "none",
    num_calib_examples: int | None = None,
    ctx: Context | None = None,
    logger: Any = None,
) -> Any:
    """Quantize a HybridBlock: ``quantize_net_v2`` under its older name."""
    warnings.warn("quantize_net is quantize_net_v2's older name.", stacklevel=2)
    return quantize_net_v2(
        network, quantized_dtype, quantize_mode, "tensor-wise", exclude_layers, exclude_layers_match, exclude_operators,
        calib_data, data_shapes, calib_mode, num_calib_examples, ctx, None, logger,
    )  # fmt: skip


def _quantized_graph(
    sym: Symbol, params: Params, names: Names, operators: Names, dtype: str, mode: str, granularity: str
) -> tuple[Symbol, dict[str, Entry]]:
    if not isinstance(sym, Symbol):
        raise TypeError(f"sym is a Symbol, got {type(sym).__name__}: mx.sym.load(file)")
    for argument, excluded in (("excluded_sym_names", names), ("excluded_op_names", operators)):
        if not isinstance(excluded, (list, type(None))):
            raise ValueError(f"{argument} is a list of names, got {type(excluded).__name__}.")
    if dtype not in ("int8", "uint8", "auto"):
        raise ValueError(f'quantized_dtype is "int8", "uint8" or "auto", got {dtype!r}.')
    if granularity not in ("tensor-wise", "channel-wise"):
        raise ValueError(f'quantize_granularity is "tensor-wise" or "channel-wise", got {granularity!r}.')
    quantized = _pass.quantize(sym._entries, names or (), operators or (), params, dtype, mode)
    return Symbol(quantized.heads), quantized.layers


def _quantized_params(qsym: Symbol, params: Params) -> dict[str, NDArray]:
    """Return the parameters of a quantized graph: weights of int8 and their ranges, and those that stayed floats."""
    quantized: dict[str, NDArray] = {}
    for name in qsym.list_arguments():
        source = name.removesuffix("_quantize")
        if name.endswith("_quantize") and source in params:
            array = params[source]
            parts = ndarray.contrib.quantize(array, array.min(), array.max(), out_type="int8")
            quantized.update(zip((name, f"{name}_min", f"{name}_max"), parts))
        elif name in params:
            quantized[name] = params[name]
    return quantized


def _collector(mode: str, layers: list[str], logger: Any, own: Any = None) -> Any:
    if mode == "entropy":
        return HistogramCollector(include_layer=layers, logger=logger)
    if mode == "naive":
        return MinMaxCollector(include_layer=layers, logger=logger)
    if mode == "customize" and own is not None:
        return own
    raise ValueError(f'calib_mode is "none", "naive" or "entropy", or "customize" with a collector, got {mode!r}.')


def _thresholds(collector: Any, mode: str, dtype: str, logger: Any) -> Mapping[str, tuple[float, float]]:
    if mode == "entropy":
        return optimal_thresholds(collector.hist_dict, dtype, logger=logger)
    if mode in ("naive", "customize"):
        return collector.min_max_dict  # type: ignore[no-any-return] # of a script's own class
    raise ValueError(f'calib_mode is "none", "naive", "entropy" or "customize", got {mode!r}.')


def _examples(data: Any, mode: str) -> Any:
    if data is None:
        raise ValueError(f"calib_data must be provided when calib_mode={mode}.")
    if not isinstance(data, DataIter):
        raise ValueError(f"calib_data is a mx.io.DataIter when calib_mode={mode}, got {type(data).__name__}.")
    return data


def _iterator(data: Any) -> Any:
    return data if isinstance(data, DataIter) else BatchesIter(data)


def _single(ctx: Context | None) -> Context:
    context = cpu() if ctx is None else ctx
    if not isinstance(context, Context):
        raise ValueError(f"quantization runs in one context, got {context!r}.")
    return context


def _log(logger: Any, text: str) -> None:
    if logger:
        logger.info(text)
