"""SPEC P8: the rows of the table of golden placements that MXNet can express, and P3, P4, C4."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pytest

import neuron_adapters
from neuron_adapters import mx
from neuron_adapters.mx._compile import compile_symbol
from neuron_rt import NeuronConfigError, NotEnoughNeuronCoresError


def executor(context: mx.Context, cores: int) -> mx.executor.Executor:
    """A small graph that was compiled for ``cores`` NCs, or never, for 0."""
    symbol = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc")
    args = {"fc_weight": mx.nd.ones((2, 3)), "fc_bias": mx.nd.zeros((2,))}
    if cores:
        symbol, args, _aux = compile_symbol(
            symbol, args, {}, {"data": mx.nd.ones((1, 3))}, **{"--neuroncore-pipeline-cores": cores}
        )
    return symbol.bind(ctx=context, args={**args, "data": mx.nd.ones((1, 3))}, grad_req="null")


TABLE = [
    # variables, (index, NCs) of the models, instance NCs of each; None is mx.cpu()
    ({"NEURON_RT_NUM_CORES": "13"}, [(0, 2), (2, 4), (6, 3), (9, 4)], ["0-1", "2-5", "6-8", "9-12"]),
    ({"NEURONCORE_GROUP_SIZES": "2,4,3,4"}, [(0, 2), (1, 4), (2, 3), (3, 4)], ["0-1", "2-5", "6-8", "9-12"]),
    ({}, [(0, 3), (3, 2), (5, 4), (9, 4)], ["0-2", "3-4", "5-8", "9-12"]),
    ({}, [(2, 4), (5, 3)], ["2-5", "5-7"]),
    ({"NEURON_RT_NUM_CORES": "6"}, [(0, 2), (2, 4), (2, 4), (2, 4)], ["0-1", "2-5", "2-5", "2-5"]),
    ({"NEURON_RT_NUM_CORES": "2"}, [(0, 2), (0, 2)], ["0-1", "0-1"]),
    ({"NEURONCORE_GROUP_SIZES": "[1,2,1]"}, [(1, 2)], ["1-2"]),
    ({"NEURON_RT_NUM_CORES": "2,4,3,4"}, [(2, 4)], ["2-5"]),
    ({"NEURON_RT_VISIBLE_CORES": "4-7"}, [(1, 2), (0, 0)], ["5-6", "4"]),
    ({"NEURON_RT_NUM_CORES": "4"}, [(None, 2), (None, 1), (None, 1)], ["0-1", "2", "3"]),
    ({"NEURONCORE_GROUP_SIZES": "2,2"}, [(None, 2), (None, 1), (None, 1)], ["0-1", "2", "0"]),
]


@pytest.mark.parametrize(("variables", "models", "expected"), TABLE)
def test_golden(
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    models: Sequence[tuple[int | None, int]],
    expected: list[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "NEURONCORE_GROUP_SIZES is deprecated", DeprecationWarning)
        executors = [executor(mx.cpu() if index is None else mx.neuron(index), cores) for index, cores in models]
    places = []
    for bound in executors:
        (where,) = neuron_adapters.placement(bound)
        ncs = where.instance_ncs
        places.append(str(ncs[0]) if len(ncs) == 1 else f"{ncs[0]}-{ncs[-1]}")
        np.testing.assert_allclose(bound.forward()[0].asnumpy(), [[3, 3]])
    assert places == expected


@pytest.mark.parametrize(
    ("variables", "index", "cores", "says"),
    [
        ({"NEURON_RT_NUM_CORES": "4"}, 3, 2, "Valid starts for it: 0 to 2"),
        ({"NEURON_RT_NUM_CORES": "4"}, 0, 5, "needs 5 consecutive"),
        ({"NEURON_RT_NUM_CORES": "4"}, 4, 1, "from NC4"),
        ({"NEURONCORE_GROUP_SIZES": "[1,1,1]"}, 1, 2, "group 1 has 1"),
        ({"NEURONCORE_GROUP_SIZES": "2,2"}, 2, 1, "there are 2 groups"),
    ],
)
def test_what_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], index: int, cores: int, says: str
) -> None:
    """P4: MXNet's error and the runtime's, status 9; nothing is loaded."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "NEURONCORE_GROUP_SIZES is deprecated", DeprecationWarning)
        with pytest.raises(mx.MXNetError, match=says) as raised:
            executor(mx.neuron(index), cores)
    assert isinstance(raised.value, NotEnoughNeuronCoresError)
    assert raised.value.status == 9
    assert "status 9" in str(raised.value)
    assert neuron_adapters.describe().models == ()


def test_groups_and_visible_cores_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """C4: for MXNet that is an error."""
    monkeypatch.setenv("NEURONCORE_GROUP_SIZES", "2,2")
    monkeypatch.setenv("NEURON_RT_VISIBLE_CORES", "0-3")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "NEURONCORE_GROUP_SIZES is deprecated", DeprecationWarning)
        with pytest.raises(NeuronConfigError, match="could mean a group or an NC"):
            executor(mx.neuron(0), 1)


def test_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """P6: an executor that goes gives its NCs back at once; so does unload()."""
    import neuron_rt

    monkeypatch.setenv("NEURON_RT_NUM_CORES", "2")
    first, second = executor(mx.neuron(0), 2), executor(mx.neuron(1), 1)
    assert neuron_rt.init().use() == (1, 2)
    del first
    assert neuron_rt.init().use() == (0, 1)
    neuron_adapters.unload(second)
    assert neuron_rt.init().use() == (0, 0)
    assert neuron_adapters.placement(second) == ()
    with pytest.raises(neuron_rt.ModelNotLoadedError, match="unloaded"):
        second.forward()
