"""SPEC X, O4: where the real mxnet's work runs, and what executors see of the user's arrays."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mxnet as mx
import numpy as np
import pytest

import neuron_adapters
import neuron_rt
from neuron_rt.execution import BRIEF


def test_cpus_are_untouched(net: Any) -> None:
    """SPEC H2, K2: on mx.cpu() it is mxnet's executor, and no NeuronCore is taken."""
    arrays = {**net.args, "data": net.x}
    executor = net.symbol.bind(mx.cpu(), arrays, grad_req="null", aux_states=net.aux)
    assert type(executor) is mx.executor.Executor
    assert executor.arg_dict["data"] is arrays["data"]
    assert executor.forward()[0].asnumpy().tobytes() == net.expected.tobytes()
    simple = net.symbol.simple_bind(mx.cpu(), data=net.x.shape)
    assert type(simple) is mx.executor.Executor
    assert simple.grad_dict["conv_weight"] is not None
    simple.copy_params_from(net.args, net.aux)
    simple.forward(is_train=True, data=net.x)
    simple.backward(mx.nd.ones((2, 5)))
    assert float(simple.grad_dict["head_bias"].sum().asscalar()) == 10
    assert neuron_adapters.placement(simple) == ()
    assert neuron_rt.current() is None


def test_the_same_bits(net: Any) -> None:
    """SPEC K2, X2: an uncompiled graph on NeuronCores, by bind and by simple_bind."""
    bound = net.symbol.bind(mx.neuron(3), {**net.args, "data": net.x}, grad_req="null", aux_states=net.aux)
    simple = net.symbol.simple_bind(mx.neuron(5), grad_req="null", data=net.x.shape)
    simple.copy_params_from(net.args, net.aux)
    for executor, place in ((bound, "NC3"), (simple, "NC5")):
        assert isinstance(executor, mx.executor.Executor)
        (output,) = executor.forward(data=net.x)
        assert output.context == mx.cpu()
        assert output is executor.outputs[0]
        assert output.asnumpy().tobytes() == net.expected.tobytes()
        assert executor.output_dict["head_output"] is output
        assert str(neuron_adapters.placement(executor)[0]) == place
    again = net.symbol.bind(mx.neuron(4), simple.arg_dict, grad_req="null", aux_states=simple.aux_dict)
    assert np.array_equal(again.forward()[0].asnumpy(), net.expected), "arrays of one executor in another"


def test_joined_operators(net: Any) -> None:
    """SPEC K2: other types than float32, which mxnet does not join."""
    symbol = net.symbol.get_internals()["conv_output"]
    args = {name: net.args[name].astype("float64") for name in ("conv_weight", "conv_bias")}
    args["data"] = net.x.astype("float64")
    expected, result = (symbol.bind(ctx, args, grad_req="null").forward()[0] for ctx in (mx.cpu(), mx.neuron(0)))
    assert result.dtype == np.float64
    assert result.asnumpy().tobytes() == expected.asnumpy().tobytes()
    assert np.array_equal(symbol.eval(mx.neuron(1), **args)[0].asnumpy(), expected.asnumpy())


def test_shapes_that_follow_from_values() -> None:
    symbol = mx.sym.contrib.boolean_mask(mx.sym.var("data"), mx.sym.var("index"))
    arrays = {"data": mx.nd.array([[1, 2], [3, 4], [5, 6]]), "index": mx.nd.array([1, 0, 1])}
    executor = symbol.bind(mx.neuron(0), arrays, grad_req="null")
    (selected,) = executor.forward()
    assert selected.asnumpy().tolist() == [[1, 2], [5, 6]]
    assert selected.context == mx.cpu()


def test_sparse_arrays_are_refused() -> None:
    symbol = mx.sym.dot(mx.sym.var("left", stype="csr"), mx.sym.var("right"))
    arrays = {"left": mx.nd.ones((3, 2)).tostype("csr"), "right": mx.nd.ones((2, 2))}
    with pytest.raises(mx.base.MXNetError, match="sparse"):
        symbol.bind(mx.neuron(0), arrays, grad_req="null")


def test_arrays(net: Any, compiled: Callable[[int], Any]) -> None:
    """Inputs are the user's arrays, read at each run; weights are the executor's, seen through it."""
    for model in (net, compiled(2)):
        data = mx.nd.zeros(net.x.shape)
        weights = {name: array.copy() for name, array in model.args.items()}
        executor = model.symbol.bind(mx.neuron(0), {**weights, "data": data}, grad_req="null", aux_states=model.aux)
        assert executor.arg_dict["data"] is data
        blank = executor.forward()[0].asnumpy()
        data[:] = net.x
        assert np.array_equal(executor.forward()[0].asnumpy(), net.expected)
        executor.forward(data=np.zeros(net.x.shape))
        assert not data.asnumpy().any()
        assert np.array_equal(executor.outputs[0].asnumpy(), blank)
        executor.arg_dict["head_bias"][:] += 1
        assert np.allclose(executor.forward(data=net.x)[0].asnumpy(), net.expected + 1, atol=1e-5)
        executor.copy_params_from(net.args, net.aux)
        assert np.array_equal(executor.forward()[0].asnumpy(), net.expected)
        executor.aux_dict["norm_moving_mean"][:] += 1
        executor.arg_dict["conv_weight"][:] *= 2  # mxnet looks at these, and then at all that it has joined with them
        changed = {"conv_weight": net.args["conv_weight"] * 2}, {"norm_moving_mean": net.aux["norm_moving_mean"] + 1}
        on_cpu = net.symbol.simple_bind(mx.cpu(), grad_req="null", data=net.x.shape)
        on_cpu.copy_params_from({**net.args, **changed[0]}, {**net.aux, **changed[1]})
        expected = on_cpu.forward(data=net.x)[0].asnumpy()
        assert np.array_equal(executor.forward()[0].asnumpy(), expected)
        assert executor.forward(data=mx.nd.ones(net.x.shape, dtype="int32"))[0].dtype == np.float32
        assert data.asnumpy().all()
        with pytest.raises(TypeError, match="Unknown argument"):
            executor.forward(other=net.x)
        with pytest.raises(ValueError, match="Shape not match"):
            executor.forward(data=mx.nd.ones((1, 3, 8, 8)))
        with pytest.raises(ValueError, match="only accept"):
            executor.forward(data=[1])
    with pytest.raises(ValueError, match="data"):
        net.symbol.bind(mx.neuron(0), net.args, grad_req="null", aux_states=net.aux)


def test_reshape(net: Any, compiled: Callable[[int], Any]) -> None:
    for model in (net, compiled(2)):
        executor = model.symbol.bind(
            mx.neuron(0), {**model.args, "data": net.x.copy()}, grad_req="null", aux_states=model.aux
        )
        smaller = executor.reshape(data=(1, 3, 8, 8))
        result = smaller.forward(data=net.x[:1])[0].asnumpy()
        assert np.allclose(result, net.expected[:1], atol=1e-5)
        assert result.shape == (1, 5)
        smaller.arg_dict["head_bias"][:] += 1
        assert np.allclose(executor.forward(data=net.x)[0].asnumpy(), net.expected + 1, atol=1e-5), "weights are shared"
        with pytest.raises(mx.base.MXNetError):
            executor.reshape(data=(9, 3, 8, 8))


def test_inference_only(net: Any) -> None:
    """What a NeuronCore does not do is refused when it is asked for."""
    arrays = {**net.args, "data": net.x}
    for attempt in (
        lambda: net.symbol.bind(mx.neuron(0), arrays, aux_states=net.aux),
        lambda: net.symbol.bind(mx.neuron(0), arrays, net.args, "null", net.aux),
        lambda: net.symbol.simple_bind(mx.neuron(0), data=net.x.shape),
        lambda: net.symbol.simple_bind(mx.neuron(0), grad_req={"data": "add"}, data=net.x.shape),
    ):
        with pytest.raises(mx.base.MXNetError, match="infer only"):
            attempt()
    executor = net.symbol.bind(mx.neuron(0), arrays, grad_req="null", aux_states=net.aux)
    for attempt in (lambda: executor.forward(is_train=True), executor.backward):
        with pytest.raises(mx.base.MXNetError, match="infer only"):
            attempt()


def test_errors_pass(net: Any) -> None:
    """SPEC X2: what mxnet raises while it runs."""

    class Fails(mx.operator.CustomOp):
        def forward(self, is_train: Any, req: Any, in_data: Any, out_data: Any, aux: Any) -> None:
            raise ValueError("out of luck")

    @mx.operator.register("fails")
    class Prop(mx.operator.CustomOpProp):
        def create_operator(self, ctx: Any, shapes: Any, dtypes: Any) -> Any:
            return Fails()

    symbol = mx.sym.Custom(mx.sym.var("data"), op_type="fails", name="custom")
    executor = symbol.bind(mx.neuron(0), {"data": mx.nd.ones((2,))}, grad_req="null")
    with pytest.raises(mx.base.MXNetError, match="ustom"):
        executor.forward()
    other = net.symbol.bind(mx.neuron(0), {**net.args, "data": net.x}, grad_req="null", aux_states=net.aux)
    assert np.array_equal(other.forward()[0].asnumpy(), net.expected)


def convolutions() -> tuple[Any, dict[str, Any]]:
    h = mx.sym.var("data")
    for index in range(4):
        h = mx.sym.Convolution(h, kernel=(3, 3), pad=(1, 1), num_filter=32, name=f"conv{index}")
    shapes, _outputs, _aux = h.infer_shape(data=(1, 16, 64, 64))
    return h, {name: mx.nd.random.uniform(-0.1, 0.1, shape) for name, shape in zip(h.list_arguments(), shapes)}


def as_executor(index: int) -> Any:
    symbol, args = convolutions()
    executor = symbol.bind(mx.neuron(index), args, grad_req="null")
    return executor, executor.forward


def as_block(index: int) -> Any:
    symbol, args = convolutions()
    block = mx.gluon.SymbolBlock(symbol, mx.sym.var("data"))
    for name, parameter in block.collect_params().items():
        parameter._load_init(args[name], mx.neuron(index))
    x = args["data"]
    block(x)
    return block, lambda: block(x)


@pytest.mark.parametrize("make", [as_executor, as_block])
def test_work_stays_on_its_cpus(
    make: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch, cpu_ticks: Callable[[], dict[int, int]]
) -> None:
    """SPEC X1, P5: two models in two threads, each on its NC's CPU alone, mxnet's own threads included."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one CPU holds everything anyway")
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "host")
    mx.nd.ones((4,)).asnumpy()  # mxnet was used before
    models = [make(index) for index in range(2)]
    for _model, call in models:
        call()
    homes = [set(report.cpus) for report in neuron_adapters.describe().models]
    assert len(homes) == 2
    assert all(len(home) == 1 for home in homes)
    assert homes[0] != homes[1]
    mask = os.sched_getaffinity(0)
    clients: dict[int, int] = {}
    bound: dict[int, set[frozenset[int]]] = {}
    before = cpu_ticks()

    def client(index: int) -> None:
        clients[threading.get_native_id()] = index
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            models[index][1]()
        assert os.sched_getaffinity(0) == mask  # SPEC X1: the caller is put back

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(client, index) for index in range(2)]
        while not all(job.done() for job in jobs):
            for thread, index in list(clients.items()):
                bound.setdefault(index, set()).add(frozenset(os.sched_getaffinity(thread)))
            time.sleep(0.005)
        for job in jobs:
            job.result()
        used = {thread: ticks - before.get(thread, 0) for thread, ticks in cpu_ticks().items()}
        masks = {thread: os.sched_getaffinity(thread) for thread in used if used[thread]}
    # The callers, bound while they call, copy and wait; mxnet's threads compute, one on each CPU.
    assert all(
        frozenset(homes[index]) in seen and seen <= {frozenset(homes[index]), frozenset(mask)}
        for index, seen in bound.items()
    )
    by_home = [sum(ticks for thread, ticks in used.items() if masks.get(thread) == home) for home in homes]
    others = (
        sum(used.values()) - sum(by_home) - sum(used.get(thread, 0) for thread in (*clients, threading.get_native_id()))
    )
    assert all(ticks > 10 for ticks in by_home), (used, masks)
    assert others < 0.1 * sum(by_home), (used, masks)


def test_threads_that_a_fork_made_anew(
    monkeypatch: pytest.MonkeyPatch, cpu_ticks: Callable[[], dict[int, int]]
) -> None:
    """SPEC X1: at a fork mxnet ends its threads, in the parent too, and makes them when they are next needed. That may
    be by a model so brief that its caller is not bound."""
    mask = os.sched_getaffinity(0)
    if len(mask) < 2:
        pytest.skip("one CPU holds everything anyway")
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "host")
    small = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, no_bias=True)
    brief = small.simple_bind(mx.neuron(0), grad_req="null", data=(1, 2))
    _executor, call = as_executor(0)
    (home,) = (set(report.cpus) for report in neuron_adapters.describe().models[:1])
    os.sched_setaffinity(0, home)
    while neuron_rt.current().models()[0].slot.last > BRIEF:
        brief.forward()
    os.sched_setaffinity(0, mask)
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    brief.forward()
    before = cpu_ticks()
    end = time.monotonic() + 0.7
    while time.monotonic() < end:
        call()
    used = {thread: ticks - before.get(thread, 0) for thread, ticks in cpu_ticks().items()}
    at_home = sum(ticks for thread, ticks in used.items() if ticks and os.sched_getaffinity(thread) == home)
    others = sum(used.values()) - at_home - used[threading.get_native_id()]
    assert at_home > 10, used
    assert others < 0.1 * at_home, used


def test_one_at_a_time(compiled: Callable[[int], Any], net: Any) -> None:
    """SPEC P5: models that share an NC take turns, from any number of threads, and every result is right."""
    models = [compiled(cores) for cores in (4, 3)]
    executors = [
        model.symbol.bind(mx.neuron(start), {**model.args, "data": net.x.copy()}, grad_req="null", aux_states=model.aux)
        for model, start in zip(models, (2, 5))
    ]

    def client(executor: Any) -> None:
        for _ in range(50):
            assert np.array_equal(executor.forward()[0].asnumpy(), net.expected)

    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(client, executor) for executor in executors]:
            job.result()
    assert [report.calls for report in neuron_adapters.describe().models] == [50, 50]
    assert sum(report.switches for report in neuron_adapters.describe().models) >= 1


def test_fork(script: Callable[..., str]) -> None:
    """SPEC O4: an executor does not survive fork, and says so; the child has a runtime of its own."""
    said = script("execution_fork.py", NEURON_RT_NUM_CORES="2")
    assert said == "ModelNotLoadedError True\n" * 2 + "[[4.0, 4.0]]\n" * 2
