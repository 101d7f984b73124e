"""``neuron-adapters completion``: writes what a shell reads to complete the commands of this package.

The library shtab makes the script from the commands' own parsers, once: no Python runs when a user presses Tab.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator, Sequence

from neuron_adapters.tools.shared.terminal import ending, parser_of, say
from neuron_rt import INSTANCE_TYPES

PROGRAM = "neuron-adapters completion"
EPILOG = """\
exit codes: 0 done, 1 shtab is missing, or the output cannot be written, 2 the arguments are wrong

examples:
  neuron-adapters completion bash >> ~/.bash_completion
  source <(neuron-adapters completion bash)             for this shell alone
  eval "$(neuron-adapters completion zsh)"              in ~/.zshrc, after compinit
  neuron-adapters completion tcsh >> ~/.tcshrc

Write it anew after an update of this package.
"""
#: Each command of this package, and the module whose ``make_parser()`` reads its command line.
COMMANDS = {
    "neuron-adapters": "neuron_adapters.tools.cli",
    "neuron-ls": "neuron_adapters.tools.ls",
    "neuron-monitor": "neuron_adapters.tools.monitor",
    "neuron-monitor-prometheus": "neuron_adapters.tools.prometheus",
    "neuron-monitor-prometheus.py": "neuron_adapters.tools.prometheus",
    "neuron-run": "neuron_adapters.run._command",
    "neuron-top": "neuron_adapters.tools.top",
    "tf-neuron-auto-multicore": "neuron_adapters.tools.auto_multicore",
}
_SHELLS = ("bash", "zsh", "tcsh")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = parser_of(PROGRAM, "Write what a shell needs to complete the commands of this package.", EPILOG)
    parser.add_argument("shell", metavar="SHELL", choices=_SHELLS, help=", ".join(_SHELLS))
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = make_parser().parse_args(arguments)
    return ending(PROGRAM, lambda: _write(options.shell))


def _write(shell: str) -> int:
    import shtab

    for parser in parsers():
        say(shtab.complete(parser, shell))
    return 0


def parsers() -> Iterator[argparse.ArgumentParser]:
    """Yield the parser of each command, whole: with the subcommands, and with what their arguments are."""
    from neuron_adapters.tools import cli

    for name, module in COMMANDS.items():
        parser = _parser_of(module)
        parser.prog = name
        if name == cli.PROGRAM:
            subcommands = parser.add_subparsers()
            for word, (room, purpose) in cli.COMMANDS.items():
                own = _parser_of(room)
                _describe(own)
                subcommands.add_parser(word, parents=[own], add_help=False, help=purpose)
        elif name == "neuron-run":
            parser.add_argument("script", metavar="FILE", nargs=argparse.REMAINDER)
        _describe(parser)
        yield parser


def _parser_of(module: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = importlib.import_module(module).make_parser()
    return parser


def _describe(parser: argparse.ArgumentParser) -> None:
    """Tell shtab which arguments are files, directories and names of instances."""
    import shtab

    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of them
        if action.metavar in {"FILE", "DIR", "MODEL_DIR"} or action.dest == "directory":
            kind = shtab.FILE if action.metavar == "FILE" else shtab.DIRECTORY
            action.complete = kind  # type: ignore[attr-defined]  # where shtab looks for it
        elif action.dest == "instance":
            action.choices = [*INSTANCE_TYPES, "host"]
