"""Bound graphs: what they compute, what they read and write, what they refuse, and on which CPUs (SPEC P5, X1-X4,
O4)."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import neuron_adapters
import neuron_rt
from neuron_adapters import mx
from neuron_adapters.mxnet._errors import UnsupportedOperatorError


@pytest.fixture(autouse=True)
def _own_runtime(own_runtime: None) -> None:
    """Each test has NCs of its own."""


def dense(name: str = "fc") -> mx.sym.Symbol:
    return mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name=name)


def arrays(batch: int = 2) -> dict[str, mx.nd.NDArray]:
    rng = np.random.default_rng(0)
    shapes = {"data": (batch, 4), "fc_weight": (3, 4), "fc_bias": (3,)}
    return {name: mx.nd.array(rng.random(shape)) for name, shape in shapes.items()}


def expected(args: dict[str, mx.nd.NDArray]) -> np.ndarray:
    values = {name: array.asnumpy() for name, array in args.items()}
    return values["data"] @ values["fc_weight"].T + values["fc_bias"]


def same(output: mx.nd.NDArray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(output.asnumpy(), wanted, rtol=1e-5, atol=1e-6)


@pytest.fixture(params=["neuron", "cpu"])
def bound(request: pytest.FixtureRequest) -> tuple[Any, dict[str, mx.nd.NDArray]]:
    args = arrays()
    return dense().bind(ctx=getattr(mx, request.param)(0), args=args, grad_req="null"), args


def test_forward(bound: tuple[Any, dict[str, mx.nd.NDArray]]) -> None:
    """Keyword arguments, NDArrays and NumPy's, go to the arguments; outputs are the same memory each time."""
    exe, args = bound
    (first,) = exe.forward()
    same(first, expected(args))
    x = np.random.default_rng(1).random((2, 4))
    (second,) = exe.forward(data=x)
    np.testing.assert_allclose(args["data"].asnumpy(), x.astype("f4"))
    same(second, expected(args))
    assert np.array_equal(first.asnumpy(), second.asnumpy())
    assert exe.outputs[0] is second
    same(exe.forward(is_train=False, data=mx.nd.ones((2, 4)))[0], expected(args))
    assert list(exe.output_dict) == ["fc_output"]
    assert exe.output_dict["fc_output"] is exe.outputs[0]
    assert list(exe.arg_dict) == ["data", "fc_weight", "fc_bias"]
    assert exe.aux_dict == {}
    assert "fc" in exe.debug_str()


def test_changes_show(bound: tuple[Any, dict[str, mx.nd.NDArray]]) -> None:
    """Whatever is written to an array, weights included, shows in the next call: in place, in part, by copy."""
    exe, args = bound
    exe.forward()
    changes: list[Callable[[], object]] = [
        lambda: args["data"].__setitem__(slice(None), 2),
        lambda: args["fc_weight"].__setitem__((0, 1), 7),
        lambda: args["fc_bias"].__iadd__(1),
        lambda: args["fc_weight"][1].__setitem__(slice(None), 3),
        lambda: exe.copy_params_from({"fc_weight": mx.nd.ones((3, 4)), "fc_bias": mx.nd.zeros((3,))}),
        lambda: mx.nd.ones((3, 4)).copyto(exe.arg_dict["fc_weight"]),
    ]
    for change in changes:
        change()
        same(exe.forward()[0], expected(args))
    for number in range(5):  # a weight that is fed each time is no weight
        weight = np.full((3, 4), number, "f4")
        same(exe.forward(fc_weight=weight)[0], expected(args))
    loads = exe._reloads["fc_weight"]
    exe.forward(fc_weight=np.full((3, 4), 9, "f4"))
    same(exe.outputs[0], expected(args))
    assert exe._reloads["fc_weight"] == loads
    assert "fc_weight" not in exe._held


def test_reshape(bound: tuple[Any, dict[str, mx.nd.NDArray]]) -> None:
    exe, args = bound
    smaller = exe.reshape(data=(1, 4))
    assert smaller.arg_dict["fc_weight"] is args["fc_weight"]
    assert smaller.forward()[0].shape == (1, 3)
    with pytest.raises(mx.MXNetError, match="allow_up_sizing"):
        exe.reshape(data=(5, 4))
    assert exe.reshape(allow_up_sizing=True, data=(5, 4)).forward()[0].shape == (5, 3)
    with pytest.raises(mx.MXNetError, match="partial_shaping"):
        exe.reshape(data=(2, 5), allow_up_sizing=True)


def test_what_mxnet_says(bound: tuple[Any, dict[str, mx.nd.NDArray]]) -> None:
    """The errors of MXNet's own executor, and what an inference-only one refuses."""
    exe, args = bound
    with pytest.raises(TypeError, match="Unknown argument label"):
        exe.forward(label=mx.nd.ones((2,)))
    with pytest.raises(ValueError, match=r"Argument data, need: \(2, 4\), received: \(3, 4\)"):
        exe.forward(data=mx.nd.ones((3, 4)))
    with pytest.raises(ValueError, match='"label"'):
        exe.copy_params_from({"label": mx.nd.ones((2,))})
    exe.copy_params_from({"label": mx.nd.ones((2,))}, allow_extra_params=True)
    with pytest.raises(mx.MXNetError, match="infers only"):
        exe.backward()
    same(exe.forward()[0], expected(args))


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        (lambda args: args.pop("fc_weight"), ValueError, "key `fc_weight` is missing in `args`"),
        (lambda args: args.update(fc_weight=mx.nd.ones((3, 5))), mx.MXNetError, "fc"),
        (lambda args: args.update(fc_weight="text"), TypeError, "str as fc_weight"),
    ],
)
def test_bind_refuses(change: Callable[[dict[str, Any]], object], kind: type[Exception], says: str) -> None:
    """One clear error, and nothing is placed."""
    args = arrays()
    change(args)
    with pytest.raises(kind, match=says):
        dense().bind(ctx=mx.neuron(0), args=args, grad_req="null")
    assert neuron_adapters.describe().models == ()


def test_bind_takes() -> None:
    """A list in order, NumPy's arrays, more than is needed; a float16 graph."""
    args = arrays()
    wanted = expected(args)
    for arguments in (
        list(args.values()),
        {**args, "more": mx.nd.ones((1,))},
        {k: v.asnumpy() for k, v in args.items()},
    ):
        same(dense().bind(ctx=mx.neuron(0), args=arguments, grad_req="null").forward()[0], wanted)
    half = {name: array.astype("float16") for name, array in args.items()}
    (output,) = dense().bind(ctx=mx.neuron(0), args=half, grad_req="null").forward()
    assert output.dtype == np.float16
    np.testing.assert_allclose(output.asnumpy(), wanted, rtol=1e-2)


@pytest.mark.parametrize("grad_req", ["write", {"data": "null", "fc_weight": "add", "fc_bias": "null"}])
def test_gradients_are_refused_on_ncs(grad_req: Any) -> None:
    """P3: inference only. On a CPU MXNet's default is let be."""
    with pytest.raises(mx.MXNetError, match="infer only"):
        dense().bind(ctx=mx.neuron(0), args=arrays(), grad_req=grad_req)
    with pytest.raises(mx.MXNetError, match="args_grad"):
        dense().bind(ctx=mx.neuron(0), args=arrays(), args_grad=arrays(), grad_req="null")
    dense().bind(ctx=mx.cpu(), args=arrays())


def test_gradients_that_were_asked_for() -> None:
    """Where none was, there is None, as in MXNet; any use of another says why there is nothing."""
    asked = {"data": "null", "fc_weight": "write", "fc_bias": "add"}
    for executor in (
        dense().bind(ctx=mx.cpu(), args=arrays(), grad_req=asked),
        dense().simple_bind(ctx=mx.cpu(), grad_req=["null", "write", "add"], data=(5, 4)),
        dense().simple_bind(ctx=mx.cpu(), grad_req=asked, data=(5, 4)).reshape(data=(2, 4)),
    ):
        assert executor.grad_dict["data"] is executor.grad_arrays[0] is None
        for gradient in (executor.grad_dict["fc_weight"], executor.grad_arrays[2]):
            for use in (
                lambda grad: grad.__setitem__(slice(None), 0), lambda grad: grad[0], lambda grad: grad.asnumpy(),
                lambda grad: grad * 2, np.asarray, list, bool,
            ):  # fmt: skip
                with pytest.raises(mx.MXNetError, match="infers only"):
                    use(gradient)
    assert dense().simple_bind(ctx=mx.cpu(), grad_req="null", data=(5, 4)).grad_arrays == [None] * 3
    for wrong in ("nonsense", ["null", "write", None], {"data": "all"}):
        with pytest.raises(ValueError, match="grad_req must be in"):
            dense().simple_bind(ctx=mx.cpu(), grad_req=wrong, data=(5, 4))


def test_arrays_of_simple_bind_are_in_the_context_of_their_group() -> None:
    with mx.AttrScope(ctx_group="first"):
        x = mx.sym.BatchNorm(mx.sym.var("data"), name="norm")
    with mx.AttrScope(ctx_group="second"):
        net = mx.sym.FullyConnected(x, num_hidden=3, name="dense")
    groups = {"first": mx.cpu(1), "second": mx.cpu(2)}
    exe = net.simple_bind(mx.cpu(), grad_req="null", group2ctx=groups, data=(5, 4))
    assert {name: array.context.device_id for name, array in {**exe.arg_dict, **exe.aux_dict}.items()} == {
        "data": 1, "norm_gamma": 1, "norm_beta": 1, "norm_moving_mean": 1, "norm_moving_var": 1,
        "dense_weight": 2, "dense_bias": 2,
    }  # fmt: skip
    assert exe.forward()[0].shape == (5, 3)
    with pytest.raises(mx.MXNetError, match="second"):
        net.simple_bind(mx.cpu(), grad_req="null", group2ctx={"first": mx.cpu(1)}, data=(5, 4))
    assert net.simple_bind(mx.cpu(), grad_req="null", data=(5, 4)).arg_dict["data"].context == mx.cpu()


def test_simple_bind() -> None:
    exe = mx.sym.SoftmaxOutput(dense(), name="softmax").simple_bind(ctx=mx.neuron(0), grad_req="null", data=(5, 4))
    assert {name: array.shape for name, array in exe.arg_dict.items()} == {
        "data": (5, 4), "fc_weight": (3, 4), "fc_bias": (3,), "softmax_label": (5,),
    }  # fmt: skip
    np.testing.assert_allclose(exe.forward()[0].asnumpy(), np.full((5, 3), 1 / 3), rtol=1e-6)
    error = pytest.raises(RuntimeError, match=r"simple_bind error. Arguments: \{\}")
    with error, pytest.warns(UserWarning, match="do not follow"):
        dense().simple_bind(ctx=mx.neuron(0), grad_req="null")


def test_unknown_operators_are_said_at_once() -> None:
    """All of them with their nodes, before anything is placed."""
    text = dense().tojson().replace('"FullyConnected"', '"MyOwnLayer"')
    with pytest.raises(UnsupportedOperatorError, match=r"MyOwnLayer \(fc\)") as raised:
        mx.sym.load_json(text).bind(ctx=mx.neuron(0), args=arrays(), grad_req="null")
    assert raised.value.operators == {"MyOwnLayer": ["fc"]}
    assert neuron_adapters.describe().models == ()


def heavy(name: str) -> mx.sym.Symbol:
    out = mx.sym.var("data")
    for number in range(3):
        out = mx.sym.Convolution(out, kernel=(3, 3), pad=(1, 1), num_filter=48, name=f"{name}{number}")
    return out


def bind_heavy(name: str, nc: int) -> Any:
    exe = heavy(name).simple_bind(ctx=mx.neuron(nc), grad_req="null", data=(1, 48, 48, 48))
    for array in exe.arg_arrays:
        array[:] = mx.nd.random.uniform(-0.1, 0.1, shape=array.shape)
    return exe


def test_work_stays_on_its_cpus(monkeypatch: pytest.MonkeyPatch, cpu_ticks: Callable[[], dict[int, int]]) -> None:
    """X1: two callers on two NCs compute in their own threads, each on the CPU of its NC, and are left as they were."""
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "host")
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("one CPU has one NeuronCore")
    executors = [bind_heavy("a", 0), bind_heavy("b", 1)]
    for executor in executors:
        executor.forward()
    where: dict[int, set[int]] = {0: set(), 1: set()}
    seen = {True: 0, False: 0}
    threads: dict[int, int] = {}
    stop = time.monotonic() + 1.5

    def feed(number: int) -> None:
        threads[number] = threading.get_native_id()
        while time.monotonic() < stop:
            executors[number].forward()
            slot = executors[number]._model.slot
            where[number] |= set(slot.cpus)
        assert os.sched_getaffinity(0) == set(cpus)

    before = cpu_ticks()
    callers = [threading.Thread(target=feed, args=(number,)) for number in (0, 1)]
    for caller in callers:
        caller.start()
    spent: dict[int, int] = {}
    while any(caller.is_alive() for caller in callers):
        spent |= cpu_ticks()
        for number, thread in list(threads.items()):
            with contextlib.suppress(OSError), open(f"/proc/self/task/{thread}/stat") as file:
                tied = os.sched_getaffinity(thread)
                fields = file.read().rpartition(")")[2].split()
                # Between two calls a thread has its own mask again and may be anywhere, for long on a busy machine.
                if fields[0] == "R" and tied == os.sched_getaffinity(thread) != set(cpus):
                    seen[int(fields[36]) == cpus[number]] += 1
        time.sleep(0.02)
    used = {thread: ticks - before.get(thread, 0) for thread, ticks in spent.items()}
    used.pop(threading.get_native_id(), None)  # it only looks
    total, own = sum(used.values()), sum(used.get(threads[number], 0) for number in (0, 1))
    assert own >= 0.9 * total > 0, used
    assert where == {0: {cpus[0]}, 1: {cpus[1]}}
    assert seen[True] > 10, seen
    assert seen[False] < 0.05 * seen[True], seen
    assert all(len(report.cpus) == 1 for report in neuron_adapters.describe().models)


def test_taking_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """P5: models on one NC switch, and the switches are counted; one executor may be called by several threads."""
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "1")
    args = arrays()
    first, second = (dense().bind(ctx=mx.neuron(0), args=args, grad_req="null") for _ in range(2))
    for exe in (first, second, first, first, second):
        exe.forward()
    assert [model.switches for model in neuron_adapters.describe().models] == [1, 2]
    callers = [threading.Thread(target=lambda: [first.forward() for _ in range(200)]) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    same(first.outputs[0], expected(args))
    assert neuron_adapters.describe().models[0].calls == 803


def test_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """X3."""
    monkeypatch.setenv("NEURON_RT_EXEC_TIMEOUT", "0.001")
    exe = heavy("slow").simple_bind(ctx=mx.neuron(0), grad_req="null", data=(8, 48, 96, 96))
    with pytest.raises(neuron_rt.ExecutionTimeoutError) as raised:
        exe.forward()
    assert raised.value.status == 5


def test_fork(run_script: Callable[..., str]) -> None:
    """O4: a child loads its own; what it inherited says so."""
    out = run_script("executor_fork.py")
    assert out == "[[2.]] (1,)\n[[2.]]\n"


def test_import_is_light(run_script: Callable[..., str]) -> None:
    """H3: no framework, no engine and nothing heavy comes with the import."""
    out = run_script("executor_import_is_light.py")
    assert out == "[]\n"


@pytest.mark.parametrize("context", [mx.cpu(), mx.neuron(1)], ids=str)
def test_reshape_stays_where_it_is(context: mx.Context) -> None:
    """A compiled graph on MXNet's CPU context, too, for which the runtime chose."""
    from neuron_adapters.mx._compile import compile_symbol

    args = arrays()
    data = args.pop("data")
    symbol, args, _aux = compile_symbol(dense(), args, {}, {"data": data}, **{"--neuroncore-pipeline-cores": 2})
    exe = symbol.bind(ctx=context, args={**args, "data": data}, grad_req="null")
    smaller = exe.reshape(data=(1, 4))
    assert neuron_adapters.placement(smaller) == neuron_adapters.placement(exe) != ()
    same(smaller.forward(data=data.asnumpy()[:1])[0], exe.forward()[0].asnumpy()[:1])


def test_weights_that_change_now_and_then_stay_weights() -> None:
    args = arrays()
    exe = dense().bind(ctx=mx.neuron(0), args=args, grad_req="null")
    for number in range(6):
        args["fc_weight"][:] = number
        for _ in range(2):
            same(exe.forward()[0], expected(args))
    assert "fc_weight" in exe._held


def test_eval() -> None:
    args = arrays()
    for context in (None, mx.cpu(), mx.neuron(0)):
        same(dense().eval(ctx=context, **args)[0], expected(args))


def test_the_name_of_the_plugin(run_script: Callable[..., str]) -> None:
    """``import mx_neuron`` is there after the import, compiles, and goes with uninstall()."""
    out = run_script("the_name_of_the_plugin.py")
    assert out == "['data', 'fc_weight', '_op0_neuronbin'] 1.8.0+neuron.adapters\nNo module named 'mx_neuron'\n"


def test_an_interrupted_run_leaves_no_trace(everywhere: Any) -> None:
    """SPEC X4: whatever was changed before a run, the next one computes with it, wherever this one was interrupted."""
    from neuron_adapters.mx import _executable, _placed
    from neuron_adapters.mxnet import executor
    from neuron_rt import openvino

    args = arrays()
    exe = dense().bind(ctx=mx.neuron(0), args=args, grad_req="null")
    rng = np.random.default_rng(3)

    def change_and_run() -> None:
        args["fc_weight"][:] = rng.random((3, 4))
        exe.forward(data=rng.random((2, 4)))

    files = [module.__file__ for module in (executor, _executable, _placed, openvino)]
    for _interrupted in everywhere(change_and_run, *files, step=9):
        for _ in range(3):  # a weight that changes run after run would become an input
            same(exe.forward()[0], expected(args))


def test_a_call_on_an_nc_may_run_what_another_thread_runs() -> None:
    """SPEC X4: inside a call, as a signal handler does; the other thread waits for the NC of that very call."""
    outer, inner = (dense().bind(ctx=mx.neuron(0), args=arrays(), grad_req="null") for _ in range(2))
    lanes = neuron_rt.init()._lanes
    thread = threading.Thread(target=inner.forward, daemon=True)

    def handler() -> None:
        thread.start()
        while not lanes.waiters:
            time.sleep(0.001)
        inner.forward()

    caller = threading.Thread(target=lambda: outer._model.run(handler), daemon=True)
    caller.start()
    for runner in (caller, thread):
        runner.join(20)
        assert not runner.is_alive(), "it hangs"


def calls_of(action):
    """How many functions of this project run, generators' turns included."""
    count = 0

    def profile(frame, event, _arg):
        nonlocal count
        file = frame.f_code.co_filename
        count += event == "call" and ("/neuron_adapters/" in file or "/neuron_rt/" in file)

    sys.setprofile(profile)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


def perceptron():
    hidden = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=16, name="hidden")
    scores = mx.sym.FullyConnected(mx.sym.Activation(hidden, act_type="relu", name="act"), num_hidden=4, name="scores")
    return mx.sym.SoftmaxOutput(scores, name="softmax")


def arrays_for(symbol, **shapes):
    rs = np.random.RandomState(0)
    inferred = zip(symbol.list_arguments(), symbol.infer_shape(**shapes)[0])
    return {name: mx.nd.array(rs.standard_normal(shape).astype("float32")) for name, shape in inferred}


@pytest.mark.parametrize("alive", [True, False])
def test_a_graph_is_walked_and_lowered_once(alive):
    """Binding it again costs few calls, whether or not the first executor is there."""
    symbol = perceptron()
    first = symbol.bind(mx.neuron(0), arrays_for(symbol, data=(2, 8)), grad_req="null")
    if not alive:
        del first
    arrays = arrays_for(symbol, data=(2, 8))
    assert calls_of(lambda: symbol.bind(mx.neuron(0), arrays, grad_req="null")) <= 400


def test_what_changes_after_a_bind_is_seen():
    """Symbols share nodes: attributes, names and inputs may change behind a symbol that was bound."""
    data = mx.sym.var("data")
    clipped = mx.sym.clip(data, a_min=0, a_max=1, name="clipped")
    doubled = clipped * 2
    array = {"data": mx.nd.array([-3.0, 0.5, 3.0])}
    before = doubled.bind(mx.neuron(0), array, grad_req="null")
    assert before.forward()[0].asnumpy().tolist() == [0, 1, 2]
    clipped._set_attr(a_max="2")
    after = doubled.bind(mx.neuron(0), array, grad_req="null")
    assert after.forward()[0].asnumpy().tolist() == [0, 1, 4]
    assert before.forward()[0].asnumpy().tolist() == [0, 1, 2]
    data._set_attr(__shape__="(3,)")
    assert doubled.infer_shape()[0] == [(3,)]
    clipped._entries[0].node.inputs[0].node.name = "renamed"
    assert doubled.list_arguments() == ["renamed"]
    assert doubled.infer_shape(renamed=(4,))[1] == [(4,)]


def test_a_plan_is_of_shapes_and_dtypes_and_reads_weights_anew():
    symbol = perceptron()
    for batch in (2, 3, 2):
        arrays = arrays_for(symbol, data=(batch, 8))
        arrays["scores_bias"][:] = np.arange(4) * batch
        hidden = np.maximum(
            arrays["data"].asnumpy() @ arrays["hidden_weight"].asnumpy().T + arrays["hidden_bias"].asnumpy(), 0
        )
        scores = hidden @ arrays["scores_weight"].asnumpy().T + arrays["scores_bias"].asnumpy()
        expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        (output,) = symbol.bind(mx.neuron(0), arrays, grad_req="null").forward()
        np.testing.assert_allclose(output.asnumpy(), expected, rtol=1e-4, atol=1e-6)


def test_a_reshaped_executor_shares_its_arrays() -> None:
    """A smaller array has the first numbers of the old, as in MXNet; a larger one is new."""
    symbol = mx.sym.FullyConnected(mx.sym.var("x"), mx.sym.var("w"), num_hidden=3, no_bias=True)
    executor = symbol.bind(mx.neuron(0), {"x": mx.nd.ones((4, 3)), "w": mx.nd.ones((3, 3))}, grad_req="null")
    smaller = executor.reshape(x=(2, 3))
    smaller.arg_dict["x"][:] = 5
    smaller.arg_dict["w"][:] = 2
    assert executor.forward()[0].asnumpy()[:, 0].tolist() == [30, 30, 6, 6]
    executor.arg_dict["x"][:] = 3
    assert smaller.forward()[0].asnumpy().tolist() == [[18] * 3] * 2
    larger = smaller.reshape(allow_up_sizing=True, x=(5, 3))
    larger.forward(x=np.ones((5, 3)))
    assert smaller.forward()[0].asnumpy().tolist() == [[18] * 3] * 2


def test_simple_bind_takes_names_that_the_graph_lacks() -> None:
    """As MXNet does: a label that only training needs."""
    executor = (mx.sym.var("x") * 2).simple_bind(
        mx.cpu(), grad_req="null", type_dict={"other": "int32"}, x=(2, 3), softmax_label=(2,)
    )
    assert list(executor.arg_dict) == ["x"]


@pytest.mark.parametrize(
    ("data", "gamma"), [((2, 3, 2, 2), (1, 3)), ((2, 3, 2, 2), (3,)), ((2, 3), (2, 3)), ((4,), (4,))]
)
def test_prelu_slopes(data: tuple[int, ...], gamma: tuple[int, ...]) -> None:
    slopes = np.arange(1, 1 + np.prod(gamma), dtype=np.float32).reshape(gamma)
    symbol = mx.sym.LeakyReLU(mx.sym.var("x"), mx.sym.var("g"), act_type="prelu")
    arrays = {"x": -mx.nd.ones(data), "g": mx.nd.array(slopes)}
    result = symbol.bind(mx.cpu(), arrays, grad_req="null").forward()[0].asnumpy()
    wide = slopes.reshape(gamma if len(gamma) > 1 or len(data) == 1 else (1, *gamma))
    np.testing.assert_array_equal(
        result, np.broadcast_to(-wide.reshape(*wide.shape, *[1] * (len(data) - wide.ndim)), data)
    )


def test_runs_for_training() -> None:
    """They are what inference is where no operator acts differently, which a NeuronCore never looks at."""
    args = arrays()
    on_cpu, on_nc = (dense().bind(context, args, grad_req="null") for context in (mx.cpu(), mx.neuron(0)))
    same(on_cpu.forward(is_train=True)[0], expected(args))
    with pytest.raises(mx.MXNetError, match="a NeuronCore infers"):
        on_nc.forward(is_train=True)
    x = {"x": mx.nd.ones((2, 3))}
    for symbol, says in (
        (mx.sym.Dropout(mx.sym.var("x"), name="d"), "Dropout d would act differently"),
        (mx.sym.LeakyReLU(mx.sym.var("x"), act_type="rrelu", name="r"), "LeakyReLU r would"),
        (mx.sym.Dropout(mx.sym.var("x"), p=0, name="d"), ""),
    ):
        executor = symbol.bind(mx.cpu(), x, grad_req="null")
        if not says:
            assert executor.forward(is_train=True)[0].asnumpy().tolist() == [[1, 1, 1]] * 2
            continue
        with pytest.raises(mx.MXNetError, match=says):
            executor.forward(is_train=True)


def test_reshape_shares_outputs() -> None:
    """The smaller executor writes the first numbers of the larger one's outputs, as in MXNet."""
    larger = dense().simple_bind(mx.cpu(), "null", data=(5, 4))
    larger.arg_dict["fc_bias"][:] = 4
    smaller = larger.reshape(data=(3, 4))
    smaller.forward()
    assert larger.outputs[0].asnumpy()[:3].tolist() == [[4, 4, 4]] * 3
    again = smaller.reshape(allow_up_sizing=True, data=(6, 4))
    assert again.forward()[0].shape == (6, 3)
    assert again.get_optimized_symbol().tojson() == larger._symbol.tojson()


@pytest.mark.parametrize("context", [mx.cpu(), mx.neuron(0)], ids=str)
def test_a_monitor_sees_every_operator(context: Any) -> None:
    args = arrays()
    exe = mx.sym.Activation(dense(), act_type="relu", name="act").bind(context, args, grad_req="null")
    seen: dict[bytes, Any] = {}
    exe.set_monitor_callback(lambda name, array: seen.update({name: array.asnumpy()}), monitor_all=True)
    exe.forward()
    assert list(seen) == [
        b"data", b"fc_data", b"fc_weight", b"fc_bias", b"fc_output", b"act_input0", b"act_output",
    ]  # fmt: skip
    np.testing.assert_allclose(seen[b"fc_output"], expected(args), rtol=1e-5)
    np.testing.assert_array_equal(seen[b"act_output"], exe.outputs[0].asnumpy())
    exe.set_monitor_callback(None)
    seen.clear()
    same(exe.forward()[0], expected(args))
    assert not seen
