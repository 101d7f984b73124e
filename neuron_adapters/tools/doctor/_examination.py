"""Looks at all that ``neuron-adapters doctor`` reports."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from neuron_adapters import __version__
from neuron_adapters.tools.doctor._host import Limits, StateDirectory, limits_of, map_of, nodes_of, spans_of, state_of
from neuron_adapters.tools.doctor._installed import PACKAGES, Trial, duplicates, shadows, version_of
from neuron_adapters.tools.doctor._variables import Variable, conflicts_of, variables_of
from neuron_adapters.tools.shared.devices import allowed_cpus, machine_memory, read_environment
from neuron_adapters.tools.shared.text import ranges, size
from neuron_rt import (
    AFFINITY,
    GROUP_SIZES,
    INSTANCE,
    NUM_CORES,
    STATE_DIR,
    VISIBLE_CORES,
    Config,
    NeuronError,
    Owner,
    cpus_of_ncs,
    listed,
    owned,
    owners,
)


@dataclass(frozen=True)
class Line:
    """A line of the report. ``level``: "ok", "note" or "problem"."""

    level: str
    text: str
    name: str = ""


@dataclass
class Findings:
    """Collects the report: ``sections`` for people, ``data`` for scripts."""

    sections: list[tuple[str, list[Line]]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def add(self, title: str, lines: list[Line], **data: Any) -> None:
        """Add a section, and its data."""
        self.sections.append((title, lines))
        self.data |= data

    @property
    def problems(self) -> list[str]:
        """All that is wrong."""
        return [
            f"{line.name}: {line.text}" if line.name else line.text
            for _title, lines in self.sections for line in lines if line.level == "problem"
        ]  # fmt: skip


def examine(trials: Sequence[Trial]) -> Findings:
    """Look at everything. ``trials``: the adapters, tried."""
    findings = Findings()
    _versions(findings)
    _adapters(findings, trials)
    config, wrong = _config()
    _instance(findings, config, limits_of())
    _owners(findings, config)
    _variables(findings, variables_of(os.environ), conflicts_of(os.environ), wrong)
    return findings


def _config() -> tuple[Config, str]:
    """Read the instance and the state directory, each if it is valid: the rest of the report needs them."""
    try:
        return read_environment(), ""
    except NeuronError as error:
        wrong = str(error)
    for name in (STATE_DIR, INSTANCE):
        with contextlib.suppress(NeuronError):
            return read_environment(name), wrong
    return Config.read({}), wrong


def _of_process(config: Config) -> Config:
    """Read also what a process would own and how it forms groups, where that is valid; else ``config``."""
    with contextlib.suppress(NeuronError):
        return read_environment(STATE_DIR, INSTANCE, AFFINITY, NUM_CORES, VISIBLE_CORES, GROUP_SIZES)
    return config


def _versions(findings: Findings) -> None:
    versions: dict[str, str | None] = {"neuron-adapters": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        installed = version_of(name)
        versions[name] = installed[1] if installed else None
    there = [f"{name} {version}" for name, version in versions.items() if version is not None]
    absent = [name for name, version in versions.items() if version is None]
    lines = [Line("ok", ", ".join(there))]
    if absent:
        lines.append(Line("note", f"not installed: {', '.join(absent)}"))
    # A script's own directory comes before everything that is installed.
    hidden: list[str] = []
    with contextlib.suppress(FileNotFoundError):  # the directory was removed
        hidden = [f"./{file}" for file in shadows(os.getcwd())]
    lines += [
        Line("problem", f"{file} hides the installed package from scripts in this directory: rename it", "shadow")
        for file in hidden
    ]
    lines += [_duplicate(names) for names in duplicates()]
    findings.add("Versions", lines, versions=versions, python=sys.executable, shadowed=hidden)


def _duplicate(names: Sequence[str]) -> Line:
    kept, others = names[0], " ".join(names[1:])
    version = importlib.metadata.version(kept)
    text = (
        f"{' and '.join(names)} are both installed and own the same files, which pip removes with either. "
        f"Mend it: pip uninstall -y {others} && pip install --force-reinstall --no-deps {kept}=={version}"
    )
    return Line("problem", text, "duplicate")


def _adapters(findings: Findings, trials: Sequence[Trial]) -> None:
    levels = {"loads": "ok", "aside": "note", "missing": "note", "broken": "problem"}
    lines = []
    for trial in trials:
        mend = f". Mend it: {trial.mend}" if trial.state == "broken" else f": {trial.mend}" if trial.mend else ""
        lines.append(Line(levels[trial.state], trial.text + mend, trial.part.name))
    if not any(trial.state in {"loads", "aside"} for trial in trials if trial.part.name != "engine"):
        lines.append(Line("problem", "no adapter loads here: pip install 'neuron-adapters[torch]', [tf] or [mx]"))
    data = {
        trial.part.name: {
            "state": trial.state,
            "text": trial.text,
            "mend": trial.mend or None,
            "seconds": round(trial.seconds, 3),
        }
        for trial in trials
    }
    findings.add("Adapters, each imported in a process of its own", lines, adapters=data)


def _instance(findings: Findings, config: Config, limits: Limits) -> None:
    instance = config.instance
    lines = [
        Line("ok", f"{instance.name}: {instance.nc_count} NeuronCores on {instance.device_count} devices", "instance"),
        *(Line("ok", line, "CPU map") for line in map_of(config)),
    ]
    process = _of_process(config)
    nodes = nodes_of(process)
    if len(nodes.ncs) > 1:
        places = "; ".join(f"node {node}: {listed(ncs)}" for node, ncs in nodes.ncs.items())
        lines.append(Line("ok", places, "NUMA"))
        lines += [Line("note", text, "NUMA") for text in spans_of(nodes, process)]
    cpus = sorted(cpu.index for cpu in config.cpus)
    mask = sorted(allowed_cpus())
    if mask and set(mask) >= set(cpus):
        lines.append(Line("ok", f"this process may use all {len(cpus)} CPUs ({ranges(cpus)})", "mask"))
    elif mask:
        text = f"this process may use only CPUs {ranges(mask)} of {ranges(cpus)}: NeuronCores on others share those"
        lines.append(Line("note", text, "mask"))
    lines.append(Line(*_quota(limits, len(cpus)), name="cgroup"))
    memory = machine_memory()
    share = f", {size(limits.memory)} of it for this cgroup" if limits.memory is not None else ""
    lines.append(Line("ok", f"{size(memory)} of memory{share}", "memory"))
    findings.add(
        "Instance", lines,
        instance={
            "name": instance.name, "nc_count": instance.nc_count, "device_count": instance.device_count,
            "cpus_of_ncs": [sorted(own) for own in cpus_of_ncs(instance.nc_count, config.cpus)],
            "nodes_of_ncs": list(map(sorted, nodes.of)),
        },
        machine={
            "cpus": cpus, "mask": mask, "cpu_limit": limits.cpus, "memory": memory, "memory_limit": limits.memory,
        },
    )  # fmt: skip


def _quota(limits: Limits, cpus: int) -> tuple[str, str]:
    if limits.cpus is None or limits.cpus >= cpus:
        return "ok", "CPU time is not limited"
    text = (
        f"CPU time for {limits.cpus:.3g} of {cpus} CPUs: models that run in parallel are throttled together. "
        "A cpuset (docker run --cpuset-cpus) shares better than a quota (--cpus)"
    )
    return "note", text


def _owners(findings: Findings, config: Config) -> None:
    state = state_of(config.state_dir)
    problem = state.problem and f"{state.path} {state.problem}"
    living: tuple[Owner, ...] = ()
    taken = frozenset[int]()
    try:
        living = owners(config.state_dir, shared=config.shared_state)
        taken = owned(config.state_dir, config.instance.nc_count, shared=config.shared_state)
    except (NeuronError, OSError) as error:
        problem = str(error)
    lines = [Line("ok", str(owner), "process") for owner in living]
    said = {_plain(owner.record.get("instance")) for owner in living}
    if said - {config.instance.name}:
        lines.append(Line(
            "problem", f"processes run on {', '.join(sorted(said))}, but {INSTANCE} here is {config.instance.name}: "
            "set it to the same value everywhere", "instance",
        ))  # fmt: skip
    silent = sorted(taken - {nc for owner in living for nc in owner.ncs})
    if silent:
        lines.append(Line("note", f"{listed(tuple(silent))}: the owner has not published its record", "process"))
    free = config.instance.nc_count - len(taken)
    if not problem:
        lines.append(Line("ok", f"{free} of {config.instance.nc_count} NeuronCores are free", "free"))
    lines.append(Line("problem", problem, "state") if problem else Line(*_state(state), name="state"))
    if state.locks is False:
        lines.append(Line(
            "problem", f"the file system of {state.path} lacks locks: set {STATE_DIR} to a local directory", "locks"
        ))  # fmt: skip
    findings.add(
        "Who owns which NeuronCores", lines,
        owners=[
            {"pid": owner.pid, "tag": owner.tag, "command": owner.command, "ncs": list(owner.ncs)} for owner in living
        ],
        free=free,
        state_directory={**asdict(state), "problem": problem or None},
    )  # fmt: skip


def _plain(name: object) -> str:
    """Check what another process says is the name of its instance."""
    return name if isinstance(name, str) and len(name) < 40 and name.isprintable() else "an invalid instance"


def _state(state: StateDirectory) -> tuple[str, str]:
    locks = {True: "its file system supports locks", False: "", None: "locks of its file system: unknown"}
    if not state.mode:
        return "ok", f"{state.path} will be made at the first load; {locks[state.locks]}".removesuffix("; ")
    return "ok", f"{state.path} ({state.mode}, user {state.owner}); {locks[state.locks]}".removesuffix("; ")


def _variables(findings: Findings, variables: Sequence[Variable], conflicts: Sequence[str], wrong: str) -> None:
    lines = [Line(variable.level, f"{variable.shown}: {variable.text}") for variable in variables]
    lines += [Line("problem", text, "together") for text in conflicts]
    if not variables:
        lines.append(Line("ok", "none is set: a process takes all NeuronCores of the instance"))
    if wrong:
        lines.append(Line("note", "above, an invalid instance or state directory counts as not set"))
    findings.add(
        "Variables", lines,
        variables=[asdict(variable) for variable in variables],
        conflicts=list(conflicts),
    )  # fmt: skip
