"""SPEC P8: every row of the golden placements that PyTorch can express, by way of torch.jit.load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import neuron_adapters
from neuron_adapters.torch import experimental
from neuron_rt import NotEnoughNeuronCoresError, current

GOLDEN = [
    ({}, [1, 1], "0 1"),
    ({"NEURON_RT_NUM_CORES": "2"}, [1, 1], "0 1"),
    ({"NEURON_RT_VISIBLE_CORES": "4-5"}, [1, 1], "4 5"),
    ({"NEURON_RT_VISIBLE_CORES": "0-1"}, [1, 2, 1], "0 0-1 1"),
    ({"NEURON_RT_NUM_CORES": "2"}, [2, 2], "0-1 0-1"),
    ({"NEURON_ADAPTERS_INSTANCE": "16", "NEURON_RT_NUM_CORES": "13"}, [2, 4, 3, 4], "0-1 2-5 6-8 9-12"),
    ({"NEURON_ADAPTERS_INSTANCE": "16", "NEURON_RT_NUM_CORES": "2,4,3,4"}, [2, 4, 3, 4], "0-1 2-5 6-8 9-12"),
]
GROUPS = [
    ("4", [4], "0-3"),
    ("3,4,1", [3, 4, 1], "0-2 3-6 7"),
    ("2,2", [2, 2, 1, 1, 1], "0-1 2-3 0 2 0"),
    ("2,2,2,2", [2, 2, 2, 2], "0-1 2-3 4-5 6-7"),
    ("[2,2]", [2, 2], "0-1 2-3"),
]


def spans(*loaded: object) -> str:
    found = [one.instance_ncs for model in loaded for one in neuron_adapters.placement(model)]
    return " ".join(str(ncs[0]) if len(ncs) == 1 else f"{ncs[0]}-{ncs[-1]}" for ncs in found)


@pytest.mark.parametrize(("environ", "needs", "expected"), GOLDEN)
def test_default_placement(
    monkeypatch: pytest.MonkeyPatch, models: Path, environ: dict[str, str], needs: list[int], expected: str
) -> None:
    """On a machine of 8 NCs unless said."""
    for name, value in {"NEURON_ADAPTERS_INSTANCE": "8", **environ}.items():
        monkeypatch.setenv(name, value)
    loaded = [torch.jit.load(models / f"k{need}.pt") for need in needs]
    assert spans(*loaded) == expected


@pytest.mark.parametrize(("sizes", "needs", "expected"), GROUPS)
def test_group_sizes(
    monkeypatch: pytest.MonkeyPatch, models: Path, sizes: str, needs: list[int], expected: str
) -> None:
    """Groups are filled in turn; the deprecated variable says what replaces it."""
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "8")
    monkeypatch.setenv("NEURONCORE_GROUP_SIZES", sizes)
    with pytest.warns(DeprecationWarning, match="NEURONCORE_GROUP_SIZES is deprecated"):
        loaded = [torch.jit.load(models / f"k{needs[0]}.pt")]
    loaded += [torch.jit.load(models / f"k{need}.pt") for need in needs[1:]]
    assert spans(*loaded) == expected


def test_a_model_larger_than_its_group(monkeypatch: pytest.MonkeyPatch, models: Path) -> None:
    """Across groups, with a warning."""
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "2,2")
    loaded = [torch.jit.load(models / "k2.pt"), torch.jit.load(models / "k2.pt")]
    with pytest.warns(UserWarning, match="across groups"):
        loaded.append(torch.jit.load(models / "k3.pt"))
    assert spans(*loaded) == "0-1 2-3 0-2"


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


def test_what_does_not_fit(monkeypatch: pytest.MonkeyPatch, models: Path) -> None:
    """SPEC P4: status 9, nothing loaded, nothing leaked."""
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "2")
    with pytest.raises(NotEnoughNeuronCoresError, match="status 9"):
        torch.jit.load(models / "k4.pt")
    runtime = current()
    assert runtime is not None
    assert runtime.use() == (0, 0)


def test_the_script_run_twice(script: Callable[..., str], models: Path) -> None:
    """NUM_CORES=2 in two processes at once: nc0, nc1 and nc2, nc3."""
    snippet = """
import sys, torch, neuron_adapters, neuron_adapters.torch
loaded = [torch.jit.load("k1.pt"), torch.jit.load("k1.pt")]
print([neuron_adapters.placement(m)[0].instance_ncs for m in loaded])
"""
    twice = f"""
import os, subprocess, sys
{snippet}
sys.stdout.flush()
if "SECOND" not in os.environ:
    subprocess.run([sys.executable, "-W", "ignore", "-c", {snippet!r}], check=True, env={{**os.environ, "SECOND": "1"}})
"""
    out = script(twice, folder=models, NEURON_RT_NUM_CORES="2", NEURON_ADAPTERS_INSTANCE="8")
    assert out.splitlines() == ["[(0,), (1,)]", "[(2,), (3,)]"]


WRONG = ["-1", "17", "four", "", "1,,2", "4x1", "0x4", "9" * 100, "٤", "2,-2"]


def test_a_wrong_value_is_one_line(script: Callable[..., str], models: Path) -> None:
    """SPEC C5, seen from torch.jit.load: the last line of the traceback says it all, and nothing was taken."""
    for value in WRONG[:3]:
        out = script("import torch, neuron_adapters.torch\ntorch.jit.load('k1.pt')", folder=models, code=1,
                     NEURON_RT_NUM_CORES=value)  # fmt: skip
        assert f"NeuronConfigError: NEURON_RT_NUM_CORES={value!r}: " in out.splitlines()[-1]


@pytest.mark.parametrize("value", WRONG)
def test_wrong_values(monkeypatch: pytest.MonkeyPatch, models: Path, value: str) -> None:
    """SPEC C5, C6: and after a failure the next load tries again."""
    monkeypatch.setenv("NEURON_RT_NUM_CORES", value)
    with pytest.raises(ValueError, match="NEURON_RT_NUM_CORES="):
        torch.jit.load(models / "k1.pt")
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "2")
    assert spans(torch.jit.load(models / "k2.pt")) == "0-1"


