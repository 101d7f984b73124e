"""Compiled models answer as TensorFlow does, on values on which engines usually do not (SPEC K3)."""

from __future__ import annotations

import pytest

from .tf_side import examine
from .tf_table import cases

GROUPS = 6


@pytest.mark.parametrize("group", range(GROUPS))
def test_operators(monkeypatch: pytest.MonkeyPatch, own_runtime: None, group: int) -> None:
    """Same value, same dtype, same exception; and the engine has some of them, or nothing would have been tested."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "openvino")
    outcomes = [examine(case, most=30) for case in list(cases())[group::GROUPS]]
    there = [outcome for outcome in outcomes if not outcome.missing]
    assert [line for outcome in there for line in outcome.wrong] == []
    assert sum(not outcome.why for outcome in there) > len(there) / 3
    assert sum(outcome.engine.total() for outcome in there) > 60
    assert sum(outcome.guarded.total() for outcome in there) > 60
