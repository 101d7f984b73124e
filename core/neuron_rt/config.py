"""The configuration: the environment, read once into one immutable object that knows where each value came from.

SPEC C1-C5. Reading takes no NeuronCores and changes nothing. A wrong value raises NeuronConfigError.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from neuron_rt.errors import NeuronConfigError
from neuron_rt.instance import DEFAULT_TYPE, Cpu, Instance, machine_cpus
from neuron_rt.placement import Group, form_groups

VISIBLE_CORES = "NEURON_RT_VISIBLE_CORES"
NUM_CORES = "NEURON_RT_NUM_CORES"
GROUP_SIZES = "NEURONCORE_GROUP_SIZES"
EXEC_TIMEOUT = "NEURON_RT_EXEC_TIMEOUT"
VALIDATE_HASH = "NEURON_RT_VALIDATE_HASH"
PROCESS_TAG = "NEURON_PROCESS_TAG"
LOG_LEVEL = "NEURON_RT_LOG_LEVEL"
LOG_LOCATION = "NEURON_RT_LOG_LOCATION"
INSTANCE = "NEURON_ADAPTERS_INSTANCE"
AFFINITY = "NEURON_ADAPTERS_AFFINITY"
WAIT = "NEURON_ADAPTERS_WAIT"
STATE_DIR = "NEURON_ADAPTERS_STATE_DIR"
ENGINE = "NEURON_ADAPTERS_ENGINE"
PLACE = "NEURON_ADAPTERS_PLACE"
TRACE = "NEURON_ADAPTERS_TRACE"

#: Every variable that the runtime reads, and its default in words.
VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        VISIBLE_CORES: "not set: NEURON_RT_NUM_CORES decides",
        NUM_CORES: "all NeuronCores of the instance",
        GROUP_SIZES: "no groups",
        EXEC_TIMEOUT: "no time-out",
        VALIDATE_HASH: "false",
        PROCESS_TAG: "empty",
        INSTANCE: DEFAULT_TYPE,
        AFFINITY: "on",
        WAIT: "0 seconds",
        STATE_DIR: "a directory of this user, the same in every session",
        ENGINE: "auto",
        PLACE: "all",
        TRACE: "no timeline",
        LOG_LEVEL: "ERROR where NEURON_RT_LOG_LOCATION is set, else as the application logs",
        LOG_LOCATION: "console",
    }
)

#: Values of NEURON_RT_LOG_LEVEL, and the level of ``logging`` that each means.
LEVELS: Mapping[str, int] = MappingProxyType(
    {"ERROR": 40, "WARNING": 30, "WARN": 30, "INFO": 20, "DEBUG": 10, "TRACE": 10}
)
#: Of NEURON_RT_LOG_LOCATION; it may also be the path of a file.
CONSOLE, SYSLOG = "console", "syslog"

#: Values of NEURON_ADAPTERS_ENGINE.
ENGINES = ("auto", "openvino", "framework")
#: Values of NEURON_ADAPTERS_PLACE.
PLACES = ("all", "compiled")

_TRUE = ("true", "1", "on", "yes")
_FALSE = ("false", "0", "off", "no")
_LONGEST = 1024  # characters of a value that are looked at


@dataclass(frozen=True)
class Config:
    """One process's configuration. ``environ`` holds the raw values that were set, ``sources`` says where each
    variable's value came from ("environment" or "default")."""

    instance: Instance
    cpus: tuple[Cpu, ...]
    visible: tuple[int, ...] | None
    """Instance NCs of NEURON_RT_VISIBLE_CORES in its order; ``()`` where it is empty, None where it is not set."""
    count: int
    """NCs to take by first fit where ``visible`` is None."""
    groups: tuple[Group, ...]
    """Groups formed inside the allocation. Where there are some, P2 places models, else P1."""
    replicas: int | None
    """N of NEURONCORE_GROUP_SIZES=Nx1."""
    timeout: float | None
    affinity: bool
    wait: float
    state_dir: Path
    shared_state: bool
    """Whether the state directory was chosen by NEURON_ADAPTERS_STATE_DIR."""
    tag: str
    validate_hash: bool
    engine: str
    """What computes compiled models: "auto", "openvino" or "framework"."""
    place: str
    """Which models take NCs when they are loaded: "all", or those that are "compiled"."""
    trace: Path | None
    """The file of the timeline."""
    log_level: str | None
    log_location: str | None
    """None where it is not set, "console", "syslog" or a file's absolute path."""
    environ: Mapping[str, str]
    sources: Mapping[str, str]

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None, cpus: tuple[Cpu, ...] | None = None) -> Config:
        """Read the environment (SPEC C1-C5). Raises NeuronConfigError; takes nothing."""
        env = os.environ if environ is None else environ
        values = {name: env[name] for name in VARIABLES if name in env}
        raw = {name: _unquoted(value) for name, value in values.items()}
        cpus = machine_cpus() if cpus is None else cpus
        name = raw.get(INSTANCE, DEFAULT_TYPE).strip()
        instance = Instance.named(name, host_cpus=len(cpus) or os.cpu_count() or 1)
        visible, count, sizes, replicas = _allocation(raw, instance)
        return cls(
            instance=instance,
            cpus=cpus,
            visible=visible,
            count=count,
            groups=form_groups(sizes),
            replicas=replicas,
            state_dir=_state_dir(raw.get(STATE_DIR)),
            shared_state=STATE_DIR in raw,
            environ=MappingProxyType(values),
            sources=MappingProxyType({name: "environment" if name in raw else "default" for name in VARIABLES}),
            timeout=_seconds(raw[EXEC_TIMEOUT], EXEC_TIMEOUT, least=1e-3) if EXEC_TIMEOUT in raw else None,
            affinity=_switch(raw.get(AFFINITY, "on"), AFFINITY),
            wait=_seconds(raw.get(WAIT, "0"), WAIT, least=0.0),
            tag=raw.get(PROCESS_TAG, "")[:_LONGEST],
            validate_hash=_switch(raw.get(VALIDATE_HASH, "false"), VALIDATE_HASH),
            engine=_one_of(ENGINES, raw.get(ENGINE, "auto"), ENGINE, "is not an engine"),
            place=_one_of(PLACES, raw.get(PLACE, "all"), PLACE, "does not say which models take NeuronCores"),
            trace=_trace(raw.get(TRACE, "")),
            log_level=_one_of(LEVELS, raw[LOG_LEVEL], LOG_LEVEL, "is not a level") if LOG_LEVEL in raw else None,
            log_location=_log_location(raw[LOG_LOCATION]) if LOG_LOCATION in raw else None,
        )

    def warn_of_use(self) -> None:
        """Say what is deprecated (SPEC C4), with the replacement."""
        if GROUP_SIZES in self.environ:
            sizes = [group.size for group in self.groups]
            if self.visible is not None:
                instead = f"without it, {VISIBLE_CORES} lets every model take the least used of its NeuronCores"
            else:
                same = f"{NUM_CORES}={','.join(map(str, sizes))} for the same groups, or " if len(sizes) > 1 else ""
                instead = f"use {same}{NUM_CORES}={sum(sizes)} to let every model take the least used NeuronCores"
            warnings.warn(f"{GROUP_SIZES} is deprecated; {instead}", DeprecationWarning, stacklevel=2)

    def changes(self, environ: Mapping[str, str] | None = None) -> dict[str, tuple[str | None, str | None]]:
        """Variables that have changed since they were read, by name: (read, now) (SPEC C1)."""
        env = os.environ if environ is None else environ
        read = self.environ
        return {name: (read.get(name), env.get(name)) for name in VARIABLES if read.get(name) != env.get(name)}


def _unquoted(value: str) -> str:
    """``value`` without a pair of quotes, which notebooks (``%env NAME='4x1'``) and env-files leave in it."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _number(text: str) -> int | None:
    """A decimal number of nine digits at most, or None."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _visible(value: str, instance: Instance) -> tuple[int, ...]:
    """C2: ``3``, ``0-3``, ``0,2,5``, ``0-1,4-5``; empty means no NeuronCores."""
    last = instance.nc_count - 1
    accepted = (
        f"NeuronCores 0 to {last} ({instance.name}) as numbers and ranges, '3', '0-3', '0,2,5' or '0-1,4-5'; "
        "or empty for none"
    )
    if not value.strip():
        return ()
    ncs: dict[int, None] = {}
    for part in value[: 8 * _LONGEST].split(","):
        text = part.strip()
        low_text, dash, high_text = text.partition("-")
        low = _number(low_text.strip())
        high = _number(high_text.strip()) if dash else low
        if low is None or high is None:
            why = "has a part that is neither a NeuronCore index nor a range"
        elif high < low:
            why = "has a range that runs backwards"
        elif high > last:
            why = f"names a NeuronCore beyond the last one, {last}"
        elif any(nc in ncs for nc in range(low, high + 1)):
            why = "names a NeuronCore twice"
        else:
            ncs.update(dict.fromkeys(range(low, high + 1)))
            continue
        raise NeuronConfigError.of(VISIBLE_CORES, value, why, accepted, part)
    return tuple(ncs)


def _allocation(
    raw: Mapping[str, str], instance: Instance
) -> tuple[tuple[int, ...] | None, int, tuple[int, ...], int | None]:
    """C2-C4 together: the NCs that are named, their number, the sizes of groups, and N of Nx1."""
    visible = _visible(raw[VISIBLE_CORES], instance) if VISIBLE_CORES in raw else None
    sizes, replicas = _group_sizes(raw[GROUP_SIZES], instance) if GROUP_SIZES in raw else ((), None)
    counted, listed = _num_cores(raw[NUM_CORES], instance) if NUM_CORES in raw else (0, ())
    if visible is not None:
        listed = ()  # C2 wins over C3, its groups included
    if listed and sizes and listed != sizes:
        raise NeuronConfigError.of(
            GROUP_SIZES, raw[GROUP_SIZES], f"forms other groups than {NUM_CORES}={raw[NUM_CORES]!r}",
            f"one of the two variables; {NUM_CORES} is the current one",
        )  # fmt: skip
    sizes = listed or sizes
    count = len(visible) if visible is not None else counted or sum(sizes) or instance.nc_count
    if sum(sizes) > count:
        raise NeuronConfigError.of(
            GROUP_SIZES, raw[GROUP_SIZES],
            f"forms groups of {sum(sizes)} NeuronCores in all where the process has {count}",
            f"sizes that sum to {count} at most",
        )  # fmt: skip
    return visible, count, sizes, replicas


def _num_cores(value: str, instance: Instance) -> tuple[int, tuple[int, ...]]:
    """C3: a count (0 for all), or a list of group sizes. Returns the count and the sizes."""
    accepted = (
        f"a number of NeuronCores from 0 (all) to {instance.nc_count} ({instance.name}), or group sizes, '2,4,3,4', "
        f"that sum to {instance.nc_count} at most"
    )
    if "," in value:
        sizes = _sizes(NUM_CORES, value, value.split(","), instance, accepted)
        return sum(sizes), sizes
    count = _number(value.strip())
    if count is None:
        why = "is empty" if not value.strip() else "is not a number of NeuronCores"
        raise NeuronConfigError.of(NUM_CORES, value, why, accepted)
    if count > instance.nc_count:
        why = f"asks for more NeuronCores than the instance has ({instance.nc_count})"
        raise NeuronConfigError.of(NUM_CORES, value, why, f"{accepted}; or a larger {INSTANCE}")
    return count, ()


def _group_sizes(value: str, instance: Instance) -> tuple[tuple[int, ...], int | None]:
    """C4: ``2,4,3,4``, ``[2,4,3,4]`` or ``4x1``. Returns the sizes, and N where the form is Nx1."""
    accepted = (
        f"group sizes, '2,4,3,4' or '[2,4,3,4]', that sum to {instance.nc_count} at most ({instance.name}), "
        "or 'Nx1' for N groups of one; unset it for no groups"
    )
    text = value.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    copies, times, size = text.partition("x")
    if times:
        count = _number(copies.strip())
        if count is None or size.strip() != "1":
            raise NeuronConfigError.of(GROUP_SIZES, value, "is not of the form Nx1", accepted)
        if not 1 <= count <= instance.nc_count:
            why = f"asks for {count} groups on {instance.nc_count} NeuronCores"
            raise NeuronConfigError.of(GROUP_SIZES, value, why, accepted)
        return (1,) * count, count
    return _sizes(GROUP_SIZES, value, text.split(","), instance, accepted), None


def _sizes(name: str, value: str, parts: list[str], instance: Instance, accepted: str) -> tuple[int, ...]:
    sizes: list[int] = []
    for part in parts:
        size = _number(part.strip())
        if size is None or size < 1:
            why = "has a part that is not a group size" if size is None else "has a group of 0 NeuronCores"
            raise NeuronConfigError.of(name, value, why, accepted, part)
        sizes.append(size)
        if sum(sizes) > instance.nc_count:
            why = f"asks for more NeuronCores in all than the instance has ({instance.nc_count})"
            raise NeuronConfigError.of(name, value, why, f"{accepted}; or a larger {INSTANCE}", part)
    return tuple(sizes)


def _seconds(value: str, name: str, *, least: float) -> float:
    accepted = "a number of seconds, 0 or more" if least == 0 else "a number of seconds above 0; unset for none"
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?", value.strip()):
        seconds = float(value)
        if math.isfinite(seconds) and seconds >= least:
            return seconds
    raise NeuronConfigError.of(name, value, "is not a time", accepted)


def _switch(value: str, name: str) -> bool:
    text = value.strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    accepted = f"{', '.join(_TRUE)} or {', '.join(_FALSE)}"
    raise NeuronConfigError.of(name, value, "is neither on nor off", accepted)


def _one_of(choices: Iterable[str], value: str, name: str, why: str) -> str:
    for choice in choices:
        if choice.lower() == value.strip().lower():
            return choice
    raise NeuronConfigError.of(name, value, why, ", ".join(choices))


def _trace(value: str) -> Path | None:
    """A relative path begins at the directory in which the runtime starts. Empty means no timeline."""
    if "\0" in value:
        raise NeuronConfigError.of(TRACE, value, "is not a path", "the path of a file to write")
    return Path(value).absolute() if value else None


def _log_location(value: str) -> str:
    text = value.strip()
    if text.lower() in {CONSOLE, SYSLOG}:
        return text.lower()
    if "\0" in value or not Path(text).is_absolute():
        accepted = f"{CONSOLE}, {SYSLOG} or the absolute path of a file"
        raise NeuronConfigError.of(LOG_LOCATION, value, "is not a place for the log", accepted)
    return text


def _state_dir(value: str | None) -> Path:
    """O5. The default depends on the user alone: XDG_RUNTIME_DIR and TMPDIR differ between a login, cron and a
    service of one user, who would then own the same NeuronCores twice."""
    if value is None:
        return Path(f"/tmp/neuron-adapters-{os.geteuid()}")  # noqa: S108 - checked and held by ownership.py
    path = Path(value)
    if not value or "\0" in value or not path.is_absolute():
        raise NeuronConfigError.of(STATE_DIR, value, "is not an absolute path", "an absolute path of a directory")
    return path
