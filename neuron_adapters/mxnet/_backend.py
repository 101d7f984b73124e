"""What the library asks of its backend: what computes a bound graph, and on which NeuronCores.

A backend is a module with the functions of :class:`Backend`. It registers by name and is imported for the first graph
that is bound: it brings the engine along.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from neuron_adapters.files.openvino_ir import Lowered
from neuron_adapters.mxnet._graph import Entry
from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.context import Context
from neuron_rt import Computation, Model, RequestPool, Slot

if TYPE_CHECKING:  # it brings all operators along
    from neuron_adapters.mxnet._inference import Inferred
    from neuron_adapters.mxnet.numpy_form import NumpyForm
    from neuron_adapters.mxnet.operators._builder import Drawn

Spec = tuple[tuple[int, ...], np.dtype[Any]]

_name = ""


@dataclass(frozen=True)
class Plan:
    """A lowered graph. ``inputs``: the variables it is given at each call, in the engine's order. ``held``: the
    variables that are its constants, in the order in which the text numbers them. ``outputs``: shapes and dtypes.
    ``inferred``: the graph itself. ``limits``: for each of ``held``, what its guards take for granted of it. ``draws``:
    those of ``inputs`` that are random numbers.

    ``lowered`` None: NumPy computes, and ``why``.
    """

    lowered: Lowered | None
    inputs: tuple[str, ...]
    held: tuple[str, ...]
    outputs: tuple[Spec, ...]
    inferred: Inferred
    limits: tuple[Any, ...] = ()
    why: str = ""
    draws: Mapping[str, Drawn] = field(default_factory=dict)

    def numpy_form(self) -> NumpyForm:
        """What computes the calls that the engine cannot (SPEC K3). Most graphs never need it. One for all executors,
        unless it has a state."""
        form: NumpyForm | None = self.__dict__.get("_numpy_form")
        if form is None:
            from neuron_adapters.mxnet.numpy_form import NumpyForm

            form = NumpyForm(self.inferred)
            if not form.stateful:
                self.__dict__["_numpy_form"] = form
        return form


class Executable(Protocol):
    """A plan with its weights."""

    def prepare(self, slots: Sequence[Slot]) -> Computation:
        """Make ready to run on ``slots``; what computes there. Raises EngineError."""

    def everywhere(self) -> RequestPool:
        """Return a pool on all CPUs of the process: that of ``mx.cpu()``. Raises EngineError."""


class Backend(Protocol):
    """The functions of a backend."""

    def lower(self, inferred: Inferred, held: Mapping[str, memoryview], tables: Collection[str] = ()) -> Plan:
        """Lower a graph whose shapes and dtypes are inferred. ``held``: the memory of the variables that are constants.
        ``tables``: variables of which rows are gathered.

        Raises InvalidGraphError and CompileError.
        """

    def executable(
        self, key: Hashable | None, plan: Plan, weights: Sequence[memoryview], *, bf16: bool = False
    ) -> Executable:
        """Return the executable known by ``key`` where one is alive, else a new one; always a new one where ``key`` is
        None.

        Raises CompileError where no engine is installed.
        """

    def fits(self, plan: Plan, weights: Sequence[np.ndarray[Any, Any]]) -> bool:
        """Whether the guards of ``plan`` hold for these weights, in the order of ``held``."""

    def run(self, executable: Any, pool: Any, inputs: Sequence[int], outputs: Sequence[int], alive: object) -> bool:
        """Run once on ``pool``; whether the outputs are MXNet's. ``inputs``, ``outputs``: addresses, in memory that
        ``alive`` keeps."""

    def new_model(self, name: str, cores: int, file: str = "") -> Model:
        """Create the runtime's model for a graph that needs ``cores`` NCs."""

    def place(self, model: Model, context: Context, beside: Model | None = None) -> None:
        """Place ``model`` on the NCs that ``context`` names, or on those of ``beside``.

        Raises NotEnoughNeuronCoresError, which is an MXNetError here.
        """

    def verify(self, heads: Sequence[Entry], arrays: Mapping[str, Any]) -> None:
        """Raise ArtifactError where a compiled part is not what was compiled, and a check is asked for (SPEC K4)."""


def register(name: str) -> None:
    """Let the module ``name`` be the backend."""
    global _name
    _name = name


def backend() -> Backend:
    """Return the backend. Raises MXNetError where none is registered."""
    return cast("Backend", importlib.import_module(_registered()))


def shown_package() -> ModuleType:
    """Return the package that shows the library to scripts, as ``mx``: the backend's. Raises MXNetError where none is
    registered."""
    return importlib.import_module(_registered().rpartition(".")[0])


def _registered() -> str:
    if not _name:
        raise MXNetError("neuron_adapters.mxnet has no backend yet: import neuron_adapters.mx")
    return _name
