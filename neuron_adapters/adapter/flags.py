"""The flags of the Neuron compilers (neuron-cc, neuronx-cc), read once for all adapters (SPEC K1).

What an emulated core can honour is honoured; what it cannot is accepted and said once; what no compiler knows is an
error, since a misspelt ``--neuroncore-pipeline-core`` would quietly mean one NC.
"""

from __future__ import annotations

import difflib
import logging
import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from neuron_rt import CompileError

log = logging.getLogger("neuron_adapters")

PIPELINE = ("--neuroncore-pipeline-cores", "--num-neuroncores", "--neuron-core-pipeline")
_MOST_CORES = 4096

#: Flags that change nothing on an emulated core, first those without a value, then those with one. The last lines of
#: each kind are from documented notebooks and from public programs.
_ACCEPTED = {
    **dict.fromkeys((
        "--enable-fast-loading-neuron-binaries", "--enable-fast-context-switch",
        "--enable-mixed-precision-accumulation", "--enable-saturate-infinity", "--enable-internal-neff-wrapper",
        "--static-weights", "--weights-offloading", "--dynamic-batch-size", "--must-compile", "--reduce-neff-size",
        "--retry_failed_compilation", "-O1", "-O2", "-O3",
        "--disable-mixed-precision-accumulation",
        "--batching_en", "--rematerialization_en", "-rematerialization_en", "--spill_dis",
        "--enable-fast-math", "--enable-saturate", "--enable-ccop-compute-overlap", "--enable-native-kernel", "--remat",
        "--disable-dge", "--llm-training", "--no_cache", "--no-cache",
    ), False),
    **dict.fromkeys((
        "--distribution-strategy", "--internal-hlo2tensorizer-options", "--tensorizer-options",
        "--hlo2tensorizer-options", "--logical-nc-config", "--lnc", "--logfile", "--logfile-verbose", "--model-type",
        "--optlevel", "--opt-level", "--target", "--framework", "--output", "--io-config", "--pipeline", "--verbose",
        "--log-level", "--dump-prefix", "--workdir", "--cache_dir", "-O", "-o", "-lnc",
        "--native-int64", "--implicit-integer-downcast",
        "--sb_size", "--enable-replication",
        "--tensor-layout-heuristics", "--hbm-scratchpad-page-size", "--log_level", "--temp-dir", "--compile_workdir",
    ), True),
}  # fmt: skip
#: Documented cast flags, and for each value whether it means bfloat16 here. None: a type that CPUs do not compute in;
#: the model stays in float32, which is no less exact.
_CASTS: dict[str, dict[str, bool | None]] = {
    "--fp32-cast": {
        "all": True, "matmult": True, "matmult-bf16": True, "matmult-fp16": None, "matmult-fp32r": None, "none": False,
    },
    "--fast-math": {
        "all": True, "none": False, "fp32-cast-all": True, "fp32-cast-matmult": True, "fp32-cast-all-bf16": True,
        "fp32-cast-matmult-bf16": True, "fp32-cast-all-fp16": None, "fp32-cast-matmult-fp16": None,
        "fp32-cast-matmult-fp32r": None,
    },
    "--auto-cast": {"all": True, "matmult": True, "none": False},
    "--auto-cast-type": {"bf16": True, "fp16": None, "tf32": None, "fp8_e4m3": None},
}  # fmt: skip
_RELAYOUT = ("fast-relayout", "no-fast-relayout")
_SILENT = {
    "--verbose", "--workdir", "--logfile", "--logfile-verbose", "--output", "-o", "--framework", "--target",
    "--log-level", "--log_level", "--temp-dir", "--compile_workdir", "--cache_dir", "--no_cache", "--no-cache",
}  # fmt: skip
#: Flags whose value may be left out.
_PERHAPS = {"--extract-weights"}
#: How the compilers' own flags begin. They are in no document, take any number of values, and are many.
_OWN = (
    "--internal-", "--no-internal-", "--enable-internal-", "--disable-internal-", "--experimental-",
    "--enable-experimental-",
)  # fmt: skip
#: Flags of several values, which may be words of their own or one.
_REPEATING = {"--fast-math", "--pipeline"}
_said: set[str] = set()


@dataclass(frozen=True)
class Flags:
    """What the flags ask for. ``pipeline_cores``: NCs one replica needs."""

    pipeline_cores: int = 1
    bf16: bool = False
    """Whether a cast flag asks for bfloat16."""
    words: tuple[str, ...] = ()


def say_once(what: str, why: str) -> None:
    """Tell, once a process, that an option changes nothing here."""
    if what not in _said:
        _said.add(what)
        log.warning("%s is accepted and changes nothing on an emulated NeuronCore: %s", what, why)


def read_flags(args: str | Iterable[object] | None, honoured: Collection[str] = ()) -> Flags:
    """Read compiler flags given as one string or a list, ``['--flag', 'value']`` or ``['--flag=value']``.

    ``honoured``: further flags that the adapter does something about; it finds them among those given.
    Raises CompileError for an unknown flag, a missing value, or pipeline cores that are not a positive number.
    """
    flags = _without_spaces(words(args))
    cores, index = 1, 0
    casts: dict[str, bool | None] = {}
    while index < len(flags):
        name, equals, value = flags[index].partition("=")
        index += 1
        takes = name in PIPELINE or name in _CASTS or name in _PERHAPS or _ACCEPTED.get(name)
        own = takes is None and name.startswith(_OWN)
        if takes is None and not own:
            raise _unknown(flags[index - 1])
        values: list[str] = [value] if equals else []
        repeats = name in _REPEATING or own
        if (takes or own) and (repeats or not equals):
            while index < len(flags) and not flags[index].startswith("-") and (not values or repeats):
                values.append(flags[index])
                index += 1
            if not values and name not in _PERHAPS and not own:
                raise CompileError(f"The compiler flag {name} needs a value: ['{name}', 'VALUE'] or ['{name}=VALUE'].")
        if name in PIPELINE:
            cores = pipeline_cores(values[0], name)
        elif name in _CASTS:
            casts[name] = _cast(name, values)
        elif name not in _SILENT and name not in honoured:
            say_once(name, "there is no such choice on a CPU")
    return Flags(cores, bf16=_bf16(casts), words=tuple(flags))


def _unknown(word: str) -> CompileError:
    """The error about a word that is no flag, with what may have been meant."""
    known = sorted({*PIPELINE, *_CASTS, *_ACCEPTED, *_PERHAPS})
    name, *rest = word.replace("=", " ").split() or [""]
    if name in known and rest:
        hint = f" It has a space in it: write [{name!r}, {' '.join(rest)!r}]."
    else:
        hint = _nearest(name.replace("_", "-"), known)
    return CompileError(f"Unknown compiler flag {word!r}.{hint} Known: {', '.join(known)}.")


def _nearest(word: str, known: Iterable[str]) -> str:
    """The hint at the nearest of what is known; empty where nothing is near."""
    near = difflib.get_close_matches(word, list(known), 1)
    return f" Did you mean {near[0]}?" if near else ""


def _without_spaces(flags: Sequence[str]) -> Sequence[str]:
    """``flags``. Raises CompileError where there is a space before or behind an equals sign."""
    for index, word in enumerate(flags):
        before, behind = flags[index - 1 : index], flags[index + 1 : index + 2]
        if word.startswith("=") and before:
            name, value = before[0], word[1:] or "".join(behind)
        elif word.startswith("-") and word.endswith("=") and behind and not behind[0].startswith("-"):
            name, value = word[:-1], behind[0]
        else:
            continue
        raise CompileError(f"The compiler flag {name} has a space beside its equals sign: write '{name}={value}'.")
    return flags


def _cast(name: str, values: Sequence[str]) -> bool | None:
    """Whether a cast flag means bfloat16. Raises CompileError."""
    known = _CASTS[name]
    casts = [cast for value in values for cast in value.replace(",", " ").split()]
    meant = [cast for cast in casts if name != "--fast-math" or cast not in _RELAYOUT]
    for value in meant:
        if value not in known:
            raise CompileError(f"{name} takes {', '.join(known)}; got {value!r}.{_nearest(value, known)}")
        if known[value] is None:
            say_once(f"{name} {value}", "CPUs do not compute in that type; the model stays in float32")
    return known[meant[-1]] if meant else False


def _bf16(casts: dict[str, bool | None]) -> bool:
    """The last flag decides. A type alone casts too: the compiler's default is to cast matrix multiplications."""
    if "--auto-cast-type" in casts:
        kind = casts.pop("--auto-cast-type")
        casts["--auto-cast"] = casts.get("--auto-cast", True) and kind
    return bool(list(casts.values())[-1]) if casts else False


def pipeline_cores(value: object, name: str = PIPELINE[0]) -> int:
    """NCs of a pipeline as a number from 1. Raises CompileError."""
    text = str(value).strip()
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= _MOST_CORES:
        return int(text)
    raise CompileError(f"{name} takes a number of NeuronCores from 1 to {_MOST_CORES}, got {value!r}.")


def words(args: str | Iterable[object] | None) -> Sequence[str]:
    """Flags as a list. Raises CompileError where they can't be told apart."""
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
