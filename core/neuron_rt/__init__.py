"""neuron_rt: the runtime that forms groups of NeuronCores and runs models on them, whatever framework they are of.

A NeuronCore (NC) is emulated by a fixed set of CPUs. This package knows no framework: an adapter hands it a callable
and what the model needs. Reading order: ``config`` (the environment), ``instance`` (NCs and CPUs), ``locks`` and
``ownership`` (which process has which NC), ``placement`` (arithmetic) and ``usage`` (what is loaded where),
``execution`` (running models), ``telemetry`` (counting), ``runtime`` (all together), ``lifecycle`` (what a fork and the
end do); ``observer`` and ``snapshot`` read what other processes publish.
"""

import typing

from neuron_rt.config import Config
from neuron_rt.errors import (
    ArtifactError,
    CompileError,
    EngineError,
    ExecutionTimeoutError,
    InputMismatchError,
    ModelNotLoadedError,
    NeuronConfigError,
    NeuronCoresNotAvailableError,
    NeuronError,
    NotEnoughNeuronCoresError,
    StateDirectoryError,
)
from neuron_rt.execution import Framework, PlainFramework
from neuron_rt.observer import Observer, Owner, owners
from neuron_rt.placement import CoreRange
from neuron_rt.recording import timeline
from neuron_rt.runtime import Computation, Model, Runtime, current, init
from neuron_rt.usage import PlacementRequest

#: The name that scripts of earlier releases know.
Place = PlacementRequest

if typing.TYPE_CHECKING:
    from neuron_rt.report import Layout, ModelReport

__all__ = [
    "ArtifactError",
    "CompileError",
    "Computation",
    "Config",
    "CoreRange",
    "EngineError",
    "ExecutionTimeoutError",
    "Framework",
    "InputMismatchError",
    "Layout",
    "Model",
    "ModelNotLoadedError",
    "ModelReport",
    "NeuronConfigError",
    "NeuronCoresNotAvailableError",
    "NeuronError",
    "NotEnoughNeuronCoresError",
    "Observer",
    "Owner",
    "Place",
    "PlacementRequest",
    "PlainFramework",
    "Runtime",
    "StateDirectoryError",
    "current",
    "init",
    "owners",
    "timeline",
]


def __getattr__(name: str) -> object:
    if name not in {"Layout", "ModelReport"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from neuron_rt import report  # for people: importing the runtime is to be quick

    value = globals()[name] = getattr(report, name)
    return value
