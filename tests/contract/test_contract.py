"""What every adapter promises, once for all of them: placements, answers, errors, describe, unload, hooks."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import neuron_adapters
import neuron_rt
from neuron_adapters.adapter import hooks
from neuron_rt import ModelNotLoadedError, NeuronConfigError, NotEnoughNeuronCoresError

from .conftest import ANSWER, Adapter, deprecated


def spans(*models: Any) -> str:
    """The instance NCs of every replica of the models: "0-1 2-5"."""
    runs = [core_range.instance_ncs for model in models for core_range in neuron_adapters.placement(model)]
    return " ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


GOLDEN = [
    ({"NEURON_RT_NUM_CORES": "13"}, [2, 4, 3, 4], "0-1 2-5 6-8 9-12"),
    ({"NEURON_RT_NUM_CORES": "13"}, [2, 4, 3, 4, 2], "0-1 2-5 6-8 9-12 0-1"),
    ({"NEURON_RT_NUM_CORES": "2,4,3,4"}, [2, 4, 3, 4], "0-1 2-5 6-8 9-12"),
    ({"NEURON_RT_NUM_CORES": "2"}, [2, 2], "0-1 0-1"),
    ({"NEURON_RT_NUM_CORES": "1,1"}, [1, 1, 1], "0 1 0"),
    ({"NEURON_RT_VISIBLE_CORES": "4-7"}, [2, 2], "4-5 6-7"),
    ({"NEURON_RT_VISIBLE_CORES": "7,6,5"}, [2, 2], "7-6 6-5"),
    ({"NEURON_RT_VISIBLE_CORES": "4-5", "NEURON_RT_NUM_CORES": "1"}, [2], "4-5"),
    ({"NEURONCORE_GROUP_SIZES": "3,4,1"}, [3, 4, 1], "0-2 3-6 7"),
    ({"NEURONCORE_GROUP_SIZES": "2,2"}, [2, 2, 1, 1, 1], "0-1 2-3 0 2 0"),
    ({"NEURONCORE_GROUP_SIZES": "[2,2]"}, [2, 2], "0-1 2-3"),
    ({"NEURONCORE_GROUP_SIZES": "4"}, [4], "0-3"),
    ({}, [2, 3], "0-1 2-4"),
]
#: The same for frameworks that load a model of one NC once (P2, without R3).
GOLDEN_ONCE = [
    ({}, [1, 1], "0 1"),
    ({"NEURON_RT_NUM_CORES": "2"}, [1, 1, 1], "0 1 0"),
    ({"NEURON_RT_VISIBLE_CORES": "4-5"}, [1, 1], "4 5"),
    ({"NEURON_RT_VISIBLE_CORES": "0-1"}, [1, 2, 1], "0 0-1 1"),
    ({"NEURON_RT_NUM_CORES": "4"}, [2, 1, 1], "0-1 2 3"),
]
#: (start, NCs) of the models; P3.
GOLDEN_AT = [
    ({"NEURON_RT_NUM_CORES": "13"}, [(0, 2), (2, 4), (6, 3), (9, 4)], "0-1 2-5 6-8 9-12"),
    ({}, [(3, 1), (2, 2), (0, 3), (0, 2)], "3 2-3 0-2 0-1"),
    ({"NEURON_RT_VISIBLE_CORES": "4-7"}, [(1, 2), (0, 1)], "5-6 4"),
]


@pytest.mark.parametrize(("environ", "needs", "expected"), GOLDEN)
def test_golden(adapter: Adapter, variables: Any, environ: dict[str, str], needs: list[int], expected: str) -> None:
    """SPEC P1, P2, P8, C2-C4: and each model answers where it is."""
    variables(**environ)
    with deprecated():
        models = [adapter.load(need) for need in needs]
    assert spans(*models) == expected
    for model in models:
        np.testing.assert_array_equal(adapter.call(model), ANSWER)


@pytest.mark.parametrize(("environ", "needs", "expected"), GOLDEN_ONCE)
def test_golden_once(
    adapter: Adapter, variables: Any, environ: dict[str, str], needs: list[int], expected: str
) -> None:
    """SPEC P2; R3 for a framework that replicates by itself."""
    variables(**environ)
    models = [adapter.load(need) for need in needs]
    if not adapter.replicates:
        assert spans(*models) == expected
    elif needs[0] == 1:
        assert len(neuron_adapters.placement(models[0])) == min(4, len(neuron_rt.init().instance_ncs))


@pytest.mark.parametrize(("environ", "places", "expected"), GOLDEN_AT)
def test_golden_at(
    adapter: Adapter, variables: Any, environ: dict[str, str], places: list[tuple[int, int]], expected: str
) -> None:
    """SPEC P3."""
    variables(**environ)
    if adapter.load_at is None:  # TensorFlow has no such call
        assert not hasattr(adapter.module, "neuron_cores_context")
        return
    assert spans(*[adapter.load_at(start, need) for start, need in places]) == expected


def test_a_model_larger_than_its_group(adapter: Adapter, variables: Any) -> None:
    """SPEC P1: across groups, with a warning."""
    variables(NEURON_RT_NUM_CORES="2,2")
    models = [adapter.load(2), adapter.load(2)]
    with pytest.warns(UserWarning, match="across groups"):
        models.append(adapter.load(3))
    assert spans(*models) == "0-1 2-3 0-2"


def test_what_does_not_fit(adapter: Adapter, variables: Any) -> None:
    """SPEC P4: status 9, nothing loaded, nothing leaked."""
    variables(NEURON_RT_NUM_CORES="2")
    with pytest.raises(NotEnoughNeuronCoresError, match="status 9") as error:
        adapter.load(4)
    assert error.value.status == 9
    assert neuron_rt.init().use() == (0, 0)
    assert neuron_adapters.describe().models == ()
    assert spans(adapter.load(2)) == "0-1"


@pytest.mark.parametrize("value", ["-1", "17", "four", "", "1,,2", "4x1", "0x4", "9" * 100, "٤", "2,-2"])
def test_wrong_values(adapter: Adapter, variables: Any, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """SPEC C5, C6: the error names the variable, and the next load tries again."""
    variables(NEURON_RT_NUM_CORES=value)
    with pytest.raises(NeuronConfigError, match="NEURON_RT_NUM_CORES=") as error:
        adapter.load(1)
    assert isinstance(error.value, ValueError)
    assert neuron_rt.current() is None
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "2")
    assert spans(adapter.load(2)) == "0-1"


def test_describe_and_unload(adapter: Adapter, variables: Any) -> None:
    """SPEC P6, P7: models are listed in order of loading; an unloaded one holds nothing, and says so."""
    variables(NEURON_RT_NUM_CORES="5")
    first, second = adapter.load(2), adapter.load(3)
    adapter.call(first)
    models = neuron_adapters.describe().models
    assert [model.kind for model in models] == [adapter.name] * 2
    assert [model.calls for model in models] == [1, 0]
    for _twice in range(2):
        neuron_adapters.unload(first)
        assert neuron_adapters.placement(first) == ()
    assert neuron_rt.init().use() == (0, 0, 1, 1, 1)
    with pytest.raises(ModelNotLoadedError, match="unloaded"):
        adapter.call(first)
    np.testing.assert_array_equal(adapter.call(second), ANSWER)
    assert spans(adapter.load(2)) == "0-1"


def test_a_place_follows_its_object(adapter: Adapter, variables: Any) -> None:
    """SPEC P6: what nobody has any more holds no NCs."""
    variables(NEURON_RT_NUM_CORES="2")
    model = adapter.load(2)
    assert neuron_rt.init().use() == (1, 1)
    del model
    gc.collect()
    assert neuron_rt.init().use() == (0, 0)


def test_uncompiled(adapter: Adapter, variables: Any) -> None:
    """What nobody compiled is a model of one NC, and gives the framework's answer."""
    variables(NEURON_RT_NUM_CORES="1")
    model = adapter.load(0)
    assert spans(model) == "0"
    np.testing.assert_allclose(adapter.call(model), ANSWER)


def test_hooks(adapter: Adapter, run_script: Callable[..., str]) -> None:
    """SPEC H1: put in twice counts once, taken out twice is harmless, and the names come and go with the hooks."""
    run_script("hooks.py", adapter.module.__name__, adapter.plugin, TF_CPP_MIN_LOG_LEVEL="3")


def test_a_hook_of_a_hook() -> None:
    """SPEC H1: what is hooked is hooked once, whoever asks when."""

    def load() -> str:
        return "loaded"

    def wrap(function: Callable[[], str]) -> Callable[[], str]:
        return lambda: "placed, " + function()

    hooked = hooks.hook(load, wrap)
    assert hooks.hook(load, wrap) is hooks.hook(hooked, wrap) is hooked
    assert hooked() == "placed, loaded"
    assert hooks.original(hooked) is hooks.original(load) is load
