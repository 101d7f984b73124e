"""``neuron-top``: shows live which NeuronCore is busy with which model of which process (SPEC T1).

It reads what running processes publish, waits for none of them and takes no NeuronCores. It chooses the instance as
``neuron-ls`` does. ``_reading`` reads, ``_nodes`` and ``_model`` make numbers of two readings, ``_cores``, ``_table``,
``_tabs`` and ``_frame`` make lines of numbers, ``_app`` and ``_widgets`` show lines, ``_web`` shows them in a browser.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Sequence

from neuron_adapters.tools.shared.devices import read_environment
from neuron_adapters.tools.shared.terminal import ending, is_utf8, parser_of, say, terminal_width, whole_number
from neuron_adapters.tools.top._text import ASCII, UNICODE, Glyphs
from neuron_rt import Config, StateDirectoryError

PROGRAM = "neuron-top"
EPILOG = """\
in the screen:
  q leaves, ? shows all keys

exit codes:
  0 done, 1 the instance, the state directory or the port cannot be used,
  2 the arguments are wrong

examples:
  neuron-top                   the live screen
  neuron-top --once >> log     one frame, as text
  neuron-top --json | jq '.processes[] | {pid, calls_per_second}'
  neuron-top --web             the screen at http://127.0.0.1:8765/

NEURON_ADAPTERS_INSTANCE says which instance it is while no process runs, and
NEURON_ADAPTERS_STATE_DIR where processes publish. Without a terminal there is
one frame, as with --once. NO_COLOR is honoured. Nothing is started or taken.
"""
_LEAST, _MOST = 0.1, 3600.0  # seconds between two looks
_NO_SCREEN = ("", "dumb", "unknown")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = make_parser().parse_args(arguments)
    return ending(PROGRAM, lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    web_child = bool(os.environ.get("TEXTUAL_DRIVER"))
    config = read_environment()
    if options.json or options.once:
        return _say_once(config, options)
    if options.web:
        from neuron_adapters.tools.top import _web

        return _web.serve(options.port, options.interval, say)
    if web_child or _is_terminal():
        return _live(config, options, web=web_child)
    while sys.stdout.isatty():  # a terminal that cannot move its cursor
        _say_once(config, options)
        say("")
    return _say_once(config, options)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = parser_of(PROGRAM, "Show live which NeuronCore is busy with which model of which process.", EPILOG)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("-o", "--once", action="store_true", help="print one frame as text and end")
    way.add_argument("-j", "--json", action="store_true", help="print one frame as JSON and end")
    way.add_argument("-w", "--web", action="store_true", help="serve the screen to browsers of this machine")
    parser.add_argument(
        "-p",
        "--port",
        type=whole_number("a port", 0, 65535),
        default=8765,
        help="for --web; default %(default)s, 0: any",
    )
    parser.add_argument(
        "-i", "--interval", type=_seconds, default=1.0, metavar="SECONDS", help="time between two readings; default 1"
    )
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII only, as where the locale is not UTF-8")
    return parser


def _say_once(config: Config, options: argparse.Namespace) -> int:
    """Look twice, so that there are rates, and print what was seen."""
    from neuron_adapters.tools.top import _frame, _json
    from neuron_adapters.tools.top._model import History
    from neuron_adapters.tools.top._reading import Reader

    reader, history = Reader(config), History(config)
    history.add(reader.read())
    time.sleep(options.interval)
    picture = history.add(reader.read())
    if picture.error:
        raise StateDirectoryError(picture.error, path=str(config.state_dir))
    if options.json:
        say(_json.text(picture))
    else:
        say(_frame.text(picture, terminal_width(), _glyphs(options), str(config.state_dir)))
    return 0


def _live(config: Config, options: argparse.Namespace, *, web: bool) -> int:
    from neuron_adapters.tools.top._reading import Reader

    reader = Reader(config)
    error = reader.read().error
    if error:
        raise StateDirectoryError(error, path=str(config.state_dir))
    coloured = "NO_COLOR" not in os.environ and (web or _has_colours())
    if not coloured:
        os.environ["NO_COLOR"] = "1"  # Textual takes out what is left of colours
    from neuron_adapters.tools.top._app import TopApp

    app = TopApp(config, reader.read, interval=options.interval, glyphs=_glyphs(options, web=web), coloured=coloured)
    app.run()
    return app.return_code or 0


def _is_terminal() -> bool:
    """Check whether there is a screen to draw on and a keyboard to read."""
    streams = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    return os.environ.get("TERM", "") not in _NO_SCREEN and all(stream and stream.isatty() for stream in streams)


def _has_colours() -> bool:
    """Check whether the terminal's description has colours; without one, whether its name rules them out."""
    import curses

    name = os.environ.get("TERM", "")
    if os.environ.get("COLORTERM"):
        return True
    if name.endswith(("-mono", "-m")):
        return False
    try:
        curses.setupterm(name, sys.__stdout__.fileno() if sys.__stdout__ else 1)
        return curses.tigetnum("colors") > 0
    except curses.error:
        return True


def _glyphs(options: argparse.Namespace, *, web: bool = False) -> Glyphs:
    return UNICODE if not options.ascii and (web or is_utf8()) else ASCII


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not _LEAST <= seconds <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from {_LEAST:g} to {_MOST:g}")
    return seconds
