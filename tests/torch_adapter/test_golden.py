"""SPEC P8: what only PyTorch has of the golden placements. The rest is in tests/contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import neuron_adapters
from neuron_adapters.torch import experimental


def spans(*loaded: object) -> str:
    places = [place.instance_ncs for model in loaded for place in neuron_adapters.placement(model)]
    return " ".join(str(ncs[0]) if len(ncs) == 1 else f"{ncs[0]}-{ncs[-1]}" for ncs in places)


def test_group_sizes_are_deprecated(monkeypatch: pytest.MonkeyPatch, models: Path) -> None:
    """SPEC C4: the variable says what replaces it, once."""
    monkeypatch.setenv("NEURONCORE_GROUP_SIZES", "2,2")
    with pytest.warns(DeprecationWarning, match="NEURONCORE_GROUP_SIZES is deprecated"):
        loaded = [torch.jit.load(models / "k2.pt")]
    loaded.append(torch.jit.load(models / "k2.pt"))
    assert spans(*loaded) == "0-1 2-3"


def test_contexts(monkeypatch: pytest.MonkeyPatch, models: Path) -> None:
    """ctx(2), ctx(0), ctx(0), ctx(3) in any order; multicore; start and count."""
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "8")
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "8")
    for start, need, expected in [(3, 1, "3"), (2, 2, "2-3"), (0, 3, "0-2"), (0, 2, "0-1")]:
        with experimental.neuron_cores_context(start):
            assert spans(torch.jit.load(models / f"k{need}.pt")) == expected
    with experimental.multicore_context():
        assert spans(torch.jit.load(models / "k1.pt")) == "0 1 2 3 4 5 6 7"
    with experimental.neuron_cores_context(start_nc=2, nc_count=4):
        assert spans(torch.jit.load(models / "k2.pt")) == "2-3 4-5"


def test_the_script_run_twice(script: Callable[..., str], models: Path) -> None:
    """NUM_CORES=2 in two processes at once: nc0, nc1 and nc2, nc3."""
    out = script("run_twice.py", folder=models, NEURON_RT_NUM_CORES="2", NEURON_ADAPTERS_INSTANCE="8")
    assert out.splitlines() == ["[(0,), (1,)]", "[(2,), (3,)]"]


def test_a_wrong_value_is_one_line(script: Callable[..., str], models: Path) -> None:
    """SPEC C5, seen from torch.jit.load: the last line of the traceback says it all, and nothing was taken."""
    for value in ("-1", "17", "four"):
        out = script("import torch, neuron_adapters.torch\ntorch.jit.load('k1.pt')", folder=models, code=1,
                     NEURON_RT_NUM_CORES=value)  # fmt: skip
        assert f"NeuronConfigError: NEURON_RT_NUM_CORES={value!r}: " in out.splitlines()[-1]
