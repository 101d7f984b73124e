"""``neuron-adapters plan``: draws where models would land, before anything is loaded (SPEC P, R).

It starts no runtime and takes no NeuronCores. Placements are the runtime's own, of :mod:`neuron_rt.table`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from neuron_adapters.tools._plan import FRAMEWORKS, Load, Plan, make_plan
from neuron_adapters.tools._plan_svg import svg_of
from neuron_adapters.tools._plan_text import text_of
from neuron_adapters.tools._terminal import ending, fail, is_utf8, say, terminal_width
from neuron_rt import Config, NeuronConfigError
from neuron_rt.config import AFFINITY, GROUP_SIZES, INSTANCE, NUM_CORES, STATE_DIR, VISIBLE_CORES
from neuron_rt.instance import MOST_NCS, Cpu
from neuron_rt.ownership import choice, foresee

PROGRAM = "neuron-adapters plan"
EPILOG = """\
models:
  2,4,3,4         four models of so many NeuronCores, in order of loading
  encoder:2,4     a model may have a name
  16x1            sixteen models of one NeuronCore each

exit codes:
  0 everything fits (warnings or not), 1 a model does not fit or the environment
  is wrong, 2 the arguments are wrong

examples:
  neuron-adapters plan 2,4,3,4 --cores 13
  neuron-adapters plan 2,4,3,4 --cores 13 --framework mx --start 0,2,6,9
  neuron-adapters plan 2 --cores 8 --start 2 --replicas 2
  neuron-adapters plan 4x2 --groups 2,2,2,2 --svg plan.svg

What an option does not say, the environment does: NEURON_ADAPTERS_INSTANCE,
NEURON_RT_NUM_CORES, NEURON_RT_VISIBLE_CORES, NEURONCORE_GROUP_SIZES.
Nothing is started or taken.
"""

#: The option that stands for a variable.
_OPTIONS = {INSTANCE: "instance", NUM_CORES: "cores", VISIBLE_CORES: "visible", GROUP_SIZES: "groups"}
_READ = (*_OPTIONS, AFFINITY)
_MODEL = re.compile(r"(?:(?P<name>[^:,]{1,64}):|(?P<copies>[0-9]{1,4})x)?(?P<need>[0-9]{1,4})")
_MOST_MODELS = 4096


class _Wrong(Exception):  # noqa: N818 - it ends in argparse's words
    """An argument is wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = _parser()
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    try:
        loads = _loads(options)
    except _Wrong as error:
        parser.error(str(error))
    return ending(PROGRAM, lambda: _show(parser, options, loads))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Draw where models would land on the NeuronCores, and say what is wrong with it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("models", nargs="+", metavar="MODELS", help="NeuronCores that each model needs: 2,4,3,4")
    add(
        "-f", "--framework", choices=[*FRAMEWORKS], default="torch", help="whose rules load the models (default: torch)"
    )
    add(
        "-c", "--cores", metavar="N", help="NeuronCores of the process, as NEURON_RT_NUM_CORES has them: 13, or 2,4,3,4"
    )
    add("-v", "--visible", metavar="LIST", help="exactly which, as NEURON_RT_VISIBLE_CORES has them: 0-12")
    add("-g", "--groups", metavar="SIZES", help="groups, as NEURONCORE_GROUP_SIZES has them: 2,4,3,4 or 4x1")
    add("-i", "--instance", metavar="NAME", help="as NEURON_ADAPTERS_INSTANCE has it: inf1.xlarge, host, 8")
    add(
        "-s",
        "--start",
        metavar="LIST",
        help="the NeuronCore at which each model starts: 0,2,6,9 (. for no say); torch, mx",
    )
    add("-r", "--replicas", metavar="LIST", help="replicas of each model: 2, or 1,4,all; torch, tf")
    add("--cpus", type=_cpus, metavar="N", help="plan for a machine of N CPUs instead of this one")
    add("--now", action="store_true", help="NeuronCores that processes own at this moment are taken")
    add("-j", "--json", action="store_true", help="JSON for scripts")
    add("--svg", metavar="FILE", help="also write a drawing")
    return parser


def _show(parser: argparse.ArgumentParser, options: argparse.Namespace, loads: Sequence[Load]) -> int:
    environ = _environ(options, os.environ)
    machine = None if options.cpus is None else tuple(Cpu(index, core=index) for index in range(options.cpus))
    try:
        config = Config.read(environ, machine)
    except NeuronConfigError as error:
        option = _OPTIONS.get(error.variable, "")
        if not option or getattr(options, option) is None:
            raise
        parser.error(str(error).replace(f"{error.variable}=", f"--{option}=", 1))
    if machine is not None:
        mask = frozenset(range(options.cpus))
    else:
        mask = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()
    visible = foresee(config) if options.now else choice(config) or ()
    plan = make_plan(config, options.framework, loads, visible, mask)
    if options.svg is not None:
        try:
            _write(options.svg, svg_of(plan))
        except OSError as error:
            return fail(PROGRAM, f"cannot write {options.svg!r}: {error.strerror}")
    say(json.dumps(_json(plan), indent=4) if options.json else text_of(plan, width=terminal_width(), pretty=is_utf8()))
    return 0 if plan.fits else 1


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _environ(options: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of the planned process: an option is stronger than the variables that it makes meaningless."""
    read = (*_READ, STATE_DIR) if options.now else _READ
    found = {name: environ[name] for name in read if name in environ}
    if options.cores is not None:
        found.pop(VISIBLE_CORES, None)
    if options.visible is not None:
        found.pop(NUM_CORES, None)
    if "," in (options.cores or ""):  # forms groups itself
        found.pop(GROUP_SIZES, None)
    if options.groups is not None and "," in found.get(NUM_CORES, ""):
        found.pop(NUM_CORES)
    for variable, option in _OPTIONS.items():
        value = getattr(options, option)
        if value is not None:
            found[variable] = value
    return found


def _loads(options: argparse.Namespace) -> list[Load]:
    """The models of the command line. Raises _Wrong."""
    needs: list[tuple[str, int]] = []
    for text in ",".join(options.models).split(","):
        found = _MODEL.fullmatch(text.strip())
        if not found or not 1 <= int(found["need"]) <= MOST_NCS or found["copies"] == "0":
            raise _Wrong(
                f"{text!r} is no model: give a number of NeuronCores from 1 to {MOST_NCS}, 'NAME:2' with a name, "
                "or '16x1' for sixteen models of one"
            )
        if found["name"] and not found["name"].isprintable():
            raise _Wrong(f"{found['name']!r} is no name: it holds what cannot be printed")
        needs += [(found["name"] or "", int(found["need"]))] * int(found["copies"] or 1)
        if len(needs) > _MOST_MODELS:
            raise _Wrong(f"more than {_MOST_MODELS} models")
    starts = _starts(options, len(needs))
    replicas = _replicas(options, len(needs))
    loads = [Load(need, name, start, many) for (name, need), start, many in zip(needs, starts, replicas)]
    for one in loads:
        if one.need > 1 and one.replicas is not None and options.framework == "tf":
            raise _Wrong(
                f"--replicas: TensorFlow's auto_multicore takes models of one NeuronCore, and one needs {one.need}"
            )
        if one.start is not None and one.replicas == "all":
            raise _Wrong("--replicas: 'all' is a replica on every NeuronCore, and --start says another start")
    return loads


def _starts(options: argparse.Namespace, count: int) -> list[int | None]:
    if options.start is None:
        return [None] * count
    if options.framework == "tf":
        raise _Wrong("--start: TensorFlow has no call that says where a model starts; torch and mx have")
    texts = [text.strip() for text in options.start.split(",")]
    for text in texts:
        if not re.fullmatch(r"[.]|[0-9]{1,4}", text):
            raise _Wrong(f"--start: {text!r} is no NeuronCore index, and no '.' for no say")
    if len(texts) != count:
        raise _Wrong(f"--start: {len(texts)} for {count} model{'s' * (count != 1)}: give one for each, '.' for no say")
    return [None if text == "." else int(text) for text in texts]


def _replicas(options: argparse.Namespace, count: int) -> list[Any]:
    if options.replicas is None:
        return [None] * count
    if options.framework == "mx":
        raise _Wrong("--replicas: MXNet has no call that replicates a model; torch and tf have")
    texts = [text.strip() for text in options.replicas.split(",")]
    for text in texts:
        if text != "all" and not re.fullmatch(r"[1-9][0-9]{0,3}", text):
            raise _Wrong(f"--replicas: {text!r} is no number from 1, and not 'all'")
    if len(texts) not in {1, count}:
        raise _Wrong(f"--replicas: {len(texts)} for {count} models: give one for each, or one for all")
    many = ["all" if text == "all" else int(text) for text in texts]
    return many * count if len(many) == 1 else many


def _cpus(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MOST_NCS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of CPUs from 1 to {MOST_NCS}")
    return int(text)


def _json(plan: Plan) -> dict[str, Any]:
    instance = plan.config.instance
    return {
        "fits": plan.fits,
        "framework": plan.framework,
        "instance": {
            "name": instance.name,
            "nc_count": instance.nc_count,
            "ncs_per_device": instance.ncs_per_device,
            "cpu_count": len(plan.config.cpus),
        },
        "instance_ncs": list(plan.visible),
        "groups": [{"start_nc": group.start, "nc_count": group.size} for group in plan.config.groups],
        "ncs": [
            {
                "nc": nc,
                "instance_nc": plan.visible[nc],
                "device": plan.device(nc),
                "cpus": sorted(plan.cpus[nc]),
                "models": [one.mark for one in on],
            }
            for nc, on in enumerate(plan.on)
        ],
        "models": [
            {
                "mark": one.mark,
                "name": one.load.name,
                "nc_count": one.load.need,
                "placement": [
                    {"start_nc": each.start_nc, "nc_count": each.nc_count, "instance_ncs": list(each.instance_ncs)}
                    for each in one.ranges
                ],
                "cpus": list(plan.cpus_of(one.ncs)),
                "error": one.error or None,
            }
            for one in plan.models
        ],
        "findings": [
            {
                "level": one.level,
                "kind": one.kind,
                "text": one.text,
                "models": list(one.models),
                "ncs": list(one.ncs),
            }
            for one in plan.findings
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
