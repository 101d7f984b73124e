"""The command line of ``neuron-run``: what is to run, with which NeuronCores, and the start of it."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import warnings
from collections.abc import MutableMapping, Sequence

from neuron_adapters.run import export
from neuron_adapters.tools.shared.terminal import parser_of

PROGRAM = "neuron-run"
USAGE = """\
neuron-run [OPTIONS] SCRIPT [ARGS]
       neuron-run [OPTIONS] -m MODULE [ARGS]
       neuron-run [OPTIONS] -c CODE [ARGS]
       neuron-run [OPTIONS] COMMAND [ARGS]"""
EPILOG = """\
SCRIPT, -m, -c and - (standard input) are as for python. COMMAND is any program on PATH; the Python processes that
it starts are served, too. Arguments after SCRIPT go to the script.

In the script, and in each Python process that it starts,
  import torch_neuron, torch.neuron, torch_neuronx, tensorflow.neuron, tensorflow_neuron, mx_neuron   work,
  import mxnet                                                        works without MXNet, too,
  torch.jit.load, load_model, sym.bind(ctx=mx.neuron(0))              place models on NeuronCores.

examples:
  neuron-run infer.py --batch 8              all NeuronCores of an inf1.6xlarge, on your CPUs
  neuron-run --cores 13 infer.py             13 of them
  neuron-run --cores 2,4,3,4 infer.py        13 of them, in four groups
  neuron-run --instance inf1.24xlarge -m pytest tests
  neuron-run --cores 2 -m gunicorn --workers 4 app:app     two for each worker

exit code: the script's; 2 if these arguments are wrong
"""
#: Options that take a value, and the variables they stand for.
_VARIABLES = {
    "--instance": "NEURON_ADAPTERS_INSTANCE",
    "--cores": "NEURON_RT_NUM_CORES",
    "--visible": "NEURON_RT_VISIBLE_CORES",
    "--trace": "NEURON_ADAPTERS_TRACE",
}


def run(arguments: Sequence[str]) -> int:
    """Turn this process into the one that was asked for; an exit code where that is not possible."""
    own, target = _split(arguments)
    parser = make_parser()
    options, unknown = parser.parse_known_args(own)
    if unknown:
        parser.error(
            f"unrecognized arguments: {' '.join(unknown)}. Options of Python go first: python -u -m neuron_adapters ..."
        )
    if not target:
        parser.error("there is nothing to run: name a SCRIPT, -m MODULE or a COMMAND")
    environ = dict(os.environ)
    for option, variable in _VARIABLES.items():
        value = getattr(options, option[2:])
        if value is not None:
            environ[variable] = os.path.abspath(value) if option == "--trace" else value
    if options.cores is not None:
        environ.pop(_VARIABLES["--visible"], None)  # it would win over --cores
    _check(parser, options, environ)
    program = _program(parser, target, _flags(arguments))
    export(environ)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    try:
        os.execve(program[0], program, environ)  # noqa: S606 - the user's own command
    except OSError as error:
        print(f"{PROGRAM}: {program[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 126


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of what comes before SCRIPT."""
    description = "Run an unmodified script for AWS Neuron on emulated NeuronCores."
    parser = parser_of(PROGRAM, description, EPILOG, usage=USAGE)
    parser.add_argument(
        "--instance", metavar="TYPE",
        help="instance to emulate: inf1.6xlarge (the default), inf2.48xlarge, ..., host for one NeuronCore a CPU, or a "
        "number of NeuronCores",
    )  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--cores",
        metavar="N",
        help="NeuronCores for each process: a number, or sizes of groups, 2,4,3,4 (default: all)",
    )
    which.add_argument("--visible", metavar="LIST", help="exactly these NeuronCores: 3, 0-3 or 0,2,5")
    parser.add_argument("--trace", metavar="FILE", help="write a timeline of the models' calls to FILE")
    return parser


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our options, and the rest from SCRIPT, ``-m`` or ``-c`` on."""
    index = 0
    while index < len(arguments):
        word = arguments[index]
        if re.match(r"-[mc]", word) or not word.startswith("-") or word == "-":
            break
        index += 2 if word in _VARIABLES else 1
    return list(arguments[:index]), list(arguments[index:])


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace, environ: MutableMapping[str, str]) -> None:
    """Say now what would otherwise be said at the first load."""
    if options.trace is not None:
        folder = os.path.dirname(environ[_VARIABLES["--trace"]])
        if not os.path.isdir(folder) or not options.trace or os.path.isdir(options.trace):
            parser.error(f"--trace {options.trace!r}: is not a file in an existing directory")
    if any(value is not None for value in (options.instance, options.cores, options.visible)):
        from neuron_rt import Config, NeuronConfigError

        try:
            with warnings.catch_warnings():  # a warning belongs to the script
                warnings.simplefilter("ignore")
                Config.read(environ)
        except NeuronConfigError as error:
            parser.error(str(error))


def _flags(arguments: Sequence[str]) -> list[str]:
    """The options of this very Python, as they were given: ``python -X dev -m neuron_adapters script.py``."""
    words = sys.orig_argv[1 : len(sys.orig_argv) - len(arguments)]
    last = words.pop() if words else ""
    glued = re.fullmatch(r"(-[A-Za-z]*)m(.+)", last)
    if glued and not os.path.exists(last):
        words.append(glued[1])  # -m and module in one word
    elif words and re.fullmatch(r"-[A-Za-z]*m", words[-1]):
        words.append(words.pop()[:-1])
    return [word for word in words if word != "-"]


def _program(parser: argparse.ArgumentParser, target: Sequence[str], flags: Sequence[str]) -> list[str]:
    """What to start: this Python with the script, or a command."""
    first = target[0]
    if not first:
        parser.error("the name of the script is empty")
    if first in ("-m", "-c") and len(target) == 1:
        parser.error(f"{first} needs {'a MODULE' if first == '-m' else 'CODE'}")
    if first[0] != "-" and not _is_python(first):
        command = shutil.which(first)
        if command is None:
            parser.error(f"{first!r} is neither a script nor a command on PATH")
        return [command, *target[1:]]
    if not sys.executable:
        parser.error("this Python does not know its own path: sys.executable is empty")
    if sys.flags.ignore_environment or sys.flags.no_site:
        parser.error(
            "python -E, -I and -S cannot be used: neuron-run reaches the script through the environment and site"
        )
    return [sys.executable, *flags, *target]


def _is_python(path: str) -> bool:
    """Whether ``path`` is there and is for Python: all that is, but programs of another kind."""
    if os.path.isdir(path):
        return os.path.exists(os.path.join(path, "__main__.py"))
    if not os.path.isfile(path):
        return os.path.exists(path)  # a pipe
    if not os.access(path, os.X_OK):
        return True
    try:
        with open(path, "rb") as file:
            head = file.readline(256)
    except OSError:  # Python says so
        return True
    return not head.startswith(b"\x7fELF") and (not head.startswith(b"#!") or b"python" in head)
