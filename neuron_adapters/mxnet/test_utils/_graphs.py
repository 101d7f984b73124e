"""Graphs run on given or random numbers, and their results compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet._training import refuse_gradient, refuse_name
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.context import Context, current_context
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.symbol import Symbol
from neuron_adapters.mxnet.test_utils._comparing import Tolerance, assert_almost_equal

__all__ = [
    "check_consistency", "check_gluon_hybridize_consistency", "check_numeric_gradient", "check_speed",
    "check_symbolic_backward", "check_symbolic_forward", "compare_optimizer", "numeric_grad", "simple_forward",
]  # fmt: skip

Arrays = Sequence[Any] | Mapping[str, Any]


def simple_forward(sym: Symbol, ctx: Context | None = None, is_train: bool = False, **inputs: Any) -> Any:
    """Run a graph on NumPy arrays by name: the output, or a list of them, as NumPy arrays."""
    arrays = {name: ndarray.array(value) for name, value in inputs.items()}
    executor = sym.bind(current_context() if ctx is None else ctx, arrays, grad_req="null")
    outputs = [output.asnumpy() for output in executor.forward(is_train=is_train)]
    return outputs[0] if len(outputs) == 1 else outputs


def check_symbolic_forward(
    sym: Symbol,
    location: Arrays,
    expected: Arrays,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    aux_states: Arrays | None = None,
    ctx: Context | None = None,
    equal_nan: bool = False,
    dtype: Any = np.float32,
) -> list[NDArray]:
    """Run a graph and compare its outputs with ``expected``; returns the outputs.

    ``location``, ``aux_states``: arrays by name, or in the order of ``list_arguments()`` and
    ``list_auxiliary_states()``. ``dtype``: theirs, "asnumpy" to keep it. Raises AssertionError.
    """
    context = current_context() if ctx is None else ctx
    args = _named(location, sym.list_arguments(), "arguments", context, dtype)
    states = _named(aux_states or [], sym.list_auxiliary_states(), "auxiliary states", context, dtype)
    names = sym.list_outputs()
    wanted = [expected[name] for name in names] if isinstance(expected, Mapping) else expected
    executor = sym.bind(context, args, grad_req="null", aux_states=states)
    outputs: list[NDArray] = executor.forward(is_train=False)
    for name, value, output in zip(names, wanted, outputs):
        assert_almost_equal(value, output, rtol, atol, (f"expected {name}", f"computed {name}"), equal_nan)
    return outputs


def _named(arrays: Arrays, names: Sequence[str], what: str, context: Context, dtype: Any) -> dict[str, NDArray]:
    """Return arrays by the names of a graph. Raises MXNetValueError where they are not these."""
    if isinstance(arrays, Mapping) and set(arrays) != set(names):
        raise MXNetValueError(f"the graph has the {what} {', '.join(names)}, got {', '.join(arrays)}.")
    by_name = dict(arrays) if isinstance(arrays, Mapping) else dict(zip(names, arrays))
    return {
        name: ndarray.array(value, context, value.dtype if isinstance(dtype, str) else dtype)
        if isinstance(value, np.ndarray)
        else value
        for name, value in by_name.items()
    }


def check_consistency(
    sym: Symbol | Sequence[Symbol],
    ctx_list: Sequence[Mapping[str, Any]],
    scale: float = 1.0,
    grad_req: Any = "write",  # noqa: ARG001 - outputs are all there is to compare
    arg_params: Mapping[str, Any] | None = None,
    aux_params: Mapping[str, Any] | None = None,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    raise_on_err: bool = True,
    ground_truth: Mapping[str, Any] | None = None,
    equal_nan: bool = False,
    use_uniform: bool = False,
    rand_type: Any = np.float64,
) -> dict[str, Any]:
    """Run one graph, or several that have the same arguments and outputs, on the same numbers, and compare outputs.

    ``ctx_list``: the keywords of ``simple_bind`` for each run: ``ctx``, ``type_dict`` and shapes by name. Numbers that
    ``arg_params`` and ``aux_params`` do not have are random, and zeros. What counts is ``ground_truth``, or the first
    run of the highest precision; its outputs are returned, by name. Outputs are compared whatever ``grad_req`` says:
    there are no gradients. Raises AssertionError, or prints it where ``raise_on_err`` is False.
    """
    if len(ctx_list) < 2:
        raise MXNetValueError(f"a comparison takes at least two runs, got {len(ctx_list)}.")
    symbols = [sym] * len(ctx_list) if isinstance(sym, Symbol) else list(sym)
    outputs, arguments = symbols[0].list_outputs(), symbols[0].list_arguments()
    for symbol in symbols:
        if (symbol.list_outputs(), symbol.list_arguments()) != (outputs, arguments):
            raise AssertionError(f"{symbol!r} has other arguments or outputs than {symbols[0]!r}")
    executors = [symbol.simple_bind(**{"grad_req": "null", **run}) for symbol, run in zip(symbols, ctx_list)]
    args = dict(arg_params or {})
    for name, array in sorted(executors[0].arg_dict.items()):
        if name not in args:
            args[name] = (_drawn(array.shape, use_uniform) * scale).astype(rand_type)
    for executor in executors:
        for name, array in executor.arg_dict.items():
            array[:] = args[name]
        for name, array in executor.aux_dict.items():
            array[:] = (aux_params or {}).get(name, 0)
        executor.forward(is_train=False)
    best = int(np.argmax([np.dtype(executor.outputs[0].dtype).itemsize for executor in executors]))
    truth = executors[best].output_dict if ground_truth is None else dict(ground_truth)
    for place, executor in enumerate(executors):
        for name, output in zip(outputs, executor.outputs):
            _compare(output, truth[name], (f"run {place}", f"run {best}"), raise_on_err, (rtol, atol, equal_nan))
    return truth


def _drawn(shape: tuple[int, ...], use_uniform: bool) -> np.ndarray[Any, Any]:
    random = np.random  # by the generator that numpy.random.seed() starts
    return np.asarray(random.uniform(-0.92, 0.92, shape) if use_uniform else random.normal(size=shape))


def _compare(output: Any, truth: Any, names: Sequence[str], raise_on_err: bool, how: tuple[Any, Any, bool]) -> None:
    """Raise AssertionError where two runs differ; print it where ``raise_on_err`` is False."""
    try:
        assert_almost_equal(output, truth, how[0], how[1], names, how[2])
    except AssertionError as error:
        if raise_on_err:
            raise
        print(error)  # noqa: T201 - as asked for


def check_speed(
    sym: Symbol,
    location: Mapping[str, Any] | None = None,
    ctx: Context | None = None,
    N: int = 20,  # noqa: N803 - MXNet's name
    grad_req: Any = None,  # noqa: ARG001
    typ: str = "whole",
    **kwargs: Any,
) -> float:
    """Return the mean duration of ``N`` runs, in seconds. ``typ``: "forward"; "whole", with gradients, is refused.
    ``kwargs``: shapes by name, where there is no ``location``."""
    if typ != "forward":
        refuse_gradient('check_speed(typ="whole")')
    context = current_context() if ctx is None else ctx
    shapes = kwargs if location is None else {name: value.shape for name, value in location.items()}
    executor = sym.simple_bind(ctx=context, grad_req="null", **shapes)
    for name, array in executor.arg_dict.items():
        array[:] = _drawn(array.shape, use_uniform=False) if location is None else location[name]
    executor.forward()
    begin = time.perf_counter()
    for _ in range(N):
        executor.forward()
    return (time.perf_counter() - begin) / N


def check_numeric_gradient(*_args: Any, **_keywords: Any) -> NoReturn:
    """Refuse: there are no gradients."""
    refuse_gradient("check_numeric_gradient()")


def check_symbolic_backward(*_args: Any, **_keywords: Any) -> NoReturn:
    """Refuse: there are no gradients."""
    refuse_gradient("check_symbolic_backward()")


def numeric_grad(*_args: Any, **_keywords: Any) -> NoReturn:
    """Refuse: there are no gradients."""
    refuse_gradient("numeric_grad()")


def compare_optimizer(*_args: Any, **_keywords: Any) -> NoReturn:
    """Refuse: there are no optimizers."""
    refuse_name("compare_optimizer()")


def check_gluon_hybridize_consistency(
    net_builder: Callable[..., Any],
    data_l: Sequence[Any],
    numpy_func: Callable[..., Any] | None = None,
    test_grad: bool = True,
    rtol: Tolerance = 1e-4,
    atol: Tolerance = 1e-4,
) -> None:
    """Compare a block with its hybridized form, and with ``numpy_func`` of the same NumPy arrays.

    ``net_builder(prefix=...)`` makes the block. Raises AssertionError where they differ, MXNetError for ``test_grad``.
    """
    if test_grad:
        refuse_gradient("check_gluon_hybridize_consistency(test_grad=True)")
    plain, hybrid = net_builder(prefix="net_"), net_builder(prefix="net_")
    plain.initialize()
    hybrid.initialize()
    expected = plain(*[data.copy() for data in data_l]).asnumpy()
    hybrid(*[data.copy() for data in data_l])  # now the shapes of its parameters are known
    for name, parameter in hybrid.collect_params().items():
        parameter.set_data(plain.collect_params()[name].data())
    hybrid.hybridize()
    assert_almost_equal(hybrid(*[data.copy() for data in data_l]).asnumpy(), expected, rtol, atol)
    if numpy_func is not None:
        assert_almost_equal(expected, numpy_func(*[data.asnumpy() for data in data_l]), rtol, atol)
