"""SPEC R3: where TensorFlow replicates by itself. The golden placements of all frameworks are in tests/contract."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import tensorflow as tf

import neuron_adapters

TABLE = [
    # variables, NCs of the models, instance NCs of each
    ({}, (1,), ["0,1,2,3"]),
    ({}, (1, 1), ["0,1,2,3", "4,5,6,7"]),
    ({"NEURON_RT_NUM_CORES": "3"}, (1,), ["0,1,2"]),
    ({"NEURON_RT_VISIBLE_CORES": "0,2,5"}, (1,), ["0,2,5"]),
    ({"NEURONCORE_GROUP_SIZES": "4x1"}, (1, 1), ["0,1,2,3", "0,1,2,3"]),
    ({"NEURONCORE_GROUP_SIZES": "6x1"}, (1,), ["0,1,2,3,4,5"]),
]


@pytest.mark.parametrize(("variables", "needs", "expected"), TABLE)
def test_golden(
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    needs: tuple[int, ...],
    expected: list[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "NEURONCORE_GROUP_SIZES is deprecated", DeprecationWarning)
        loaded = [tf.keras.models.load_model(models / f"k{need}") for need in needs]
    spans = []
    for model in loaded:
        runs = [place.instance_ncs for place in neuron_adapters.placement(model)]
        spans.append(",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs))
    assert spans == expected
