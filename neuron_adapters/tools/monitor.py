"""``neuron-monitor``: the documented stream of JSON, one report a line (SPEC T1).

It reads what running processes publish, waits for nobody and takes no NeuronCores. Its own reader may be as slow as it
likes: then reports are fewer, and the processes notice nothing.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import select
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neuron_adapters.tools._devices import read_environment
from neuron_adapters.tools._terminal import fail
from neuron_rt import NeuronConfigError, NeuronError

if TYPE_CHECKING:
    from types import FrameType

    from neuron_adapters.tools._monitor_config import MonitorConfig

PROGRAM = "neuron-monitor"
EPILOG = """\
exit codes:
  0 it was told to stop (Ctrl-C, SIGINT, SIGTERM), or nobody reads any more,
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
INSTALL = "needs psutil: pip install 'neuron-adapters[tools]'"

#: What --verbose shows.
_LEVELS = (logging.CRITICAL + 1, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    stop_on_signals()
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Tell what the processes on the emulated Neuron instance do, as JSON, one report a line.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-c", "--config-file", metavar="FILE", help="what to tell, of which processes, how often")
    parser.add_argument(
        "-v",
        "--verbose",
        type=int,
        choices=range(len(_LEVELS)),
        default=0,
        metavar="0..4",
        help="how much to say about the work on standard error: 0, the default, is nothing",
    )
    try:
        options = parser.parse_args(arguments)
        logging.basicConfig(format=f"{PROGRAM}: %(message)s", level=_LEVELS[options.verbose])
        return _run(options.config_file)
    except KeyboardInterrupt:
        return 0


def _run(config_file: str | None) -> int:
    try:
        from neuron_adapters.tools._monitor import monitoring
    except ImportError as error:
        return fail(PROGRAM, f"{INSTALL} ({error})")
    try:
        config = read_config(config_file)
    except NeuronConfigError as error:
        return fail(PROGRAM, error, code=2)
    if sys.stdout is None:
        return fail(PROGRAM, "standard output is closed, and there is nowhere else to write to")
    try:
        output = sys.stdout.fileno()
        with monitoring(config, read_environment()) as reports:
            for report in reports:
                _write(output, line_of(report))
    except BrokenPipeError:  # "| head -1" has read enough
        return 0
    except (NeuronError, OSError) as error:  # OSError: a full disk
        return fail(PROGRAM, error)
    return 0


def read_config(path: str | None) -> MonitorConfig:
    """What the file asks for, everything without one. Raises NeuronConfigError."""
    from neuron_adapters.tools._monitor_config import MonitorConfig

    return MonitorConfig.default() if path is None else MonitorConfig.read(path)


def line_of(report: Mapping[str, Any]) -> bytes:
    """A report as one line of ASCII."""
    return json.dumps(report, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def stop_on_signals() -> None:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt, also where a shell started the command in the background."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # it is stopping already
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _write(output: int, line: bytes) -> None:
    """Write at once and keep nothing back: a buffer would be written once more on the way out, to whom nobody knows."""
    rest = memoryview(line)
    while rest:
        try:
            rest = rest[os.write(output, rest) :]
        except BlockingIOError:  # noqa: PERF203 - whoever shares our output has made it so
            select.select([], [output], [])


if __name__ == "__main__":
    sys.exit(main())
