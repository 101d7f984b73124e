"""Loops that the engine runs as loops: values as MXNet's, whatever an iteration takes, makes and hands on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded_graphs import answers, bound, by_numpy, compare

from neuron_adapters import mx
from neuron_adapters.mxnet.operators import control

SHORT = [
    "foreach_states",
    "foreach_weights",
    "foreach_of_vectors",
    "foreach_nested",
    "while_counts",
    "while_to_the_end",
]
LONG = [
    "lstm", "states_that_move", "types", "shapes", "nested", "decoder", "layers", "joined", "counting", "short",
]  # fmt: skip


@pytest.fixture(scope="session")
def files(ask_oracle: Callable[[str], Path]) -> Path:
    return ask_oracle("loop_answers")


@pytest.fixture
def never_unrolled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "SHORT", 0)


def loops_of(executor: Any) -> int:
    """How many loops are in the graph that the engine got."""
    assert executor._plan.lowered is not None, executor._plan.why
    return "".join(executor._plan.lowered.text).count('type="Loop"')


@pytest.mark.parametrize("name", [*LONG, *SHORT])
@pytest.mark.usefixtures("never_unrolled")
def test_as_a_loop(name: str, files: Path) -> None:
    inputs, expected, recorded = answers(files, name)
    executor = bound(files, name, inputs)
    assert loops_of(executor) == {"short": 0, "nested": 2, "foreach_nested": 2, "joined": 2}.get(name, 1)
    for _ in range(2):  # what a run leaves behind does not show in the next
        compare([output.asnumpy() for output in executor.forward()], expected, recorded["compare"])
    compare(by_numpy(executor), expected, recorded["compare"])


def ready(symbol: Any, context: Any = None, **arrays: np.ndarray) -> Any:
    fed = {key: mx.nd.array(array, dtype=array.dtype) for key, array in arrays.items()}
    return symbol.bind(context or mx.cpu(), fed, grad_req="null")


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).standard_normal(shape).astype("f")


def foreach(body: Callable[..., Any]) -> Any:
    outputs, states = mx.sym.contrib.foreach(body, mx.sym.var("data"), mx.sym.var("state"))
    outputs, states = (each if isinstance(each, list) else [each] for each in (outputs, states))
    return mx.sym.Group([*outputs, *states])


def same_as_numpy(executor: Any) -> None:
    compare([output.asnumpy() for output in executor.forward()], by_numpy(executor))


def test_a_branch_in_a_loop() -> None:
    """The real MXNet infers no shapes here."""

    def body(row: Any, state: Any) -> Any:
        taken = mx.sym.contrib.cond(mx.sym.sum(row) > 0, lambda: row + state, lambda: mx.sym.sqrt(mx.sym.abs(row)))
        return taken, mx.sym.tanh(taken)

    executor = ready(foreach(body), data=draw(200, 4), state=draw(4, seed=1))
    assert loops_of(executor) == 1
    same_as_numpy(executor)


def test_a_loop_that_ends_in_a_loop() -> None:
    def outer(row: Any, state: Any) -> Any:
        start = [mx.sym.abs(row) + 0.1, mx.sym.zeros((1,))]
        rows, last = mx.sym.contrib.while_loop(
            lambda x, _n: mx.sym.sum(x) < 3.2, lambda x, n: (x, [x * 1.5 + 0.01, n + 1]), start, max_iterations=100
        )
        return [*last, mx.sym.slice_axis(rows, axis=0, begin=0, end=1)], state + last[1]

    executor = ready(foreach(outer), data=draw(70, 2) * 0.3, state=draw(1, seed=1))
    assert loops_of(executor) == 2
    same_as_numpy(executor)


@pytest.mark.parametrize("start", [-1e9, 3.0, 1e9])
def test_a_loop_that_ends_at_once_or_never(start: float) -> None:
    outputs, state = mx.sym.contrib.while_loop(
        lambda x: mx.sym.sum(x) > 2.5, lambda x: (x * 2, [x * 0.99]), [mx.sym.var("x")], max_iterations=150
    )
    executor = ready(mx.sym.Group([outputs, state[0]]), x=np.full((1,), start, "f"))
    assert loops_of(executor) == 1
    same_as_numpy(executor)


def test_a_loop_of_very_many_iterations_stops_by_numpy() -> None:
    """The engine would compute all that the loop may have."""
    outputs, state = mx.sym.contrib.while_loop(
        lambda x: mx.sym.sum(x) < 5, lambda x: (x * 2, [x + 1]), [mx.sym.var("x")], max_iterations=5000
    )
    executor = ready(mx.sym.Group([outputs, state[0]]), x=np.zeros((1,), "f"))
    assert executor._plan.lowered is None
    assert "all iterations of its loop are" in executor._plan.why
    rows, last = (output.asnumpy() for output in executor.forward())
    np.testing.assert_array_equal(rows[:6, 0], [0, 2, 4, 6, 8, 0])
    assert last == [5]


@pytest.mark.parametrize("place", [0, 57, 199])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e30])
def test_what_is_no_number_in_any_iteration(place: int, number: float) -> None:
    """The engine's maximum loses a NaN: the alarm of that iteration must be heard."""
    executor = ready(foreach(lambda x, s: (mx.sym.relu(x) + s, mx.sym.relu(x))), data=draw(200, 2), state=draw(2))
    assert loops_of(executor) == 1
    rows = draw(200, 2, seed=1)
    rows[place, 1] = number
    stacked, last = (output.asnumpy() for output in executor.forward(data=rows))
    kept = np.where(rows > 0, rows, np.where(np.isnan(rows), np.nan, 0)).astype("f")
    before = np.concatenate([draw(1, 2), kept[:-1]])
    np.testing.assert_allclose(stacked, kept + before, rtol=1e-5)
    np.testing.assert_array_equal(last, kept[-1])


def test_a_state_that_grows_beyond_float32() -> None:
    """It is infinite in the middle of the loop, and hidden at its end."""

    def body(row: Any, states: Any) -> Any:
        grown, seen = states
        return row + seen, [grown * grown, mx.sym.minimum(mx.sym.relu(grown - grown + 1), seen)]

    data, states = mx.sym.var("data"), [mx.sym.var("grown"), mx.sym.var("seen")]
    outputs, (_grown, seen) = mx.sym.contrib.foreach(body, data, states)
    executor = ready(mx.sym.Group([outputs, seen]), data=draw(200, 1), grown=np.full(1, 1.5, "f"), seen=np.ones(1, "f"))
    assert loops_of(executor) == 1
    assert np.isnan(executor.forward()[1].asnumpy()).all()
    np.testing.assert_array_equal(executor.forward(grown=np.full(1, 0.5, "f"))[1].asnumpy(), [1])


def test_places_that_are_not_in_a_table() -> None:
    """``take`` clips; a state is the place, and leaves the table on its way."""

    def body(row: Any, state: Any) -> Any:
        return mx.sym.take(table, state) + row, state + 3

    table = mx.sym.var("table")
    arrays = {"data": draw(400, 1), "state": np.array([-40], "int32"), "table": draw(90, seed=1)}
    executor = ready(foreach(body), **arrays)
    assert loops_of(executor) == 1
    result, last = (output.asnumpy() for output in executor.forward())
    places = np.clip(np.arange(400) * 3 - 40, 0, 89)
    np.testing.assert_allclose(result, arrays["data"] + arrays["table"][places, None], rtol=1e-5)
    assert last == [1160]


def test_integers_that_the_engine_would_cut_off() -> None:
    """It computes integers of 24 bits: a call that needs more is NumPy's."""
    executor = ready(foreach(lambda row, s: (row, s * 3)), data=draw(400, 1), state=np.array([1], "int32"))
    assert loops_of(executor) == 1
    expected = np.ones(1, "int32")
    with np.errstate(over="ignore"):
        for _ in range(400):
            expected = expected * np.int32(3)
    np.testing.assert_array_equal(executor.forward()[1].asnumpy(), expected)


def test_a_loop_that_draws_is_unrolled() -> None:
    """Each iteration draws its own numbers."""
    executor = ready(
        foreach(lambda row, s: (mx.sym.random.uniform(shape=(3,)) + row, s)),
        data=np.zeros((200, 3), "f"),
        state=draw(1),
    )
    assert loops_of(executor) == 0
    drawn = executor.forward()[0].asnumpy()
    assert len(np.unique(drawn)) > 590


def test_a_quotient_that_an_operator_jumps_at() -> None:
    """The engine's quotient of two numbers may differ in its last bit, which a floor shows an iteration later."""
    executor = ready(foreach(lambda row, s: (mx.sym.floor(s), row / (row * 0.1))), data=draw(200, 50), state=draw(50))
    assert loops_of(executor) == 1
    compare([output.asnumpy() for output in executor.forward()], by_numpy(executor), rtol=0, atol=1e-5)


def test_long_loops_become_loops_and_short_ones_do_not() -> None:
    body: Callable[..., Any] = lambda row, s: (mx.sym.tanh(row + s), mx.sym.sigmoid(s) * row)
    for length in (5, 5000):
        executor = ready(foreach(body), data=draw(length, 2), state=draw(2))
        assert loops_of(executor) == (length > 1000)
        same_as_numpy(executor)


@pytest.mark.parametrize("ncs", [1, 2])
def test_on_neuroncores(ncs: int, files: Path) -> None:
    """Compiled, and saved: weights are in the loop's graph, and change as others do."""
    inputs, expected, _recorded = answers(files, "lstm")
    symbol, args, aux = mx.model.load_checkpoint(str(files / "lstm"), 0)
    fed = {key: mx.nd.array(array, dtype=array.dtype) for key, array in inputs.items()}
    options = {"--neuroncore-pipeline-cores": ncs}
    symbol, args, aux = mx.contrib.neuron.compile(symbol, args, aux, fed, **options)
    executor = symbol.bind(mx.neuron(0), {**args, **fed}, aux_states=aux, grad_req="null")
    compare([output.asnumpy() for output in executor.forward()], expected)
    changed = next(array for name, array in executor.arg_dict.items() if name.endswith("wh_weight"))
    changed[:] = changed * 0.5
    assert np.abs(executor.forward()[1].asnumpy() - expected[1]).max() > 1e-3
