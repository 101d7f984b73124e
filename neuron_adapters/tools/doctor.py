"""``neuron-adapters doctor``: what is installed, set and taken, what it means, and what is wrong with it.

It starts no runtime and takes no NeuronCores. Frameworks are tried in processes of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from neuron_adapters import __version__
from neuron_adapters.tools._devices import machine_memory, ranges
from neuron_adapters.tools._host import Limits, StateDirectory, limits_of, map_of, state_of
from neuron_adapters.tools._installed import PACKAGES, PARTS, Trial, shadows, try_all, version_of
from neuron_adapters.tools._terminal import cut, ending, say, terminal_width
from neuron_adapters.tools._variables import Variable, conflicts_of, variables_of
from neuron_rt import Config, NeuronError, Owner, owners
from neuron_rt.config import INSTANCE, STATE_DIR
from neuron_rt.instance import cpus_of_ncs
from neuron_rt.ownership import owned
from neuron_rt.placement import listed

PROGRAM = "neuron-adapters doctor"
EPILOG = """\
marks:
  [ok]    as it should be
  [--]    not there, or without an effect: nothing has to be done
  [!!]    wrong; the line says what would be right

exit codes:
  0 nothing is wrong, 1 something is, 2 the arguments are wrong

examples:
  neuron-adapters doctor
  NEURON_RT_NUM_CORES=17 neuron-adapters doctor     what a variable would mean
  neuron-adapters doctor -j | jq -r '.problems[]'   what is wrong, for scripts

Nothing is started or taken. Each framework is imported in its own process.
"""
_MARKS = {"ok": "[ok]", "note": "[--]", "problem": "[!!]"}
_PATIENCE = 60
_NAME = 12  # columns of the names on the left


@dataclass(frozen=True)
class _Line:
    level: str
    text: str
    name: str = ""


@dataclass
class _Findings:
    """What was found, part by part, for people; and the same for scripts."""

    sections: list[tuple[str, list[_Line]]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def add(self, title: str, lines: list[_Line], **data: Any) -> None:
        self.sections.append((title, lines))
        self.data |= data

    @property
    def problems(self) -> list[str]:
        return [
            f"{line.name}: {line.text}" if line.name else line.text
            for _title, lines in self.sections for line in lines if line.level == "problem"
        ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Say what is installed, what is set and what it means, and what is wrong with it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-j", "--json", action="store_true", help="JSON for scripts")
    parser.add_argument(
        "--timeout", type=_seconds, default=_PATIENCE, metavar="SECONDS",
        help=f"how long a framework may take to load (default: {_PATIENCE})",
    )  # fmt: skip
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    return ending(PROGRAM, lambda: _show(options))


def _show(options: argparse.Namespace) -> int:
    found = examine(try_all(PARTS, options.timeout))
    say(json.dumps({**found.data, "problems": found.problems}, indent=4) if options.json else _text(found))
    return 1 if found.problems else 0


def _seconds(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1")
    return int(text)


def examine(trials: Sequence[Trial]) -> _Findings:
    """Look at everything. ``trials``: what became of the adapters."""
    found = _Findings()
    _versions(found)
    _adapters(found, trials)
    config, wrong = _config()
    _instance(found, config, limits_of())
    _owners(found, config)
    _variables(found, variables_of(os.environ), conflicts_of(os.environ), wrong)
    return found


def _config() -> tuple[Config, str]:
    """The instance and the state directory as far as they are right: the rest of the report needs them."""
    env = {name: os.environ[name] for name in (INSTANCE, STATE_DIR) if name in os.environ}
    try:
        return Config.read(env), ""
    except NeuronError as error:
        for name in (INSTANCE, STATE_DIR):
            rest = {other: value for other, value in env.items() if other != name}
            try:
                return Config.read(rest), str(error)
            except NeuronError:
                continue
        return Config.read({}), str(error)


def _versions(found: _Findings) -> None:
    versions: dict[str, str | None] = {"neuron-adapters": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        installed = version_of(name)
        versions[name] = installed[1] if installed else None
    there = [f"{name} {version}" for name, version in versions.items() if version is not None]
    absent = [name for name, version in versions.items() if version is None]
    lines = [_Line("ok", ", ".join(there))]
    if absent:
        lines.append(_Line("note", f"not installed: {', '.join(absent)}"))
    # A script's own directory comes before everything that is installed.
    hidden: list[str] = []
    with contextlib.suppress(FileNotFoundError):  # the directory was removed
        hidden = [f"./{file}" for file in shadows(os.getcwd())]
    lines += [
        _Line("problem", f"{file} hides the installed package from scripts in this directory: rename it", "shadow")
        for file in hidden
    ]
    found.add("Versions", lines, versions=versions, python=sys.executable, shadowed=hidden)


def _adapters(found: _Findings, trials: Sequence[Trial]) -> None:
    levels = {"loads": "ok", "aside": "note", "missing": "note", "broken": "problem"}
    lines = []
    for one in trials:
        mend = f". Mend it: {one.mend}" if one.state == "broken" else f": {one.mend}" if one.mend else ""
        lines.append(_Line(levels[one.state], one.text + mend, one.part.name))
    if not any(one.state in {"loads", "aside"} for one in trials if one.part.name != "engine"):
        lines.append(_Line("problem", "no adapter loads here: pip install 'neuron-adapters[torch]', [tf] or [mx]"))
    data = {
        one.part.name: {
            "state": one.state,
            "text": one.text,
            "mend": one.mend or None,
            "seconds": round(one.seconds, 3),
        }
        for one in trials
    }
    found.add("Adapters, each imported in a process of its own", lines, adapters=data)


def _instance(found: _Findings, config: Config, limits: Limits) -> None:
    instance = config.instance
    lines = [
        _Line("ok", f"{instance.name}: {instance.nc_count} NeuronCores on {instance.device_count} devices", "instance"),
        *(_Line("ok", line, "CPU map") for line in map_of(config)),
    ]
    cpus = sorted(cpu.index for cpu in config.cpus)
    mask = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if mask and set(mask) >= set(cpus):
        lines.append(_Line("ok", f"this process may use all {len(cpus)} CPUs ({ranges(cpus)})", "mask"))
    elif mask:
        text = f"this process may use CPUs {ranges(mask)} of {ranges(cpus)} only: NeuronCores on others share those"
        lines.append(_Line("note", text, "mask"))
    lines.append(_Line(*_quota(limits, len(cpus)), name="cgroup"))
    memory = machine_memory()
    share = f", {_gigabytes(limits.memory)} of it for this cgroup" if limits.memory is not None else ""
    lines.append(_Line("ok", f"{_gigabytes(memory)} of memory{share}", "memory"))
    found.add(
        "Instance", lines,
        instance={
            "name": instance.name,
            "nc_count": instance.nc_count,
            "device_count": instance.device_count,
            "cpus_of_ncs": [sorted(own) for own in cpus_of_ncs(instance.nc_count, config.cpus)],
        },
        machine={
            "cpus": cpus,
            "mask": mask,
            "cpu_limit": limits.cpus,
            "memory": memory,
            "memory_limit": limits.memory,
        },
    )  # fmt: skip


def _quota(limits: Limits, cpus: int) -> tuple[str, str]:
    if limits.cpus is None or limits.cpus >= cpus:
        return "ok", "no limit of CPU time below the CPUs"
    text = (
        f"CPU time for {limits.cpus:.3g} of {cpus} CPUs: models that run side by side are throttled together. "
        "A cpuset (docker run --cpuset-cpus) shares better than a quota (--cpus)"
    )
    return "note", text


def _owners(found: _Findings, config: Config) -> None:
    state = state_of(config.state_dir)
    problem = state.problem and f"{state.path} {state.problem}"
    living: tuple[Owner, ...] = ()
    taken = frozenset[int]()
    try:
        living = owners(config.state_dir, shared=config.shared_state)
        taken = owned(config.state_dir, config.instance.nc_count, shared=config.shared_state)
    except (NeuronError, OSError) as error:
        problem = str(error)
    lines = [_Line("ok", str(owner), "process") for owner in living]
    said = {_plain(owner.record.get("instance")) for owner in living}
    if said - {config.instance.name}:
        lines.append(_Line(
            "problem", f"processes run on {', '.join(sorted(said))}, and this environment says {config.instance.name}: "
            f"all should have the same {INSTANCE}", "instance",
        ))  # fmt: skip
    silent = sorted(taken - {nc for owner in living for nc in owner.ncs})
    if silent:
        lines.append(_Line("note", f"{listed(tuple(silent))}: the owner has not published itself", "process"))
    free = config.instance.nc_count - len(taken)
    if not problem:
        lines.append(_Line("ok", f"{free} of {config.instance.nc_count} NeuronCores are free", "free"))
    lines.append(_Line("problem", problem, "state") if problem else _Line(*_state(state), name="state"))
    if state.locks is False:
        lines.append(_Line(
            "problem", f"the file system of {state.path} takes no locks: set {STATE_DIR} to a local directory", "locks"
        ))  # fmt: skip
    found.add(
        "Who owns which NeuronCores", lines,
        owners=[{"pid": one.pid, "tag": one.tag, "command": one.command, "ncs": list(one.ncs)} for one in living],
        free=free,
        state_directory={**asdict(state), "problem": problem or None},
    )  # fmt: skip


def _plain(name: object) -> str:
    """The name of an instance, in the word of another process."""
    return name if isinstance(name, str) and len(name) < 40 and name.isprintable() else "what is no instance"


def _state(state: StateDirectory) -> tuple[str, str]:
    locks = {True: "its file system takes locks", False: "", None: "whether its file system takes locks is not known"}
    if not state.mode:
        return "ok", f"{state.path} is made at the first load; {locks[state.locks]}".removesuffix("; ")
    return "ok", f"{state.path} ({state.mode}, user {state.owner}); {locks[state.locks]}".removesuffix("; ")


def _variables(found: _Findings, variables: Sequence[Variable], conflicts: Sequence[str], wrong: str) -> None:
    lines = [_Line(one.level, f"{one.shown}: {one.text}") for one in variables]
    lines += [_Line("problem", text, "together") for text in conflicts]
    if not variables:
        lines.append(_Line("ok", "none is set: a process takes all NeuronCores of the instance"))
    if wrong:
        lines.append(_Line("note", "a wrong instance or state directory counts as not set above"))
    found.add(
        "Variables", lines,
        variables=[{"name": one.name, "value": one.value, "level": one.level, "text": one.text} for one in variables],
        conflicts=list(conflicts),
    )  # fmt: skip


def _text(found: _Findings) -> str:
    width = max(terminal_width(), 40)
    parts = []
    for title, lines in found.sections:
        named = any(line.name for line in lines)
        parts.append(title)
        before = ""
        for line in lines:
            name = line.name if line.name != before else ""
            before = line.name
            head = f"  {_MARKS[line.level]} {name:<{_NAME}}" if named else f"  {_MARKS[line.level]} "
            parts += textwrap.wrap(
                line.text, width, initial_indent=head, subsequent_indent=" " * len(head),
                break_long_words=False, break_on_hyphens=False,
            ) or [head.rstrip()]  # fmt: skip
        parts.append("")
    count = len(found.problems)
    parts.append("All is well." if not count else f"{count} thing{'s are' if count > 1 else ' is'} wrong: see [!!].")
    return "\n".join(parts)


def _gigabytes(size: int) -> str:
    return cut(f"{size / 2**30:.3g} GB", 12)


if __name__ == "__main__":
    sys.exit(main())
