"""Explains the NEURON... variables that are set: what each means, or what is wrong with it (SPEC C1-C5, I2)."""

from __future__ import annotations

import difflib
import logging
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from neuron_adapters.adapter.flags import read_flags
from neuron_adapters.tools.shared.text import cut
from neuron_rt import (
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
    NeuronError,
    listed,
)

CC_FLAGS = "NEURON_CC_FLAGS"

_MEANING: dict[str, Callable[[Config], str]] = {
    VISIBLE_CORES: lambda config: f"takes exactly {listed(config.visible or ())} of the instance",
    NUM_CORES: lambda config: (
        f"takes {config.count} NeuronCores, the lowest run that is free"
        + (f", in groups of {_sizes(config)}" if config.groups else "")
    ),
    GROUP_SIZES: lambda config: f"forms groups of {_sizes(config)}",
    EXEC_TIMEOUT: lambda config: f"a call may take {config.timeout:g} s",
    VALIDATE_HASH: lambda config: f"compiled files are {'' if config.validate_hash else 'not '}checked when loaded",
    PROCESS_TAG: lambda _config: "a name for this process, shown with its NeuronCores",
    INSTANCE: lambda config: (
        f"emulates {config.instance.nc_count} NeuronCores on {config.instance.device_count} devices"
    ),
    AFFINITY: lambda config: "models are bound to CPUs" if config.affinity else "models are not bound to CPUs",
    WAIT: lambda config: f"waits up to {config.wait:g} s for NeuronCores that others own",
    STATE_DIR: lambda _config: "where processes publish which NeuronCores they own",
    ENGINE: lambda config: f"what computes compiled models: {config.engine}",
    PLACE: lambda config: (
        "only compiled models take NeuronCores" if config.place == "compiled" else "every model takes NeuronCores"
    ),
    TRACE: lambda config: f"records who runs when in {config.trace}" if config.trace else "no timeline",
    LOG_LEVEL: lambda config: f"the log shows {config.log_level} and above",
    LOG_LOCATION: lambda config: f"the log goes to {config.log_location}",
}

#: Read by a part of this package that is not the runtime.
_OTHERS = {
    CC_FLAGS: "compiler flags of TensorFlow's compile calls",
    "NEURON_ADAPTERS_PROGRESS": "progress bars of long loads and compiles; 0 for none",
    "NEURON_ADAPTERS_RUN": "set by neuron-run, for the processes that a script starts",
}

#: AWS Neuron's, of the public documents, that change nothing on emulated cores; and what to do instead, if anything.
_NO_EFFECT = {
    "NEURON_RT_MULTI_INSTANCE_SHARED_WEIGHTS": "replicas always share their weights here",
    "NEURON_RT_VIRTUAL_CORE_SIZE": f"{INSTANCE} says how many NeuronCores there are",
    "NEURON_LOGICAL_NC_CONFIG": f"{INSTANCE} says how many NeuronCores there are",
    "NEURON_RTD_ADDRESS": "neuron-rtd no longer exists; each process has its own runtime",
    **dict.fromkeys((
        "NEURON_RT_ASYNC_EXEC_MAX_INFLIGHT_REQUESTS", "NEURON_RT_ALLOW_LEGACY_NEFF",
        "NEURON_RT_STOCHASTIC_ROUNDING_EN", "NEURON_RT_STOCHASTIC_ROUNDING_SEED", "NEURON_RT_ROOT_COMM_ID",
        "NEURON_RT_INSPECT_ENABLE", "NEURON_RT_INSPECT_OUTPUT_DIR", "NEURON_PROFILE", "NEURON_FRAMEWORK_DEBUG",
        "NEURON_EXTRACT_GRAPHS_ONLY", "NEURON_NUM_RECENT_MODELS_TO_KEEP", "NEURON_COMPILE_CACHE_URL",
        "NEURON_FUSE_SOFTMAX", "NEURON_DUMP_HLO_SNAPSHOT", "NEURON_RUN_TRIVIAL_COMPUTATION_ON_CPU",
        "NEURON_FORCE_PJRT_PLUGIN_REGISTRATION", "NEURON_PJRT_PROCESSES_NUM_DEVICES", "NEURON_PJRT_PROCESS_INDEX",
    ), ""),
}  # fmt: skip
_BY_COMPONENT = re.compile(r"NEURON_RT_LOG_(LEVEL|LOCATION)_[A-Z]+")
_KNOWN = (*VARIABLES, *_OTHERS, *_NO_EFFECT)
_LONGEST_SHOWN = 60  # characters of a value


@dataclass(frozen=True)
class Variable:
    """A variable that is set. ``text``: what it means, or what is wrong and what would be right."""

    name: str
    value: str
    level: Literal["ok", "note", "problem"]
    text: str

    @property
    def shown(self) -> str:
        """Name and value, made printable."""
        text = self.value if self.value.isprintable() and self.value.strip() == self.value != "" else repr(self.value)
        name = self.name if self.name.isprintable() else repr(self.name)
        return f"{name}={cut(text, _LONGEST_SHOWN)}"


def variables_of(environ: Mapping[str, str]) -> tuple[Variable, ...]:
    """Explain each variable that is set and that is, or looks like, one of Neuron's, by name."""
    names = (name for name in sorted(environ) if name.startswith("NEURON") or _nearest(name, 0.9))
    return tuple(_look(name, environ) for name in names)


def conflicts_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Say what is wrong with variables that are each valid alone."""
    valid = {
        name: value for name, value in environ.items()
        if name in VARIABLES and not isinstance(_alone(name, environ), NeuronError)
    }  # fmt: skip
    try:
        together = Config.read(valid)
    except NeuronError as error:
        return (str(error),)
    said = []
    if together.visible is not None and NUM_CORES in valid:
        count = _read(NUM_CORES, valid).count
        if count != len(together.visible) or _read(NUM_CORES, valid).groups:
            said.append(
                f"{VISIBLE_CORES} overrides {NUM_CORES}={valid[NUM_CORES]}, which contradicts it: "
                f"the process takes {listed(together.visible)}, without groups. Unset one of the two"
            )
    if together.visible is not None and GROUP_SIZES in valid:
        said.append(
            f"{GROUP_SIZES} together with {VISIBLE_CORES} is an error for MXNet: mx.neuron(i) could be a group or a "
            "NeuronCore. Unset one of the two"
        )
    return tuple(said)


def _look(name: str, environ: Mapping[str, str]) -> Variable:
    value = environ[name]
    if name in VARIABLES:
        config = _alone(name, environ)
        if isinstance(config, NeuronError):
            return Variable(name, value, "problem", str(config).partition(": ")[2])
        if name == GROUP_SIZES:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                config.warn_of_use()
            instead = str(caught[-1].message).partition("; ")[2]
            return Variable(name, value, "note", f"{_meaning(name, config)}. Deprecated: {instead}")
        return Variable(name, value, "ok", _meaning(name, config))
    if name == CC_FLAGS:
        return _flags(value)
    if name in _OTHERS:
        return Variable(name, value, "ok", _OTHERS[name])
    if name in _NO_EFFECT or _BY_COMPONENT.fullmatch(name):
        instead = _NO_EFFECT.get(name, f"{LOG_LEVEL} and {LOG_LOCATION} apply to everything")
        return Variable(name, value, "note", "has no effect on emulated cores" + f": {instead}" * bool(instead))
    near = _nearest(name, 0.75)
    if near:
        return Variable(name, value, "problem", f"unknown variable. Did you mean {near}?")
    return Variable(name, value, "note", "unknown variable, without effect; no known name is like it")


def _meaning(name: str, config: Config) -> str:
    return _MEANING[name](config) if name in _MEANING else f"read by the runtime; not set: {VARIABLES[name]}"


def _flags(value: str) -> Variable:
    log = logging.getLogger("neuron_adapters")  # what is accepted without an effect is for those who compile
    before, log.disabled = log.disabled, True
    try:
        cores = read_flags(value, honoured=("--dynamic-batch-size", "--extract-weights")).pipeline_cores
    except NeuronError as error:
        return Variable(CC_FLAGS, value, "problem", str(error).partition(" Known: ")[0])
    finally:
        log.disabled = before
    return Variable(CC_FLAGS, value, "ok", f"{_OTHERS[CC_FLAGS]}; models of {cores} NeuronCore{'s' * (cores > 1)}")


def _alone(name: str, environ: Mapping[str, str]) -> Config | NeuronError:
    """Read the configuration that this variable alone makes, on the instance that is set, where that is valid."""
    try:
        return _read(name, environ)
    except NeuronError as error:
        return error


def _read(name: str, environ: Mapping[str, str]) -> Config:
    if name != INSTANCE and INSTANCE in environ:
        try:
            Config.read({INSTANCE: environ[INSTANCE]})
        except NeuronError:  # reported with that variable
            return Config.read({name: environ[name]})
        return Config.read({INSTANCE: environ[INSTANCE], name: environ[name]})
    return Config.read({name: environ[name]})


def _sizes(config: Config) -> str:
    return ",".join(str(group.size) for group in config.groups)


def _nearest(name: str, cutoff: float) -> str | None:
    return next(iter(difflib.get_close_matches(name.upper()[:64], _KNOWN, n=1, cutoff=cutoff)), None)
