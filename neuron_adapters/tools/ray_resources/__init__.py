"""``neuron-adapters ray-resources``: this machine's NeuronCores as ``ray start --resources`` takes them (SPEC M1)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from neuron_adapters.tools.shared.terminal import complain, ending, fail, parser_of, say
from neuron_adapters.tools.shared.text import ranges

PROGRAM = "neuron-adapters ray-resources"
EPILOG = f"""\
It counts the NeuronCores of this machine's instance (NEURON_ADAPTERS_INSTANCE), less those that a process owns and
those that another Ray node of this machine has declared. NEURON_RT_VISIBLE_CORES and NEURON_RT_NUM_CORES limit them
further. Nothing is taken.

examples:
  ray start --head --resources="$({PROGRAM})"
  ray start --address=HEAD:6379 --resources="$({PROGRAM})"
  {PROGRAM}                   {{"neuron_cores": 16}}

exit codes:
  0 printed, 1 the instance or the state directory cannot be used, or Ray could not tell which NeuronCores are meant,
  2 the arguments are wrong
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    return parser_of(PROGRAM, "Print the NeuronCores of this machine as Ray takes resources.", EPILOG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    make_parser().parse_args(arguments)
    return ending(PROGRAM, _print)


def _print() -> int:
    try:
        from neuron_adapters.ray import offer
    except ImportError as error:
        return fail(PROGRAM, error)
    offered = offer.read()
    if offered.variable != offered.environment:  # Ray would hand out other NeuronCores than these
        return fail(
            PROGRAM,
            f"{ranges(offered.ncs)} can be declared, and Ray counts from 0 unless it is told which: "
            f"export NEURON_RT_VISIBLE_CORES={offered.variable} first, for ray start too",
        )
    if not offered.ncs:
        complain(PROGRAM, "every NeuronCore has an owner or is declared by another Ray node of this machine")
    say(json.dumps({"neuron_cores": len(offered.ncs)}))
    return 0
