"""SPEC O4: what a fork does, in the order that is written down, whatever one handler does."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from neuron_rt import lifecycle
from neuron_rt.lifecycle import Step


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> dict[Step, Callable[[], object]]:
    """None but the test's own."""
    mine: dict[Step, Callable[[], object]] = {}
    monkeypatch.setattr(lifecycle, "_in_child", mine)
    return mine


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_handler_that_fails_keeps_no_other_from_running(handlers: dict[Step, Callable[[], object]]) -> None:
    order: list[str] = []

    def fail() -> None:
        order.append("locks")
        raise KeyboardInterrupt

    lifecycle.in_child(Step.ENGINE, lambda: order.append("engine"))
    lifecycle.in_child(Step.RUNTIME, lambda: order.append("runtime"))
    lifecycle.in_child(Step.LOCKS, fail)
    lifecycle._run(lifecycle._in_child)
    assert order == ["locks", "engine", "runtime"]


def test_a_fork_calls_them(handlers: dict[Step, Callable[[], object]]) -> None:
    ready, tell = os.pipe()
    lifecycle.in_child(Step.RUNTIME, lambda: os.write(tell, b"runtime "))
    lifecycle.in_child(Step.LOCKS, lambda: os.write(tell, b"locks "))
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert os.read(ready, 100) == b"locks runtime "
    os.close(ready)
    os.close(tell)
