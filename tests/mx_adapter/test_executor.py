"""Bound graphs: what they compute, what they read and write, and what they refuse (SPEC P5, X1-X4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dense_graph import arrays, dense, expected, same

import neuron_adapters
from neuron_adapters import mx
from neuron_adapters.mxnet._errors import UnsupportedOperatorError


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
