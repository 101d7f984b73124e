"""``neuron-adapters doctor``: checks the installation, the variables and the machine, and says what is wrong.

It starts no runtime and takes no NeuronCores. It imports each framework in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence

from neuron_adapters.tools.doctor._examination import Findings, examine
from neuron_adapters.tools.doctor._installed import PARTS, try_all
from neuron_adapters.tools.shared.terminal import ending, parser_of, say, terminal_width, whole_number

PROGRAM = "neuron-adapters doctor"
EPILOG = """\
marks:
  [ok]    as it should be
  [--]    absent, or without effect: nothing has to be done
  [!!]    wrong; the line says how to fix it

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


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = parser_of(PROGRAM, "Check the installation, the variables and the machine, and say what is wrong.", EPILOG)
    parser.add_argument("-j", "--json", action="store_true", help="JSON for scripts")
    parser.add_argument(
        "--timeout", type=whole_number("a number of seconds", 1, 9999), default=_PATIENCE, metavar="SECONDS",
        help=f"how long a framework may take to load (default: {_PATIENCE})",
    )  # fmt: skip
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = make_parser().parse_args(arguments)
    return ending(PROGRAM, lambda: _show(options))


def _show(options: argparse.Namespace) -> int:
    findings = examine(try_all(PARTS, options.timeout))
    say(json.dumps({**findings.data, "problems": findings.problems}, indent=4) if options.json else _text(findings))
    return 1 if findings.problems else 0


def _text(findings: Findings) -> str:
    width = max(terminal_width(), 40)
    parts = []
    for title, lines in findings.sections:
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
    count = len(findings.problems)
    parts.append(f"{count} problem{'s' * (count > 1)}: see [!!]." if count else "No problems.")
    return "\n".join(parts)
