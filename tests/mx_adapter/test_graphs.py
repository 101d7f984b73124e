"""Whole graphs with loops, quantized layers, recurrent layers and deep NumPy, from files that the real MXNet wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from recorded_graphs import answers, bound, by_numpy, compare

from neuron_adapters import mx

LOOPS = [
    "foreach_states", "foreach_weights", "foreach_of_vectors", "foreach_nested", "while_counts", "while_to_the_end",
    "cond_then", "cond_else",
]  # fmt: skip
GLUON = ["gluon_foreach", "gluon_gru", "gluon_lstm", "gluon_lstmp", "gluon_rnn_relu", "gluon_rnn_tanh", "gluon_states"]
DETECTORS = ["rcnn"]
QUANTIZED = [
    "quantized_fused", "quantized_fused_int8", "quantized_fused_full", "quantized_uncalibrated", "quantized_plain",
]  # fmt: skip
NUMPY = ["numpy_head", "numpy_layers"]


@pytest.fixture(scope="session")
def files(ask_oracle: Callable[[str], Path]) -> Path:
    folder = ask_oracle("graphs")
    assert (folder / "failed.txt").read_text() == ""
    return folder


@pytest.mark.parametrize("name", [*LOOPS, *GLUON, *DETECTORS])
def test_graph(name: str, files: Path) -> None:
    inputs, expected, recorded = answers(files, name)
    executor = bound(files, name, inputs)
    assert executor._symbol.list_arguments() == list(recorded["arguments"])
    assert executor._symbol.list_outputs() == list(recorded["outputs"])
    assert executor._plan.lowered is not None, executor._plan.why
    compare([output.asnumpy() for output in executor.forward()], expected, recorded["compare"])
    compare(by_numpy(executor), expected, recorded["compare"])
    assert executor._symbol.tojson() == (files / f"{name}-symbol.json").read_text()


@pytest.mark.parametrize("name", LOOPS)
def test_the_same_composed(name: str, files: Path, oracle: Callable[[str], ModuleType]) -> None:
    """``mx.sym.contrib`` makes the very graph that MXNet makes, but for numbers in the names of graphs."""
    with mx.name.NameManager():
        symbol, _inputs, _rows = oracle("loops").GRAPHS[name](mx)
    ours, theirs = json.loads(symbol.tojson()), json.loads((files / f"{name}-symbol.json").read_text())
    assert stripped(ours) == stripped(theirs)


def stripped(graph: Any) -> Any:
    """Without the marks of subgraphs, which are counted in a process."""
    if isinstance(graph, dict):
        return {key: stripped(value) for key, value in graph.items() if key != "__subgraph_name__" and value != {}}
    return [stripped(each) for each in graph] if isinstance(graph, list) else graph


def chance(x: Any) -> Any:
    """Add numbers from 0 to 1e-6, drawn anew: a loop with them is unrolled."""
    return x + mx.sym.random.uniform(0, 1e-6, shape=(1,))


def test_a_long_loop_is_left_to_numpy_where_it_must_be_unrolled() -> None:
    body: Callable[..., Any] = lambda x, s: (mx.sym.broadcast_add(x, s), mx.sym.broadcast_add(s, chance(x)))
    outputs, state = mx.sym.contrib.foreach(body, mx.sym.var("data"), mx.sym.var("state"))
    rows = np.random.RandomState(0).standard_normal((5000, 1)).astype("f")
    args = {"data": mx.nd.array(rows), "state": mx.nd.zeros((1,))}
    executor = mx.sym.Group([outputs, state]).bind(mx.cpu(), args, grad_req="null")
    assert executor._plan.lowered is None
    assert "operators" in executor._plan.why
    stacked, last = executor.forward()
    total = np.cumsum(rows.astype("f8"), 0)
    np.testing.assert_allclose(stacked.asnumpy(), total, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(last.asnumpy(), total[-1], rtol=1e-3, atol=1e-2)


def test_a_branch_that_is_not_taken_does_not_matter(files: Path) -> None:
    """The logarithm of what is not positive is never MXNet's answer here."""
    inputs, _expected, _recorded = answers(files, "cond_then")
    executor = bound(files, "cond_then", inputs)
    for number in (0.3, -0.3):
        x, y = np.full((2, 3), number, "f"), np.full((2, 3), -1.0, "f")
        result = executor.forward(x=x, y=y)[1].asnumpy()
        np.testing.assert_allclose(result, np.tanh(x * y) * (1 if number > 0 else 2), rtol=1e-4)


def test_loops_on_arrays() -> None:
    data, state = mx.nd.array([[1, 2], [3, 4]]), mx.nd.zeros((2,))
    outputs, last = mx.nd.contrib.foreach(lambda x, s: ([x + s, x], s + x), data, state)
    np.testing.assert_array_equal(outputs[0].asnumpy(), [[1, 2], [4, 6]])
    np.testing.assert_array_equal(last.asnumpy(), [4, 6])
    stacked, variables = mx.nd.contrib.while_loop(
        lambda i, _s: i <= 5,
        lambda i, s: (i + s, [i + 1, s + i]),
        (mx.nd.ones((1,)), mx.nd.ones((1,))),
        max_iterations=7,
    )
    np.testing.assert_array_equal(stacked.asnumpy()[:5, 0], [2, 4, 7, 11, 16])
    assert stacked.shape == (7, 1)
    assert [variable.asscalar() for variable in variables] == [6, 16]
    assert mx.nd.contrib.cond(mx.nd.zeros((1,)), lambda: 1, lambda: 2) == 2
    with pytest.raises(ValueError, match="max_iterations"):
        mx.nd.contrib.while_loop(lambda i: i, lambda i: (i, i), mx.nd.ones((1,)))
    kept = mx.nd.contrib.boolean_mask(mx.nd.array([[1, 2], [3, 4], [5, 6]]), mx.nd.array([1, 0, 1]))
    np.testing.assert_array_equal(kept.asnumpy(), [[1, 2], [5, 6]])


@pytest.mark.parametrize("name", [*GLUON, *NUMPY])
def test_block(name: str, files: Path) -> None:
    """The files of ``export``, by ``SymbolBlock.imports``."""
    inputs, expected, _recorded = answers(files, name)
    block = mx.gluon.SymbolBlock.imports(
        str(files / f"{name}-symbol.json"), list(inputs), str(files / f"{name}-0000.params"), ctx=mx.cpu()
    )
    make = mx.np.array if name in NUMPY else mx.nd.array
    results = block(*(make(array) for array in inputs.values()))
    results = results if isinstance(results, list) else [results]
    assert all(type(result) is type(make([0])) for result in results)
    compare([result.asnumpy() for result in results], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized(name: str, files: Path) -> None:
    """As near to the float graph as MXNet's own quantized graph is."""
    inputs, (expected,), _recorded = answers(files, name)
    floats = np.load(files / f"{name}-float.npy")
    executor = bound(files, name, inputs)
    assert executor._symbol.tojson() == (files / f"{name}-symbol.json").read_text()
    result = executor.forward()[0].asnumpy()
    theirs = np.abs(expected - floats).max()
    assert 0 < theirs < 0.05  # MXNet's own graph is a good one
    assert np.abs(result - floats).max() < 1.5 * theirs + 1e-3
    assert np.abs(result - expected).max() < 2 * theirs + 1e-3
    np.testing.assert_allclose(by_numpy(executor)[0], result, atol=theirs + 1e-3)


def test_mixed_precision(files: Path) -> None:
    inputs, (expected,), _recorded = answers(files, "mixed_bfloat16")
    result = bound(files, "mixed_bfloat16", inputs).forward()[0].asnumpy()
    np.testing.assert_allclose(result, expected.astype("f"), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("count", [16, 200])
def test_loops_in_loops_are_bounded_together(count: int) -> None:
    def outer(row: Any, states: Any) -> Any:
        inner, last = mx.sym.contrib.foreach(lambda x, s: (x * s, s + chance(x)), row, states)
        return inner, last

    outputs, state = mx.sym.contrib.foreach(outer, mx.sym.var("data"), mx.sym.var("state"))
    rows = np.random.RandomState(0).standard_normal((count, count, 1)).astype("f")
    args = {"data": mx.nd.array(rows), "state": mx.nd.zeros((1,))}
    executor = mx.sym.Group([outputs, state]).bind(mx.cpu(), args, grad_req="null")
    assert (executor._plan.lowered is None) == (count == 200)
    last = executor.forward()[1].asnumpy()
    np.testing.assert_allclose(last, [rows.sum(dtype="f8")], rtol=1e-3, atol=3e-2)


def test_what_a_loop_may_not_be() -> None:
    x, state = mx.sym.var("x"), mx.sym.var("s")
    with pytest.raises(ValueError, match="does not use s-0"):
        mx.sym.contrib.foreach(lambda row, _states: (row, row), x, state)
    with pytest.raises(ValueError, match="returns 1 states, got 2"):
        mx.sym.contrib.foreach(lambda row, s: (row + s[0], [s[0], s[0]]), x, [state])
    with pytest.raises(ValueError, match="max_iterations"):
        mx.sym.contrib.while_loop(lambda i: i, lambda i: (i, i), x)
    with pytest.raises(ValueError, match="as many outputs"):
        mx.sym.contrib.cond(x, lambda: [x], lambda: [x, state])
    outputs, _last = mx.sym.contrib.foreach(lambda row, s: (row + s, s * 2), x, state)
    graph = json.loads(outputs.tojson())
    (node,) = [node for node in graph["nodes"] if node["op"] == "_foreach"]
    for change, says in (
        ({"in_state_locs": "[5]"}, "must name each input once"),
        ({"num_outputs": "3"}, "must count outputs and states"),
        ({"num_args": "4"}, "it takes 3 inputs"),
    ):
        changed = json.loads(json.dumps(graph))
        changed["nodes"][graph["nodes"].index(node)]["attrs"].update(change)
        with pytest.raises(mx.MXNetError, match=says):
            mx.sym.load_json(json.dumps(changed)).bind(
                mx.cpu(), {"x": mx.nd.ones((2, 3)), "s": mx.nd.ones((3,))}, grad_req="null"
            )


def test_words() -> None:
    """What is not here is said to be not in this package."""
    for call in (lambda: mx.sym.contrib.fft, lambda: mx.sym.contrib.boolean_mask, lambda: mx.nd.contrib.getnnz):
        with pytest.raises(AttributeError, match=r"is not in this package: docs/mx\.md lists what is"):
            call()
    text = '{"nodes": [{"op": "null", "name": "x", "inputs": []}, {"op": "_contrib_fft", "name": "mine", "inputs": [[0, 0, 0]]}], '
    symbol = mx.sym.load_json(text + '"arg_nodes": [0], "heads": [[1, 0, 0]]}')
    with pytest.raises(mx.MXNetError, match=r"operators that are not in this package: _contrib_fft \(mine\)"):
        symbol.bind(mx.cpu(), {"x": mx.nd.ones((1,))}, grad_req="null")


@pytest.mark.parametrize("size", [(9, 5), (4, 3)])
def test_pictures_of_bytes(size: tuple[int, int]) -> None:
    """As ``mx.image.imresize``, whose answers are OpenCV's to a level."""
    picture = np.random.RandomState(0).randint(0, 256, (7, 6, 3)).astype("uint8")
    expected = mx.image.imresize(mx.nd.array(picture, dtype="uint8"), *size).asnumpy()
    graph = mx.sym.image.resize(mx.sym.var("x"), size=size).bind(
        mx.cpu(), {"x": mx.nd.array(picture, dtype="uint8")}, grad_req="null"
    )
    for result in (graph.forward()[0], mx.nd.image.resize(mx.nd.array(picture, dtype="uint8"), size=size)):
        assert result.dtype == np.uint8
        assert np.abs(result.asnumpy().astype(int) - expected.astype(int)).max() <= 1


def test_a_cast_to_bfloat16() -> None:
    x = np.array([1.0, 1.00390625, 1.01171875, -3.14159, 1e-3, 65504.0, 0.0], "f")
    bits = x.view("u4").astype("u8")
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16).astype("u4").view("f")
    graph = mx.sym.amp_cast(mx.sym.var("x"), dtype="bfloat16").bind(mx.cpu(), {"x": mx.nd.array(x)}, grad_req="null")
    np.testing.assert_array_equal(graph.forward()[0].asnumpy(), rounded)
    np.testing.assert_array_equal(mx.nd.amp_cast(mx.nd.array(x), dtype="bfloat16").asnumpy(), rounded)


@pytest.mark.parametrize("name", ["gluon_foreach", "cond_then", "quantized_fused", "numpy_head"])
def test_compiled(name: str, files: Path, tmp_path: Path) -> None:
    """For NeuronCores, through a file: the nodes keep the graphs that they hold."""
    inputs, expected, _recorded = answers(files, name)
    symbol, args, aux = mx.model.load_checkpoint(str(files / name), 0)
    fed = {key: mx.nd.array(array, dtype=array.dtype) for key, array in inputs.items()}
    plain = [output.asnumpy() for output in bound(files, name, inputs).forward()]
    args = {key: array for key, array in args.items() if key not in fed}
    mx.model.save_checkpoint(str(tmp_path / "compiled"), 0, *mx.contrib.neuron.compile(symbol, args, aux, fed))
    symbol, args, aux = mx.model.load_checkpoint(str(tmp_path / "compiled"), 0)
    executor = symbol.bind(mx.cpu(), {**args, **fed}, aux_states=aux, grad_req="null")
    assert len(executor.outputs) == len(expected)
    for result, other in zip(executor.forward(), plain):
        np.testing.assert_array_equal(result.asnumpy(), other)


def test_compiled_chance_stays_chance() -> None:
    x = mx.nd.ones((8, 8))
    symbol = mx.sym.Dropout(mx.sym.var("x"), p=0.5, mode="always")
    compiled, args, aux = mx.contrib.neuron.compile(symbol, {}, {}, {"x": x})
    executor = compiled.bind(mx.cpu(), {**args, "x": x}, aux_states=aux, grad_req="null")
    first, second = (executor.forward()[0].asnumpy() for _ in range(2))
    assert set(np.unique(first)) == {0.0, 2.0}
    assert not np.array_equal(first, second)


def test_what_is_no_number_goes_through_a_loop(files: Path) -> None:
    """The engine's guards are in every iteration."""
    body: Callable[..., Any] = lambda x, s: (mx.sym.relu(x) + s, mx.sym.relu(x))
    outputs, _state = mx.sym.contrib.foreach(body, mx.sym.var("data"), mx.sym.var("state"))
    rows = np.array([[1, -2], [np.nan, 3], [np.inf, -np.inf]], "f")
    executor = outputs.bind(mx.cpu(), {"data": mx.nd.array(rows), "state": mx.nd.zeros((2,))}, grad_req="null")
    assert executor._plan.lowered is not None
    np.testing.assert_array_equal(executor.forward()[0].asnumpy(), [[1, 0], [np.nan, 3], [np.nan, 3]])


def test_what_the_engine_may_not_compute_it_does_not_compute_in_a_loop_either() -> None:
    data, state = mx.sym.var("data"), mx.sym.var("state")
    for operator, arrays in (("broadcast_mod", "f4"), ("broadcast_add", "f8")):
        body: Callable[..., Any] = lambda x, s, name=operator: (getattr(mx.sym, name)(x, s), s)
        outputs, _state = mx.sym.contrib.foreach(body, data, state)
        rows = {"data": mx.nd.array([[7.5, -3], [2, 9]], dtype=arrays), "state": mx.nd.array([2, 2.5], dtype=arrays)}
        executor = outputs.bind(mx.cpu(), rows, grad_req="null")
        assert executor._plan.lowered is None
        expected = [[1.5, 2], [0, 1.5]] if operator == "broadcast_mod" else [[9.5, -0.5], [4, 11.5]]
        np.testing.assert_array_equal(executor.forward()[0].asnumpy(), expected)


def test_what_acts_differently_in_training_is_refused_in_a_loop_too() -> None:
    def body(row: Any, state: Any) -> tuple[Any, Any]:
        return mx.sym.Dropout(row, name="inner"), state

    outputs, _state = mx.sym.contrib.foreach(body, mx.sym.var("data"), mx.sym.var("state"))
    deep = mx.sym._internal._npx_dropout(mx.sym.var("data"), name="deep")
    always = mx.sym.Dropout(mx.sym.var("data"), mode="always", name="always")
    for symbol, says in ((outputs, "Dropout inner would"), (deep, "deep would"), (always, "")):
        names = symbol.list_arguments()
        executor = symbol.bind(mx.cpu(), {name: mx.nd.ones((2,)) for name in names}, grad_req="null")
        if not says:
            executor.forward(is_train=True)
            continue
        with pytest.raises(mx.MXNetError, match=says):
            executor.forward(is_train=True)


def test_types_of_a_loop_that_do_not_follow_are_none() -> None:
    outputs, state = mx.sym.contrib.foreach(lambda row, s: (row + s, s), mx.sym.var("data"), mx.sym.var("state"))
    symbol = mx.sym.Group([outputs, state])
    assert symbol.infer_type_partial() == ([None, None], [None, None], [])
    assert symbol.infer_type_partial(data="float16") == ([np.float16] * 2, [np.float16] * 2, [])
    with pytest.warns(UserWarning, match="types of these arguments do not follow"):
        assert symbol.infer_type() == (None, None, None)
