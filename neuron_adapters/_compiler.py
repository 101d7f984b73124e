"""The flags of the Neuron compilers (neuron-cc, neuronx-cc), read once for all adapters (SPEC K1).

What an emulated core can honour is honoured; what it cannot is accepted and said once; what no compiler knows is an
error, since a misspelt ``--neuroncore-pipeline-core`` would quietly mean one NC.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neuron_rt import CompileError

log = logging.getLogger("neuron_adapters")

PIPELINE = ("--neuroncore-pipeline-cores", "--num-neuroncores")
_MOST_CORES = 4096

#: Documented flags that change nothing on an emulated core, and whether each takes a value.
_ACCEPTED: dict[str, bool] = {
    "--fp32-cast": True,
    "--fast-math": True,
    "--auto-cast": True,
    "--auto-cast-type": True,
    "--enable-fast-loading-neuron-binaries": False,
    "--enable-fast-context-switch": False,
    "--enable-mixed-precision-accumulation": False,
    "--enable-saturate-infinity": False,
    "--enable-internal-neff-wrapper": False,
    "--distribution-strategy": True,
    "--internal-hlo2tensorizer-options": True,
    "--tensorizer-options": True,
    "--hlo2tensorizer-options": True,
    "--logical-nc-config": True,
    "--lnc": True,
    "--logfile": True,
    "--logfile-verbose": True,
    "--model-type": True,
    "--optlevel": True,
    "--opt-level": True,
    "--target": True,
    "--framework": True,
    "--output": True,
    "--io-config": True,
    "--pipeline": True,
    "--verbose": True,
    "--extract-weights": True,
    "--static-weights": False,
    "--weights-offloading": False,
    "--dynamic-batch-size": False,
    "--must-compile": False,
    "--workdir": True,
    "--retry_failed_compilation": False,
    "--cache_dir": True,
    # Not documented, but in the documented notebooks.
    "--sb_size": True,
    "--batching_en": False,
    "--rematerialization_en": False,
    "-rematerialization_en": False,
    "--spill_dis": False,
    "--enable-replication": True,
    "-O": True,
    "-O1": False,
    "-O2": False,
    "-O3": False,
    "-o": True,
}
_SILENT = {"--verbose", "--workdir", "--logfile", "--logfile-verbose", "--output", "-o", "--framework", "--target"}
_SEVERAL = {"--fast-math", "--pipeline"}
_said: set[str] = set()


@dataclass(frozen=True)
class Flags:
    """What the flags ask for. ``pipeline_cores``: NCs one replica needs."""

    pipeline_cores: int = 1
    given: tuple[str, ...] = ()


def say_once(what: str, why: str) -> None:
    """Tell, once a process, that an option changes nothing here."""
    if what not in _said:
        _said.add(what)
        log.warning("%s is accepted and changes nothing on an emulated NeuronCore: %s", what, why)


def read_flags(args: str | Iterable[object] | None) -> Flags:
    """Read compiler flags given as one string or a list, ``['--flag', 'value']`` or ``['--flag=value']``.

    Raises CompileError for an unknown flag, a missing value, or pipeline cores that are no positive number.
    """
    words = _words(args)
    cores, index = 1, 0
    while index < len(words):
        name, equals, value = words[index].partition("=")
        index += 1
        takes = name in PIPELINE or _ACCEPTED.get(name)
        if takes is None and name.startswith("--internal-"):  # the compilers' own, in numbers; values as --flag=value
            takes = False
        if takes is None:
            raise CompileError(
                f"Unknown compiler flag {words[index - 1]!r}. Known: {', '.join(sorted({*PIPELINE, *_ACCEPTED}))}."
            )
        values: list[str] = [value] if equals else []
        if takes and not equals:
            while index < len(words) and not words[index].startswith("-") and (not values or name in _SEVERAL):
                values.append(words[index])
                index += 1
            if not values:
                raise CompileError(f"The compiler flag {name} needs a value: ['{name}', 'VALUE'] or ['{name}=VALUE'].")
        if name in PIPELINE:
            cores = pipeline_cores(values[0], name)
        elif name not in _SILENT:
            say_once(name, "the CPU computes in the model's own precision and order")
    return Flags(cores, tuple(words))


def pipeline_cores(value: object, name: str = PIPELINE[0]) -> int:
    """NCs of a pipeline as a number from 1. Raises CompileError."""
    text = str(value).strip()
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= _MOST_CORES:
        return int(text)
    raise CompileError(f"{name} takes a number of NeuronCores from 1 to {_MOST_CORES}, got {value!r}.")


def _words(args: str | Iterable[object] | None) -> Sequence[str]:
    if args is None:
        return []
    if isinstance(args, str):
        try:
            return shlex.split(args)
        except ValueError as error:
            raise CompileError(f"The compiler flags {args!r} cannot be read: {error}.") from None
    if isinstance(args, Iterable):
        return [str(word) for word in args]
    raise CompileError(f"Compiler flags are a list of strings or one string, got {type(args).__name__}.")
