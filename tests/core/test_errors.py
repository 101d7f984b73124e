"""The tree of errors: each leaf a builtin too, each able to cross a process border with its fields."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from neuron_rt import NeuronError, errors

BUILTIN = {
    "NeuronConfigError": (ValueError, 1),
    "NeuronCoresNotAvailableError": (RuntimeError, 1),
    "NotEnoughNeuronCoresError": (RuntimeError, 9),
    "ExecutionTimeoutError": (TimeoutError, 5),
    "ModelNotLoadedError": (RuntimeError, 1),
    "StateDirectoryError": (OSError, 1),
    "CompileError": (ValueError, 1),
    "InputMismatchError": (ValueError, 1),
    "ArtifactError": (RuntimeError, 1),
    "EngineError": (RuntimeError, 1),
}


def test_every_leaf_is_listed() -> None:
    """A new error comes with its builtin and its status."""
    assert {"NeuronError", *BUILTIN} == set(errors.__all__)
    assert all(name in (errors.__doc__ or "") for name in BUILTIN)


@pytest.mark.parametrize("name", BUILTIN)
def test_errors_pickle_with_their_fields(name: str) -> None:
    """Class, text, status and fields survive pickling and copying."""
    kind: Any = getattr(errors, name)
    builtin, status = BUILTIN[name]
    error = kind("what happened", need=3, owners=(1, 2))
    assert isinstance(error, builtin)
    assert isinstance(error, NeuronError)
    twin: Any
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is kind
        assert (str(twin), twin.status, twin.need, twin.owners) == ("what happened", status, 3, (1, 2))
