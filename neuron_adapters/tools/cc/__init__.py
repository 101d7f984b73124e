"""``neuron-cc``: which operators there are, as scripts ask the compiler. It is on PATH under ``neuron-run``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from neuron_adapters.tools.shared.terminal import ending, parser_of

__all__ = ["main", "make_parser"]

PROGRAM = "neuron-cc"
EPILOG = """\
exit codes: 0 done, 1 the output cannot be written, 2 the arguments are wrong

example:
  neuron-cc list-operators --framework MXNET
"""
_FRAMEWORKS = ("MXNET", "TENSORFLOW", "XLA", "ONNX")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = parser_of(PROGRAM, "The commands of neuron-cc that need no compiler.", EPILOG)
    commands = parser.add_subparsers(dest="command", required=True)
    operators = commands.add_parser("list-operators", help="print the operators that graphs may have, one a line")
    operators.add_argument("--framework", required=True, type=str.upper, choices=_FRAMEWORKS)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.framework != "MXNET":
        parser.error(f"list-operators --framework {options.framework}: only MXNET has a list; others run as they are.")
    return ending(PROGRAM, _list_operators)


def _list_operators() -> int:
    from neuron_adapters.mxnet.operators import names

    sys.stdout.write("".join(f"{name}\n" for name in names()))
    sys.stdout.flush()
    return 0
