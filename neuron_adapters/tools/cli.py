"""``neuron-adapters``: commands that set up and examine models on NeuronCores.

Each command is a module of its own, imported when it is asked for.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence

from neuron_adapters import __version__
from neuron_adapters.tools.shared.terminal import ending, say

PROGRAM = "neuron-adapters"
#: Name of the command, its module, and what it is for.
COMMANDS = {
    "doctor": ("neuron_adapters.tools.doctor", "check the installation, the variables and the machine"),
    "plan": ("neuron_adapters.tools.plan", "draw where models would land, before anything is loaded"),
    "inspect": ("neuron_adapters.tools.inspect", "show what is in a compiled file: inputs, outputs, NeuronCores"),
    "share": ("neuron_adapters.tools.share", "make a state directory that several users share"),
}
EPILOG = f"""\
commands:
{chr(10).join(f"  {name:<9} {purpose}" for name, (_module, purpose) in COMMANDS.items())}

'{PROGRAM} COMMAND --help' says more about each.

examples:
  {PROGRAM} doctor
  {PROGRAM} plan 2,4,3,4 --cores 13
  {PROGRAM} inspect model.pt
  sudo {PROGRAM} share /srv/neuron

neuron-ls shows what runs at this moment.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [-h] [--version] COMMAND ...",
        description="Set up and examine models on emulated NeuronCores.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("-h", "--help", action="store_true", help="show this text")
    parser.add_argument("--version", action="store_true", help="show the version")
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words[0] if words else "-"
    if command in COMMANDS:
        return int(importlib.import_module(COMMANDS[command][0]).main(words[1:]))
    if not command.startswith("-"):
        near = difflib.get_close_matches(command, COMMANDS, n=1)
        meant = f" Did you mean {near[0]}?" if near else f" Commands: {', '.join(COMMANDS)}."
        parser.error(f"unknown command {command!r}.{meant}")
    options = parser.parse_args(words)
    if options.version:
        return ending(PROGRAM, lambda: _say(f"{PROGRAM} {__version__}"))
    if options.help:
        return ending(PROGRAM, lambda: _say(parser.format_help().rstrip()))
    parser.print_usage(sys.stderr)
    sys.stderr.write(f"{PROGRAM}: error: give a command: {', '.join(COMMANDS)}; or --help\n")
    return 2


def _say(text: str) -> int:
    say(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
