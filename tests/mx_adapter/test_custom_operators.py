"""Operators written in Python: on arrays, in graphs, with states, and what goes wrong in them."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx

pytestmark = pytest.mark.usefixtures("own_runtime")


class Scale(mx.operator.CustomOp):
    """Multiplies, and counts its runs."""

    created = 0

    def __init__(self, factor: float) -> None:
        type(self).created += 1
        self.factor = factor
        self.runs = 0

    def forward(self, is_train: bool, req: Any, in_data: Any, out_data: Any, aux: Any) -> None:
        assert not is_train
        self.runs += 1
        self.assign(out_data[0], req[0], in_data[0] * self.factor + in_data[1])
        self.assign(out_data[1], req[1], self.runs)
        aux[0][:] += 1


@mx.operator.register("test_scale")
class ScaleProp(mx.operator.CustomOpProp):
    def __init__(self, factor: str = "1") -> None:
        super().__init__(need_top_grad=False)
        self.factor = float(factor)

    def list_arguments(self) -> list[str]:
        return ["data", "shift"]

    def list_outputs(self) -> list[str]:
        return ["scaled", "runs"]

    def list_auxiliary_states(self) -> list[str]:
        return ["calls"]

    def infer_shape(self, in_shape: Any) -> Any:
        return [in_shape[0], in_shape[0][1:]], [in_shape[0], [1]], [[1]]

    def create_operator(self, ctx: Any, in_shapes: Any, in_dtypes: Any) -> Scale:
        assert (in_shapes, in_dtypes) == ([[2, 3], [3]], [np.float32, np.float32])
        return Scale(self.factor)


def graph() -> Any:
    scaled = mx.sym.Custom(data=mx.sym.relu(mx.sym.var("data")), op_type="test_scale", factor=3, name="s")
    return mx.sym.Group([scaled[0] * 2, scaled[1]])


def test_in_a_graph() -> None:
    """Inputs that are not given become variables; shapes follow; the state of the operator is the executor's own."""
    symbol = graph()
    assert symbol.list_arguments() == ["data", "s_shift"]
    assert symbol.list_auxiliary_states() == ["s_calls"]
    assert mx.sym.Custom(mx.sym.var("x"), op_type="test_scale", name="y").list_outputs() == ["y_scaled", "y_runs"]
    shapes = symbol.infer_shape(data=(2, 3))
    assert shapes == ([(2, 3), (3,)], [(2, 3), (1,)], [(1,)])
    assert mx.sym.load_json(symbol.tojson()).tojson() == symbol.tojson()
    executors = [symbol.simple_bind(context, "null", data=(2, 3)) for context in (mx.neuron(0), mx.cpu())]
    before = Scale.created
    for runs in (1, 2):
        for executor in executors:
            executor.arg_dict["s_shift"][:] = 0.5
            first, count = executor.forward(data=np.array([[1, -1, 2]] * 2, "f4"))
            assert first.asnumpy().tolist() == [[7, 1, 13]] * 2
            assert count.asnumpy().tolist() == [runs]
            assert executor.aux_dict["s_calls"].asnumpy().tolist() == [runs]
    assert Scale.created == before + 2


def test_on_arrays() -> None:
    """Each call has an operator of its own."""
    data, calls = mx.nd.ones((2, 3)), mx.nd.zeros((1,))
    for _ in range(2):
        scaled, runs = mx.nd.Custom(data, mx.nd.ones((3,)), calls, op_type="test_scale", factor="2", name="x")
        assert scaled.asnumpy().tolist() == [[3, 3, 3]] * 2
        assert runs.asnumpy().tolist() == [1]
    assert calls.asnumpy().tolist() == [2]


def test_nothing_keeps_an_executor() -> None:
    executor = graph().simple_bind(mx.cpu(), "null", data=(2, 3))
    executor.forward()
    gone = weakref.ref(executor)
    del executor
    gc.collect()
    assert gone() is None


class Failing(mx.operator.CustomOpProp):
    def __init__(self, where: str = "") -> None:
        super().__init__()
        self.where = where
        self._at("init")

    def _at(self, where: str) -> None:
        if where == self.where:
            raise KeyError(where)

    def infer_shape(self, in_shape: Any) -> Any:
        self._at("infer_shape")
        return (in_shape, []) if self.where == "count" else super().infer_shape(in_shape)

    def infer_type(self, in_type: Any) -> Any:
        self._at("infer_type")
        return super().infer_type(in_type)

    def create_operator(self, ctx: Any, in_shapes: Any, in_dtypes: Any) -> Any:
        self._at("create_operator")
        return self if self.where == "forward" else mx.operator.CustomOp()

    def forward(self, *_args: Any) -> None:
        self._at("forward")


mx.operator.register("test_failing")(Failing)


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("init", "'test_failing' made with (where='init'): KeyError: 'init'"),
        ("infer_shape", "infer_shape() of 'test_failing': KeyError: 'infer_shape'"),
        ("infer_type", "infer_type() of 'test_failing': KeyError: 'infer_type'"),
        ("count", "must say (1, 1, 0) of inputs, outputs and auxiliary states, got (1, 0, 0)"),
        ("create_operator", "create_operator() of 'test_failing': KeyError: 'create_operator'"),
        ("forward", "forward() of 'test_failing': KeyError: 'forward'"),
        ("nothing", "CustomOp has no forward()"),
    ],
)
def test_what_fails_in_python_is_one_error_that_says_where(where: str, says: str) -> None:
    def in_a_graph() -> Any:
        symbol = mx.sym.Custom(mx.sym.var("data"), op_type="test_failing", where=where, name="x")
        return symbol.bind(mx.cpu(), {"data": mx.nd.ones((2,))}, grad_req="null").forward()

    for call in (in_a_graph, lambda: mx.nd.Custom(mx.nd.ones((2,)), op_type="test_failing", where=where)):
        with pytest.raises(mx.MXNetError) as error:
            call()
        assert says in str(error.value)


def test_what_is_refused() -> None:
    with pytest.raises(mx.MXNetError, match=r"registered as 'nope': decorate"):
        mx.sym.Custom(mx.sym.var("x"), op_type="nope")
    with pytest.raises(mx.MXNetError, match="no gradients"):
        Scale(1).backward()
    with pytest.raises(mx.MXNetError, match="written in Python"):
        mx.to_onnx(graph(), {"s_shift": mx.nd.ones((3,)), "s_calls": mx.nd.ones((1,))}, {"data": (2, 3)}, "x.onnx")
    with pytest.raises(AttributeError, match="derive from CustomOp"):
        _ = mx.operator.NumpyOp


def test_a_file_with_an_operator_that_is_not_here() -> None:
    """It loads and saves, since the real MXNet may have the operator; it does not run."""
    symbol = mx.sym.load_json(graph().tojson().replace("test_scale", "test_gone"))
    assert "test_gone" in symbol.tojson()
    assert symbol.list_arguments() == ["data", "s_shift", "s_calls"]
    with pytest.raises(mx.MXNetError, match="registered as 'test_gone'"):
        symbol.simple_bind(mx.cpu(), "null", data=(2, 3))


def test_questions_about_operators() -> None:
    assert {"Activation", "relu", "Custom"} <= set(mx.operator.get_all_registered_operators())
    assert "flatten" in mx.operator.get_all_registered_operators_grouped()["Flatten"]
    narg, names, types = mx.operator.get_operator_arguments("Activation")
    assert (narg, names) == (2, ["data", "act_type"])
    assert types == ["NDArray-or-Symbol", "{'relu', 'sigmoid', 'softrelu', 'softsign', 'tanh'}, required"]
    with pytest.raises(mx.MXNetError, match="no operator 'nope'"):
        mx.operator.get_operator_arguments("nope")


class Count(mx.operator.CustomOp):
    """Adds how often it has run."""

    def __init__(self) -> None:
        self.runs = 0

    def forward(self, is_train: bool, req: Any, in_data: Any, out_data: Any, aux: Any) -> None:
        self.runs += 1
        self.assign(out_data[0], req[0], in_data[0] + self.runs)


@mx.operator.register("test_count")
class CountProp(mx.operator.CustomOpProp):
    def create_operator(self, ctx: Any, in_shapes: Any, in_dtypes: Any) -> Count:
        return Count()


def test_in_a_loop() -> None:
    """Each iteration calls it, and each executor has an operator of its own."""

    def body(row: Any, total: Any) -> tuple[Any, Any]:
        counted = mx.sym.Custom(row, op_type="test_count", name="c")
        return counted, total + counted

    outputs, total = mx.sym.contrib.foreach(body, mx.sym.var("data"), mx.sym.var("total"))
    symbol = mx.sym.Group([outputs, total])
    executors = [symbol.simple_bind(mx.cpu(), "null", data=(3, 1), total=(1,)) for _ in range(2)]
    for first in (1, 4):
        for executor in executors:
            rows, last = (output.asnumpy().tolist() for output in executor.forward())
            assert rows == [[first], [first + 1], [first + 2]]
            assert last == [3 * first + 3]


def test_what_a_star_brings() -> None:
    """Scripts that write operators take MXNet's C types from the star, too."""
    names: dict[str, Any] = {}
    exec("from neuron_adapters.mx.operator import *", names)
    assert {"CustomOp", "CustomOpProp", "NDArrayHandle", "check_call", "ctypes", "mx_uint", "register"} <= names.keys()
