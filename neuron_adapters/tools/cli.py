"""``neuron-adapters``: commands that set up and examine models on NeuronCores.

Each command is a module of its own, imported when it is asked for.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence

from neuron_adapters.tools.shared.terminal import parser_of

PROGRAM = "neuron-adapters"
#: Name of the command, its module, and what it is for.
COMMANDS = {
    "doctor": ("neuron_adapters.tools.doctor", "check the installation, the variables and the machine"),
    "plan": ("neuron_adapters.tools.plan", "draw where models would land, before anything is loaded"),
    "inspect": ("neuron_adapters.tools.inspect", "show what is in a compiled file: inputs, outputs, NeuronCores"),
    "share": ("neuron_adapters.tools.share", "make a state directory that several users share"),
    "link-tools": (
        "neuron_adapters.tools.link_tools",
        "link the tools where Ray and public scripts look for them",
    ),
    "ray-resources": ("neuron_adapters.tools.ray_resources", "print the NeuronCores of this machine for ray start"),
    "completion": ("neuron_adapters.tools.completion", "let a shell complete all commands and their options"),
}
EPILOG = f"""\
commands:
{chr(10).join(f"  {name:<13} {purpose}" for name, (_module, purpose) in COMMANDS.items())}

'{PROGRAM} COMMAND --help' says more about each.

examples:
  {PROGRAM} doctor
  {PROGRAM} plan 2,4,3,4 --cores 13
  {PROGRAM} inspect model.pt
  sudo {PROGRAM} share /srv/neuron
  ray start --head --resources="$({PROGRAM} ray-resources)"

neuron-ls shows what runs at this moment.
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of what comes before COMMAND."""
    description = "Set up and examine models on emulated NeuronCores."
    return parser_of(PROGRAM, description, EPILOG, usage=f"{PROGRAM} [-h] [--version] COMMAND ...")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    parser = make_parser()
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words[0] if words else ""
    if command not in COMMANDS:
        if command.startswith("-"):
            parser.parse_args(words)
        near = difflib.get_close_matches(command, COMMANDS, n=1)
        problem = f"unknown command {command!r}." if command else "a command is missing."
        hint = f"Did you mean {near[0]}?" if near else f"Commands: {', '.join(COMMANDS)}."
        parser.error(f"{problem} {hint}")
    return int(importlib.import_module(COMMANDS[command][0]).main(words[1:]))


if __name__ == "__main__":
    sys.exit(main())
