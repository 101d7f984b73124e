"""Symbols: what MXNet 1.9.1 made of the same words; attributes, names, inference, errors."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neuron_adapters.mx.base import MXNetError

from neuron_adapters import mx
from neuron_adapters.mxnet._signatures import called
from neuron_adapters.mxnet.operators import find, names

HERE = Path(__file__).parent / "fixtures"
ANSWERS = json.loads((HERE / "answers.json").read_text())


def _scoped(make: Any, **attributes: str) -> Any:
    with mx.AttrScope(**attributes):
        return make()


def _prefixed(prefix: str, make: Any) -> Any:
    with mx.name.Prefix(prefix):
        return make()


def _symbol(text: str) -> mx.Symbol:
    with mx.name.NameManager():
        known = {"mx": mx, "np": np, "x": mx.sym.var("x"), "y": mx.sym.var("y")}
        return eval(text, {**known, "scoped": _scoped, "prefixed": _prefixed})


@pytest.mark.parametrize("text", list(ANSWERS["symbols"]))
def test_symbols_are_what_mxnet_makes_of_them(text: str) -> None:
    graph, expected = _symbol(text), ANSWERS["symbols"][text]
    assert graph.tojson() == expected["json"]
    assert graph.list_arguments() == expected["arguments"]
    assert graph.list_outputs() == expected["outputs"]
    assert graph.list_auxiliary_states() == expected["auxiliary"]
    assert graph.get_internals().list_outputs() == expected["internals"]
    assert graph.attr_dict() == expected["attributes"]
    assert graph.name == expected["name"]
    assert mx.sym.load_json(graph.tojson()).list_outputs() == expected["outputs"]


@pytest.mark.parametrize("text", list(ANSWERS["shapes"]))
def test_shapes_are_what_mxnet_infers(text: str) -> None:
    expected = [[tuple(shape) for shape in part] for part in ANSWERS["shapes"][text]]
    input_shape = expected[0][0]
    graph = _symbol(text)
    assert list(graph.infer_shape(x=input_shape)) == expected
    assert list(graph.infer_shape(input_shape)) == expected


def test_shapes_that_do_not_follow_or_contradict() -> None:
    fc = mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=3, name="fc")
    with pytest.warns(UserWarning, match="fc_weight"):
        assert fc.infer_shape() == (None, None, None)
    assert fc.infer_shape_partial(x=(0, 4)) == ([(0, 4), (3, 4), (3,)], [(0, 3)], [])
    assert fc.infer_shape((2, 4), None, None)[1] == [(2, 3)]
    assert mx.sym.var("z", shape=(2, 3)).infer_shape() == ([(2, 3)], [(2, 3)], [])
    with pytest.raises(MXNetError, match="fc"):
        fc.infer_shape(x=(2, 4), fc_weight=(5, 5))
    with pytest.raises(MXNetError, match="fc_weight, fc_bias"):
        fc.infer_shape(foo=(2, 4))
    with pytest.raises(ValueError, match="not both"):
        fc.infer_shape((2, 4), x=(2, 4))
    with pytest.raises(TypeError, match="tuple"):
        fc.infer_shape(x=4)


def test_dtypes() -> None:
    bn = mx.sym.BatchNorm(mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=3), name="bn")
    half, single = np.float16, np.float32
    assert bn.infer_type(x="float16") == ([half, half, half, single, single], [half], [single, single])
    assert mx.sym.var("q", dtype="int8").infer_type() == ([np.int8], [np.int8], [])


def test_every_operator_has_a_function_that_says_how_it_is_called() -> None:
    for name in names():
        function = getattr(mx.sym, name)
        assert function.__name__ == name
        assert function.__doc__
        assert "name" in inspect.signature(function).parameters
    assert list(inspect.signature(mx.sym.clip).parameters) == ["data", "a_min", "a_max", "name", "attr"]
    assert "Convolution" in dir(mx.sym)
    assert "box_nms" in dir(mx.sym.contrib)
    assert find("Convolution") is not None
    unknown = [name for name in names() if called(name) is None and not name.startswith("_")]
    assert sorted(unknown) == ["CuDNNBatchNorm", "MultiBoxDetection", "MultiBoxPrior"]


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("mx.sym.FullyConnected(x, num_hidden=7, bogus=1)", MXNetError, "num_hidden, no_bias, flatten"),
        ("mx.sym.FullyConnected(x)", MXNetError, "needs num_hidden"),
        ("mx.sym.FullyConnected(x, num_hidden='many').infer_shape(x=(1, 2))", MXNetError, "num_hidden"),
        ("mx.sym.FullyConnected(5, num_hidden=2)", TypeError, "Symbols as its inputs"),
        ("mx.sym.FullyConnected(data=np.ones(2), num_hidden=2)", TypeError, "Symbols as its inputs"),
        ("mx.sym.FullyConnected(x, data=x, num_hidden=2)", MXNetError, "twice"),
        ("mx.sym.FullyConnected(x, nope=x, num_hidden=2)", MXNetError, "data, weight, bias"),
        ("mx.sym.FullyConnected(x, x, x, num_hidden=2, no_bias=True)", MXNetError, "takes 2 inputs"),
        ("mx.sym.FullyConnected(x, num_hidden=2, attr={'weight_lr_mult': '5'})", MXNetError, "weight=mx.sym.var"),
        ("mx.sym.clip(x, 0, 6, 7)", TypeError, "at most 3"),
        ("mx.sym.clip(x, 0, a_min=1, a_max=2)", TypeError, "a_min twice"),
        ("mx.sym.Concat()", MXNetError, "at least one"),
        ("mx.sym.split(x, num_outputs=2) + 1", MXNetError, "choose one"),
        ("mx.sym.contrib.fft(x)", AttributeError, "mx.sym.contrib.fft is not in this package"),
        ("mx.sym.nope(x)", AttributeError, "not in this package"),
        ("mx.sym.contrib.nope(x)", AttributeError, "mx.sym.contrib.nope is not in this package"),
        ("mx.sym.khatri", AttributeError, "khatri"),
        ("mx.sym.Activation(x, act_type='zzz')", MXNetError, "act_type is one of relu, sigmoid"),
        ("mx.sym.Pooling(x, kernel=(2, 2), pool_type='mean')", MXNetError, "pool_type is one of avg, lp, max, sum"),
        ("mx.sym.take(x, y, mode='none')", MXNetError, "mode is one of clip, raise, wrap, got 'none'"),
        ("x.nope", AttributeError, "nope"),
        ("x + 'a'", TypeError, "str"),
        ("x + True", TypeError, "bool"),
        ("x + np.ones(2)", TypeError, "ndarray"),
        ("bool(x)", MXNetError, "neither true nor false"),
        ("hash(x)", TypeError, "unhashable"),
        ("mx.sym.var(3)", TypeError, "string"),
        ("mx.sym.var('q', foo=1)", ValueError, "underscores"),
        ("mx.sym.var('q', attr={'a': 1})", ValueError, "a=1"),
        ("mx.sym.Group([])", TypeError, "list"),
        ("mx.sym.Group([1])", TypeError, "list"),
        ("mx.sym.Group([x, y])[2]", IndexError, "2 outputs"),
        ("mx.sym.Group([x, y])[-1]", IndexError, "from 0"),
        ("mx.sym.Group([x, y])['z']", ValueError, "no outputs"),
        ("mx.sym.Group([x, x])['x']", ValueError, "2 outputs"),
        ("mx.sym.Group([x, y])[1.0]", TypeError, "number, name or slice"),
        ("x(y, x=y)", TypeError, "not both"),
        ("x(y, y)", MXNetError, "1 arguments"),
        ("x(z=y)", MXNetError, "no argument"),
        ("x(x=mx.sym.Group([y, y]))", MXNetError, "one output"),
        ("x(5)", TypeError, "symbols"),
        ("mx.AttrScope(a=1)", ValueError, "a=1"),
    ],
)
def test_what_is_wrong_is_said(text: str, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind) as caught:
        _symbol(text)
    assert says in str(caught.value)


def test_choosing_outputs() -> None:
    fc = mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=3, name="fc")
    assert fc.get_internals()["fc_weight"].list_outputs() == ["fc_weight"]
    assert fc.get_children().list_outputs() == ["x", "fc_weight", "fc_bias"]
    assert mx.sym.var("x").get_children() is None
    group = mx.sym.Group([fc, mx.sym.var("y")])
    assert (len(group), [symbol.name for symbol in group], group[1:].list_outputs()) == (2, ["fc", "y"], ["y"])
    assert (repr(group), repr(fc), group.name, group.list_attr()) == ("<Symbol group [fc, y]>", "<Symbol fc>", None, {})


def test_composing_leaves_the_original_alone() -> None:
    net = mx.sym.FullyConnected(mx.sym.var("in"), num_hidden=3, name="fc")
    before = net.tojson()
    composed = net(**{"in": mx.sym.relu(mx.sym.var("d"), name="r")}, name="new")
    assert composed.list_arguments() == ["d", "fc_weight", "fc_bias"]
    assert composed.list_outputs() == ["new_output"]
    assert net(mx.sym.var("other")).list_arguments()[0] == "other"
    assert net.tojson() == before


def test_copies_are_equal_and_independent() -> None:
    net = mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=3, name="fc")
    for twin in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net)), mx.sym.fromjson(net.tojson())):
        assert twin.tojson() == net.tojson()
        twin._set_attr(mood="new")
    assert net.attr("mood") is None


def test_attributes_that_mxnet_hides() -> None:
    x = mx.sym.var("x", lr_mult=2.0)
    x._set_attr(wd_mult="3")
    assert (x.attr("lr_mult"), x.attr("__lr_mult__"), x.attr("__wd_mult__"), x.attr("none")) == (
        "2.0",
        "2.0",
        "3",
        None,
    )
    with pytest.raises(DeprecationWarning, match="attr_dict"):
        x.list_attr(recursive=True)


def test_names_and_scopes_are_the_threads() -> None:
    seen: list[Any] = []
    with mx.name.Prefix("p_"), mx.AttrScope(__a__="1"), mx.AttrScope(__b__="2"):
        thread = threading.Thread(target=lambda: seen.append(mx.sym.relu(mx.sym.var("x"))))
        thread.start()
        thread.join()
        inside = mx.sym.relu(mx.sym.var("x"))
    assert (seen[0].name, seen[0].list_attr()) == ("relu0", {})
    assert (inside.name, inside.list_attr()) == ("p_relu0", {"__a__": "1", "__b__": "2"})
    assert mx.sym.var("x").list_attr() == {}


def test_names_go_on_where_a_scope_ends() -> None:
    with mx.name.NameManager():
        first = mx.sym.relu(mx.sym.var("x"))
        with mx.name.NameManager():
            inside = mx.sym.relu(mx.sym.var("x"))
        second = mx.sym.relu(mx.sym.var("x"))
    assert [first.name, inside.name, second.name] == ["relu0", "relu0", "relu1"]


def test_numpy_numbers_are_written_as_pythons() -> None:
    pooling = mx.sym.Pooling(mx.sym.var("x"), kernel=(np.int64(2), np.int32(3)), pool_type="max")
    assert pooling.attr("kernel") == "(2, 3)"
    assert (mx.sym.var("x") * np.float32(0.5)).attr("scalar") == "0.5"
    assert mx.sym.cast(mx.sym.var("x"), dtype=np.float16).attr("dtype") == "float16"
    assert mx.sym.slice(mx.sym.var("x"), begin=(0, None), end=[np.int64(1)]).list_attr() == {
        "begin": "(0, None)",
        "end": "[1]",
    }


def test_files(tmp_path: Path) -> None:
    net = mx.sym.FullyConnected(mx.sym.var("é"), num_hidden=3, name="fc")
    net.save(tmp_path / "net.json")
    assert (tmp_path / "net.json").read_bytes() == net.tojson().encode()
    assert mx.sym.load(tmp_path / "net.json").list_arguments()[0] == "é"
    with pytest.raises(MXNetError, match="not JSON"):
        mx.sym.load_json("nonsense")
    with pytest.raises(TypeError, match="string"):
        mx.sym.load_json(3)


def test_deep_graphs_need_no_stack() -> None:
    net = mx.sym.var("x")
    for _ in range(3000):
        net = net + 1
    assert net.list_arguments() == ["x"]
    assert net(x=mx.sym.var("y")).list_arguments() == ["y"]
    assert len(net.get_internals()) == 3001
    assert copy.copy(net).tojson() == net.tojson()


def test_debug_str_names_all_nodes() -> None:
    text = mx.sym.Group([mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=3, name="fc"), mx.sym.var("y")]).debug_str()
    for line in ("output[1]=y(0)", "Variable:fc_weight", "Op:FullyConnected, Name=fc", "arg[0]=x(0)", "num_hidden=3"):
        assert line in text


def _v(name: str, *shape: int) -> mx.sym.Symbol:
    return mx.sym.var(name, shape=shape) if shape else mx.sym.var(name)


#: What MXNet 1.9.1 says: the graph, and the shapes of its arguments and outputs, of which 0 is not known.
PARTIAL = {
    "dot": (lambda: mx.sym.dot(_v("a", 0, 3, 4), _v("b", 4, 5)), [(0, 3, 4), (4, 5)], [(0, 3, 5)]),
    "batch_dot": (lambda: mx.sym.batch_dot(_v("a", 0, 3, 4), _v("b", 0, 4, 5)), [(0, 3, 4), (0, 4, 5)], [(0, 3, 5)]),
    "open sum": (lambda: mx.sym.batch_dot(_v("a", 0, 3, 4), _v("b", 0, 0, 5)), [(0, 3, 4), (0, 0, 5)], [()]),
    "transpose": (lambda: mx.sym.transpose(_v("a", 0, 3, 7, 9), axes=(0, 3, 2, 1)), [(0, 3, 7, 9)], [(0, 9, 7, 3)]),
    "pick": (lambda: mx.sym.pick(_v("a", 0, 3, 3), _v("b", 0, 3), axis=1), [(0, 3, 3), (0, 3)], [(0, 3)]),
    "where": (lambda: mx.sym.where(_v("a", 0, 2), _v("b", 0, 2), _v("c", 0, 2)), [(0, 2)] * 3, [()]),
    "sizes of -1": (lambda: mx.sym.FullyConnected(_v("a", -1, 3), num_hidden=2, no_bias=True, name="f"),
                    [(0, 3), (2, 3)], [(0, 2)]),
    "convolution": (lambda: mx.sym.Convolution(_v("a", 0, 10, 0, 0), num_filter=21, kernel=(3, 3), pad=(1, 1),
                                               no_bias=True, name="f") + _v("b", 5, 21, 32, 32),
                    [(5, 10, 32, 32), (21, 10, 3, 3), (5, 21, 32, 32)], [(5, 21, 32, 32)]),
    "parts": (lambda: mx.sym.SliceChannel(_v("a", 0, 15, 0), num_outputs=3)[1] + _v("b", 3, 5, 2),
              [(3, 15, 2), (3, 5, 2)], [(3, 5, 2)]),
    "squeezed parts": (lambda: mx.sym.SliceChannel(_v("a", 0, 10), num_outputs=10, squeeze_axis=True)[1] + _v("b", 5),
                       [(5, 10), (5,)], [(5,)]),
    "concat": (lambda: mx.sym.Concat(_v("a", 0, 10), _v("b", 0, 5), dim=1) + _v("c", 2, 0),
               [(2, 10), (2, 5), (2, 15)], [(2, 15)]),
}  # fmt: skip


@pytest.mark.parametrize("graph", PARTIAL)
def test_partial_shapes(graph: str) -> None:
    make, arguments, outputs = PARTIAL[graph]
    assert make().infer_shape_partial()[:2] == (arguments, outputs)
    with mx.np_shape():
        assert not mx.is_np_array()
        assert mx.is_np_shape()
        shown = make().infer_shape_partial()
    assert shown[0] == [tuple(size or -1 for size in shape) for shape in arguments]
    assert shown[1] == [tuple(size or -1 for size in shape) or None for shape in outputs]
    assert not mx.is_np_shape()


def test_a_size_that_only_values_bound_is_not_known() -> None:
    """A slice of an axis whose size is not known may be shorter than the slice."""
    sliced = mx.sym.slice(_v("a", 0, 3), begin=(0,), end=(100,))
    assert sliced.infer_shape_partial()[1] == [(0, 3)]
    assert (sliced + _v("b", 40, 3)).infer_shape_partial()[1] == [(40, 3)]


def test_split_v2() -> None:
    """A Python function of MXNet's: parts by number, or by indices."""
    x = mx.nd.array(np.arange(12).reshape(4, 3))
    assert [part.shape for part in mx.nd.split_v2(x, (1, 3))] == [(1, 3), (2, 3), (1, 3)]
    assert [part.shape for part in mx.nd.split_v2(x, 3, axis=1, squeeze_axis=True)] == [(4,)] * 3
    graph = mx.sym.split_v2(mx.sym.var("x"), (1, 3))
    assert graph.attr_dict()["_split_v20"] == {
        "axis": "0", "indices": "[0, 1, 3]", "sections": "0", "squeeze_axis": "False",
    }  # fmt: skip
    assert graph.infer_shape(x=(4, 3))[1] == [(1, 3), (2, 3), (1, 3)]
    with pytest.raises(ValueError, match="indices"):
        mx.sym.split_v2(mx.sym.var("x"), "3")


def test_types_that_do_not_follow_are_none() -> None:
    data = mx.sym.var("data")
    fc = mx.sym.FullyConnected(mx.sym.Cast(data, dtype="float32"), num_hidden=2, name="fc")
    assert fc.infer_type_partial() == ([None, np.float32, np.float32], [np.float32], [])
    assert fc.infer_type_partial(data="float16")[0][0] == np.float16
    assert (data * 2).infer_type_partial() == ([None], [None], [])
    with pytest.warns(UserWarning, match="types of these arguments do not follow"):
        assert (data * 2).infer_type() == (None, None, None)


def test_files_say_whether_shapes_are_numpys() -> None:
    symbol = mx.sym.FullyConnected(mx.sym.var("data"), mx.sym.var("w", shape=(2, 0)), num_hidden=2)
    plain = symbol.tojson()
    assert "is_np_shape" not in plain
    with mx.np_shape():
        text = symbol.tojson()
        assert '"attrs": {"is_np_shape": ["int", 1], "mxnet_version": ["int", 10901]}' in text
        assert mx.sym.load_json(plain).infer_shape(data=(3, 4))[0] == [(3, 4), (2, 4), (2,)]
    with pytest.raises(NotImplementedError, match="neither true nor false"):
        bool(symbol)
    with pytest.raises(mx.MXNetError, match="is for training"):
        _ = mx.sym.sgd_update


def test_shapes_as_far_as_mxnet_infers_them() -> None:
    open_rows = mx.sym.var("data", shape=(0, 20))
    assert mx.sym.slice(open_rows, begin=(2, 3), end=(5, 10)).infer_shape_partial()[1] == [(0, 7)]
    assert mx.sym.slice_axis(open_rows, axis=0, begin=0, end=5).infer_shape_partial()[1] == [(0, 20)]
    fc = mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=3)
    assert fc.infer_shape_partial() == ([(), (), ()], [()], [])
    turned = mx.sym.transpose(mx.sym.ones((3, -1)))
    assert (mx.sym.ones((2, -1)) + turned).eval()[0].shape == (2, 3)
    with pytest.raises(MXNetError, match="pick takes one axis"):
        mx.nd.pick(mx.nd.ones((2, 3)), mx.nd.zeros((2,)), axis=None)
    pooled = mx.sym.Pooling(mx.sym.var("x"), kernel=(2,), pad=(1,), pooling_convention="same")
    with pytest.raises(MXNetError, match="pad must be 0"):
        pooled.infer_shape(x=(1, 1, 9))


@pytest.mark.parametrize("gamma", [(3, 1), (4,), (1, 3, 1, 1, 1)])
def test_slopes_that_do_not_fit_are_refused(gamma: tuple[int, ...]) -> None:
    """MXNet says so too; anything else would be numbers that it never gives."""
    x = mx.nd.ones((2, 3, 2, 2))
    symbol = mx.sym.LeakyReLU(mx.sym.var("x"), mx.sym.var("g"), act_type="prelu")
    for call in (
        lambda: symbol.bind(mx.cpu(), {"x": x, "g": mx.nd.ones(gamma)}, grad_req="null"),
        lambda: mx.nd.LeakyReLU(x, mx.nd.ones(gamma), act_type="prelu"),
    ):
        with pytest.raises(MXNetError, match="cannot be broadcast"):
            call()
    fits = mx.nd.LeakyReLU(-x, mx.nd.array([[1, 2, 3]]), act_type="prelu").asnumpy()
    assert fits[0, :, 0, 0].tolist() == [-1, -2, -3]


def test_an_operator_without_its_inputs() -> None:
    data, more = mx.sym.var("data"), mx.sym.var("more")
    alone = mx.sym.Convolution(data * more, kernel=(3, 3), num_filter=4, name="conv")._gen_atomic_symbol()
    assert alone.list_arguments() == ["conv_data", "conv_weight", "conv_bias"]
    assert alone.list_attr()["num_filter"] == "4"
    with pytest.raises(MXNetError, match="not the output of one operator"):
        data._gen_atomic_symbol()


def test_states_among_the_heads_of_a_file_are_what_was_written() -> None:
    """As MXNet 1.9.1 numbers them."""
    graph = json.loads(mx.sym.relu(mx.sym.BatchNorm(mx.sym.var("x"), name="b")).get_internals().tojson())
    assert graph["heads"] == [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 1], [4, 0, 1], [5, 0, 0], [6, 0, 0]]
