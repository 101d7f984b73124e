"""``neuron-monitor``: writes the documented stream of JSON, one report a line (SPEC T1).

It reads what running processes publish, waits for none of them and takes no NeuronCores. Where the program that reads
its output is slow, there are fewer reports, and the processes notice nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import select
import sys
from collections.abc import Sequence

from neuron_adapters.tools.shared.devices import read_environment
from neuron_adapters.tools.shared.terminal import ending, fail, parser_of, stop_on_signals
from neuron_rt import NeuronConfigError

PROGRAM = "neuron-monitor"
EPILOG = """\
exit codes:
  0 it was stopped (Ctrl-C, SIGINT, SIGTERM), or the reader of its output left,
  1 the instance, the state directory or the output cannot be used,
  2 the arguments or the configuration file are wrong

examples:
  neuron-monitor                       everything, every five seconds
  neuron-monitor -c monitor.conf       what the file asks for
  neuron-monitor | head -1 | jq        one report, to look at
  neuron-monitor | neuron-monitor-prometheus --port 8000

NEURON_ADAPTERS_INSTANCE says which instance it is while no process runs, and
NEURON_ADAPTERS_STATE_DIR where processes publish. Nothing is started or taken.
"""
#: What --verbose shows.
_LEVELS = (logging.CRITICAL + 1, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = parser_of(
        PROGRAM, "Report what the processes on the emulated Neuron instance do: JSON, one report a line.", EPILOG
    )
    parser.add_argument("-c", "--config-file", metavar="FILE", help="what to report, of which processes, how often")
    parser.add_argument(
        "-v", "--verbose", type=int, choices=range(len(_LEVELS)), default=0, metavar="0..4",
        help="how much to log to standard error: from 0, nothing (the default), to 4, everything",
    )  # fmt: skip
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    stop_on_signals()
    parser = make_parser()
    if sys.stdout is None:
        return fail(PROGRAM, "standard output is closed, so there is nowhere to write the reports")
    return ending(PROGRAM, lambda: _run(parser.parse_args(arguments)), interrupted=0)


def _run(options: argparse.Namespace) -> int:
    logging.basicConfig(format=f"{PROGRAM}: %(message)s", level=_LEVELS[options.verbose])
    from neuron_adapters.tools.monitor._config import MonitorConfig
    from neuron_adapters.tools.monitor._reports import Monitor

    try:
        config = MonitorConfig.of(options.config_file)
    except NeuronConfigError as error:
        return fail(PROGRAM, error, code=2)
    output = sys.stdout.fileno()
    with contextlib.closing(Monitor(config, read_environment())) as monitor:
        for report in monitor.reports():
            line = json.dumps(report, separators=(",", ":"), allow_nan=False)
            _write(output, line.encode() + b"\n")
    return 0


def _write(output: int, line: bytes) -> None:
    """Write ``line`` at once: what a buffer holds would be written again when Python ends."""
    rest = memoryview(line)
    while rest:
        try:
            rest = rest[os.write(output, rest) :]
        except BlockingIOError:  # noqa: PERF203 - another program that shares the output made it so
            select.select([], [output], [])
