"""``neuron-adapters plan``: draws where models would land, before anything is loaded (SPEC P, R).

It starts no runtime and takes no NeuronCores. Placements are the runtime's own, of ``neuron_rt.usage``: ``_planner``
requests them, ``_findings`` checks them, ``_layout`` arranges them for ``_text`` and ``_svg``, which draw.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence

from neuron_adapters.tools.plan._arguments import loads_of
from neuron_adapters.tools.plan._plan import FRAMEWORKS, Load
from neuron_adapters.tools.plan._planner import make_plan
from neuron_adapters.tools.plan._text import text_of
from neuron_adapters.tools.shared.devices import allowed_cpus
from neuron_adapters.tools.shared.terminal import ending, fail, is_utf8, parser_of, say, terminal_width, whole_number
from neuron_rt import (
    AFFINITY,
    GROUP_SIZES,
    INSTANCE,
    MOST_NCS,
    NUM_CORES,
    STATE_DIR,
    VISIBLE_CORES,
    Config,
    Cpu,
    NeuronConfigError,
    choose_ncs,
    foresee,
)

PROGRAM = "neuron-adapters plan"
EPILOG = """\
models:
  2,4,3,4         four models that need 2, 4, 3 and 4 NeuronCores
  encoder:2,4     a model may have a name
  16x1            sixteen models of one NeuronCore each
Count the models that take NeuronCores: all that are loaded, or, with
NEURON_ADAPTERS_PLACE=compiled, those that are compiled.

exit codes:
  0 everything fits (warnings or not), 1 a model does not fit or the environment
  is wrong, 2 the arguments are wrong

examples:
  neuron-adapters plan 2,4,3,4 --cores 13
  neuron-adapters plan 2,4,3,4 --cores 13 --framework mx --start 0,2,6,9
  neuron-adapters plan 2 --cores 8 --start 2 --replicas 2
  neuron-adapters plan 4x2 --groups 2,2,2,2 --svg plan.svg
  neuron-adapters plan 2,4,3,4 --cores 13 --cpus 16 --nodes 2

Options that are left out are taken from the environment:
NEURON_ADAPTERS_INSTANCE, NEURON_RT_NUM_CORES, NEURON_RT_VISIBLE_CORES,
NEURONCORE_GROUP_SIZES.
Nothing is started or taken.
"""

#: The option that stands for a variable.
_OPTIONS = {INSTANCE: "instance", NUM_CORES: "cores", VISIBLE_CORES: "visible", GROUP_SIZES: "groups"}
_READ = (*_OPTIONS, AFFINITY)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    try:
        loads = loads_of(options)
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    return ending(PROGRAM, lambda: _show(parser, options, loads))


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = parser_of(PROGRAM, "Draw where models would land, and report what does not fit or costs time.", EPILOG)
    add = parser.add_argument
    add("models", nargs="+", metavar="MODELS", help="NeuronCores that each model needs: 2,4,3,4")
    add(
        "-f", "--framework", choices=[*FRAMEWORKS], default="torch", help="whose rules load the models (default: torch)"
    )
    add("-c", "--cores", metavar="N", help="NeuronCores of the process, as in NEURON_RT_NUM_CORES: 13, or 2,4,3,4")
    add("-v", "--visible", metavar="LIST", help="exactly these NeuronCores, as in NEURON_RT_VISIBLE_CORES: 0-12")
    add("-g", "--groups", metavar="SIZES", help="groups, as in NEURONCORE_GROUP_SIZES: 2,4,3,4 or 4x1")
    add("-i", "--instance", metavar="NAME", help="the instance, as in NEURON_ADAPTERS_INSTANCE: inf1.xlarge, host, 8")
    start = "the NeuronCore at which each model starts: 0,2,6,9 (. leaves it open); torch, mx"
    add("-s", "--start", metavar="LIST", help=start)
    add("-r", "--replicas", metavar="LIST", help="replicas of each model: 2, or 1,4,all; torch, tf")
    add(
        "--cpus",
        type=whole_number("a number of CPUs", 1, MOST_NCS),
        metavar="N",
        help="plan for a machine of N CPUs instead of this one",
    )
    add(
        "--nodes",
        type=whole_number("a number of NUMA nodes", 1, MOST_NCS),
        default=1,
        metavar="N",
        help="with --cpus: NUMA nodes (sockets) that these CPUs are on in equal parts",
    )
    add("--now", action="store_true", help="leave out NeuronCores that processes own at this moment")
    add("-j", "--json", action="store_true", help="JSON for scripts")
    add("--svg", metavar="FILE", help="also write a drawing")
    return parser


def _show(parser: argparse.ArgumentParser, options: argparse.Namespace, loads: Sequence[Load]) -> int:
    environ = _environ(options, os.environ)
    machine = _machine(parser, options)
    try:
        config = Config.read(environ, machine)
    except NeuronConfigError as error:
        option = _OPTIONS.get(error.variable, "")
        if not option or getattr(options, option) is None:
            raise
        parser.error(str(error).replace(f"{error.variable}=", f"--{option}=", 1))
    mask = allowed_cpus() if machine is None else frozenset(range(options.cpus))
    visible = foresee(config) if options.now else choose_ncs(config) or ()
    plan = make_plan(config, options.framework, loads, visible, mask)
    if options.svg is not None:
        from neuron_adapters.tools.plan._svg import svg_of

        drawing = svg_of(plan)
        try:
            with open(options.svg, "w", encoding="utf-8") as file:
                file.write(drawing)
        except OSError as error:
            return fail(PROGRAM, f"cannot write {options.svg!r}: {error.strerror}")
    if options.json:
        say(json.dumps(plan.as_json(), indent=4))
    else:
        say(text_of(plan, width=terminal_width(), pretty=is_utf8()))
    return 0 if plan.fits else 1


def _machine(parser: argparse.ArgumentParser, options: argparse.Namespace) -> tuple[Cpu, ...] | None:
    """Make the CPUs of the planned machine; None for this one."""
    count, nodes = options.cpus, options.nodes
    if count is None:
        if nodes > 1:
            parser.error("--nodes is for a machine of --cpus: of this one the nodes are known")
        return None
    if count % nodes:
        parser.error(f"--cpus={count} are not equal parts of --nodes={nodes}")
    return tuple(Cpu(index, node=index * nodes // count, core=index) for index in range(count))


def _environ(options: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """Make the environment of the planned process: an option overrides its variable and those that contradict it."""
    read = (*_READ, STATE_DIR) if options.now else _READ
    planned = {name: environ[name] for name in read if name in environ}
    if options.cores is not None:
        planned.pop(VISIBLE_CORES, None)
    if options.visible is not None:
        planned.pop(NUM_CORES, None)
    if "," in (options.cores or ""):  # forms groups itself
        planned.pop(GROUP_SIZES, None)
    if options.groups is not None and "," in planned.get(NUM_CORES, ""):
        planned.pop(NUM_CORES)
    for variable, option in _OPTIONS.items():
        value = getattr(options, option)
        if value is not None:
            planned[variable] = value
    return planned
