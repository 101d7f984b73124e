"""``neuron-cc``: which operators there are, as scripts ask the compiler. It is on PATH under ``neuron-run``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

__all__ = ["main"]

_FRAMEWORKS = ("MXNET", "TENSORFLOW", "XLA", "ONNX")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    parser = argparse.ArgumentParser(prog="neuron-cc", description="The commands of neuron-cc that need no compiler.")
    commands = parser.add_subparsers(dest="command", required=True)
    operators = commands.add_parser("list-operators", help="print the operators that graphs may have, one a line")
    operators.add_argument("--framework", required=True, type=str.upper, choices=_FRAMEWORKS)
    options = parser.parse_args(arguments)
    if options.framework != "MXNET":
        parser.error(f"list-operators --framework {options.framework}: only MXNET has a list; others run as they are.")
    from neuron_adapters.mxnet.operators import names

    sys.stdout.write("".join(f"{name}\n" for name in names()))
    return 0
