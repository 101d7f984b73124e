"""neuron_rt: the runtime that forms groups of NeuronCores and runs models on them, whatever framework they are of.

A NeuronCore (NC) is emulated by a fixed set of CPUs. This package knows no framework: an adapter hands it a callable
and what the model needs. Adapters and tools import everything from here, never from the modules. Those, in reading
order: ``config`` (the environment), ``instance`` (NCs and CPUs), ``locks`` and ``ownership`` (which process has which
NC), ``placement`` (arithmetic) and ``usage`` (what is loaded where), ``execution`` (running models), ``telemetry``
(counting), ``runtime`` (all together), ``lifecycle`` (what a fork and the end do); ``observer`` and ``snapshot`` read
what other processes publish.
"""

import importlib
import typing

from neuron_rt import signal_stack
from neuron_rt.config import (
    AFFINITY,
    ENGINE,
    EXEC_TIMEOUT,
    GROUP_SIZES,
    INSTANCE,
    LOG_LEVEL,
    LOG_LOCATION,
    NUM_CORES,
    PLACE,
    PROCESS_TAG,
    STATE_DIR,
    TRACE,
    VALIDATE_HASH,
    VARIABLES,
    VISIBLE_CORES,
    WAIT,
    Config,
)
from neuron_rt.deployment import CpuSet, Deployment, RequestPool, installed_engine
from neuron_rt.engine import Constant, Engine, Program, Request
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
from neuron_rt.execution import Framework, PlainFramework, Slot
from neuron_rt.instance import INSTANCE_TYPES, MOST_NCS, Cpu, Instance, cpus_of_ncs, cpus_of_process, smt_cores
from neuron_rt.locks import share
from neuron_rt.observer import Observer, Owner, owners
from neuron_rt.ownership import choose_ncs, foresee, owned
from neuron_rt.placement import CoreRange, listed
from neuron_rt.recording import timeline
from neuron_rt.runtime import Computation, Model, Runtime, current, init
from neuron_rt.telemetry import BUCKET_COUNT
from neuron_rt.undo import Mutex, Undo, guarded, opened, undoing
from neuron_rt.usage import ANYWHERE, Allocation, PlacementRequest, Usage
from neuron_rt.version import __version__

signal_stack.prepare()  # here, since the thread that imports is nearly always the main one

#: The name that scripts of earlier releases know.
Place = PlacementRequest

if typing.TYPE_CHECKING:
    from neuron_rt.openvino import OpenVINO
    from neuron_rt.report import Layout, ModelReport
    from neuron_rt.snapshot import Counters, Snapshot, percentile

#: Imported at first use, which keeps the import of the runtime quick.
_AT_FIRST_USE = {
    "OpenVINO": "openvino",
    "Layout": "report",
    "ModelReport": "report",
    "Counters": "snapshot",
    "Snapshot": "snapshot",
    "percentile": "snapshot",
}

__all__ = [
    "AFFINITY", "ANYWHERE", "BUCKET_COUNT", "ENGINE", "EXEC_TIMEOUT", "GROUP_SIZES", "INSTANCE", "INSTANCE_TYPES",
    "LOG_LEVEL", "LOG_LOCATION", "MOST_NCS", "NUM_CORES", "PLACE", "PROCESS_TAG", "STATE_DIR", "TRACE", "VALIDATE_HASH",
    "VARIABLES", "VISIBLE_CORES", "WAIT", "Allocation", "ArtifactError", "CompileError", "Computation", "Config",
    "Constant", "CoreRange", "Counters", "Cpu", "CpuSet", "Deployment", "Engine", "EngineError",
    "ExecutionTimeoutError", "Framework", "InputMismatchError", "Instance", "Layout", "Model", "ModelNotLoadedError",
    "ModelReport", "Mutex",
    "NeuronConfigError", "NeuronCoresNotAvailableError", "NeuronError", "NotEnoughNeuronCoresError", "Observer",
    "OpenVINO", "Owner", "Place", "PlacementRequest", "PlainFramework", "Program", "Request", "RequestPool",
    "Runtime", "Slot", "Snapshot", "StateDirectoryError", "Undo", "Usage", "__version__", "choose_ncs",
    "cpus_of_ncs", "cpus_of_process", "current", "foresee", "guarded", "init", "installed_engine", "listed",
    "opened", "owned", "owners", "percentile", "share", "smt_cores", "timeline", "undoing",
]  # fmt: skip


def __getattr__(name: str) -> object:
    room = _AT_FIRST_USE.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"neuron_rt.{room}"), name)
    return value
