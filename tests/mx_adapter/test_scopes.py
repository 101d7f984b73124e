"""What a thread has for itself: the current context, the names and the attributes of new symbols, the scope of blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from neuron_adapters import mx

T = TypeVar("T")


def _in_a_thread(call: Callable[[], T]) -> T:
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = mx.Context.default_ctx, mx.AttrScope.current, mx.name.NameManager.current
    yield
    mx.Context.default_ctx, mx.AttrScope.current, mx.name.NameManager.current = before


def test_a_thread_sets_its_own_default_context() -> None:
    mx.Context.default_ctx = mx.cpu(3)
    assert mx.current_context() == mx.nd.zeros(1).context == mx.cpu(3)
    assert _in_a_thread(mx.current_context) == mx.cpu(0)

    def replace() -> tuple[mx.Context, mx.Context]:
        with mx.cpu(1):
            inside = mx.Context.default_ctx
            mx.test_utils.set_default_context(mx.neuron(2))
            return inside, mx.current_context()

    assert _in_a_thread(replace) == (mx.cpu(1), mx.neuron(2))
    assert mx.current_context() == mx.cpu(3)


def test_a_thread_sets_its_own_attributes() -> None:
    mx.AttrScope.current = mx.AttrScope(a="1")
    assert mx.sym.var("x").list_attr() == {"a": "1"}
    assert _in_a_thread(lambda: mx.sym.var("x").list_attr()) == {}
    with mx.AttrScope(b="2") as inner:
        assert mx.AttrScope.current is inner
        assert mx.sym.var("x").list_attr() == {"a": "1", "b": "2"} == inner.get()


def test_a_derived_scope_decides_what_a_symbol_has() -> None:
    class Renamed(mx.AttrScope):
        def get(self, attributes: object = None) -> dict[str, str]:
            return {key.upper(): value for key, value in super().get(attributes).items()}  # type: ignore[arg-type]

    with Renamed(a="1"):
        assert mx.sym.var("x", attr={"b": "2"}).list_attr() == {"A": "1", "B": "2"}


def test_a_thread_sets_its_own_names() -> None:
    mx.name.NameManager.current = mx.name.Prefix("p_")
    x = mx.sym.var("x")
    assert mx.sym.relu(x).name == "p_relu0"
    assert _in_a_thread(lambda: mx.sym.relu(x).name) == "relu0"
    assert mx.sym.relu(x).name == "p_relu1"


def test_blocks_in_another_thread_are_outside_of_the_scope() -> None:
    outer = mx.gluon.nn.HybridSequential(prefix="outer_")
    with outer.name_scope():
        assert mx.gluon.nn.Dense(2).name == "outer_dense0"
        assert _in_a_thread(lambda: mx.gluon.nn.Dense(2).name) == "dense0"
        assert mx.gluon.block._BlockScope.create(None, None, "dense")[0] == "outer_dense1_"
