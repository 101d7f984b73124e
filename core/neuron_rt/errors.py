"""The errors of the runtime: one root, each leaf also a builtin, so that ``except ValueError`` keeps working.

::

    NeuronError                        status 1
    +-- NeuronConfigError              ValueError     a variable or an argument is wrong (SPEC C5)
    +-- NeuronCoresNotAvailableError   RuntimeError   the NCs belong to other processes (SPEC O3)
    +-- NotEnoughNeuronCoresError      RuntimeError   the model does not fit, status 9 (SPEC P4)
    +-- ExecutionTimeoutError          TimeoutError   NEURON_RT_EXEC_TIMEOUT passed, status 5 (SPEC X3)
    +-- ModelNotLoadedError            RuntimeError   unloaded, or inherited through fork (SPEC O4, P6)
    +-- StateDirectoryError            OSError        the shared directory cannot be trusted or used (SPEC O5)
    +-- CompileError                   ValueError     a compile call was asked for something impossible (SPEC K1)
    +-- InputMismatchError             ValueError     a compiled model got another shape or dtype (SPEC K1)
    +-- ArtifactError                  RuntimeError   a compiled file is damaged or foreign (SPEC K4)
    +-- EngineError                    RuntimeError   the engine of a compiled model failed

Every error pickles with its fields, since errors cross processes.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ArtifactError", "CompileError", "EngineError", "ExecutionTimeoutError", "InputMismatchError",
    "ModelNotLoadedError", "NeuronConfigError", "NeuronCoresNotAvailableError", "NeuronError",
    "NotEnoughNeuronCoresError", "StateDirectoryError",
]  # fmt: skip


class NeuronError(Exception):
    """The root of all errors of this package. ``status`` is the Neuron runtime's (NRT) status code."""

    status: int = 1

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.__dict__.update(fields)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), str(self), dict(self.__dict__)))


def _rebuild(kind: type[NeuronError], message: str, fields: dict[str, Any]) -> NeuronError:
    return kind(message, **fields)


class NeuronConfigError(NeuronError, ValueError):
    """A variable or an argument is malformed or out of range; nothing was taken (SPEC C5)."""

    variable: str
    value: object
    part: object
    accepted: str

    @classmethod
    def of(cls, variable: str, value: object, why: str, accepted: str, part: object = None) -> NeuronConfigError:
        """Word the error in the one way: what, where, what was expected, what to do."""
        shown = f"{variable}={_short(value)}"
        where = f" (at {_short(part)})" if part is not None and part != value else ""
        message = f"{shown}: {why}{where}. Accepted: {accepted}."
        return cls(message, variable=variable, value=value, part=part, accepted=accepted)


class NeuronCoresNotAvailableError(NeuronError, RuntimeError):
    """The requested NCs belong to other processes (SPEC O3)."""

    requested: tuple[int, ...] | int
    available: int
    owners: tuple[Any, ...]


class NotEnoughNeuronCoresError(NeuronError, RuntimeError):
    """A model does not fit where it should go; nothing was loaded (SPEC P4, NRT status 9)."""

    status = 9
    need: int
    start: int | None
    visible: int


class ExecutionTimeoutError(NeuronError, TimeoutError):
    """NEURON_RT_EXEC_TIMEOUT passed; the NCs stay taken until the model ends (SPEC X3, NRT status 5)."""

    status = 5
    seconds: float


class ModelNotLoadedError(NeuronError, RuntimeError):
    """The model holds no NCs any more: it was unloaded, its runtime closed, or this is a forked child."""


class StateDirectoryError(NeuronError, OSError):
    """The directory of the shared state cannot be used safely (SPEC O5)."""

    path: str


class CompileError(NeuronError, ValueError):
    """A compile call was given options it cannot honour."""


class InputMismatchError(NeuronError, ValueError):
    """A compiled model was called with inputs other than those it was compiled for."""


class ArtifactError(NeuronError, RuntimeError):
    """A compiled file is damaged, or its content is not what its checksum says (SPEC K4)."""


class EngineError(NeuronError, RuntimeError):
    """The engine of a compiled model failed. While it loads, the framework takes over; a call raises it."""


def _short(value: object, limit: int = 80) -> str:
    """``repr`` that cannot flood a terminal."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
