"""The frame of a command: its arguments, output for any terminal and any pipe, an end in one line (SPEC T1)."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import sys
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from neuron_adapters import __version__
from neuron_adapters.tools.shared.text import mask_unprintable, one_line
from neuron_rt import NeuronError

if TYPE_CHECKING:
    from types import FrameType

    from _typeshed import SupportsWrite

INTERRUPTED = 130  # as a shell counts Ctrl-C
#: Packages of the extra ``tools``, and those that they bring along.
_OPTIONAL = {
    "psutil", "textual", "rich", "textual_serve", "shtab", "aiohttp", "aiohttp_jinja2", "jinja2", "prometheus_client",
}  # fmt: skip


class Parser(argparse.ArgumentParser):
    """The command line of a command: help that fits the terminal, and an error where it cannot be written."""

    _unwritten: OSError | None = None

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        # argparse drops the error of a write, so that help on a full disk would count as printed.
        stream = file or sys.stderr
        try:
            if message and stream is not None:
                stream.write(message)
        except OSError as error:
            if stream is sys.stdout:
                self._unwritten = error

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End the command with ``status``, or with 1 and one line on stderr where what it printed cannot be written."""
        self._print_message(message or "", sys.stderr)

        def flush() -> int:
            if self._unwritten is not None:
                raise self._unwritten
            sys.stdout.flush()
            return status

        sys.exit(ending(self.prog, flush))


class _Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of a description and folds those that the terminal has no room for (COLUMNS, else its width)."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = []
        for line in text.splitlines():
            margin = line[: len(line) - len(line.lstrip())]
            lines += textwrap.wrap(
                line, width, initial_indent=indent, subsequent_indent=f"{indent}{margin}  ", break_on_hyphens=False
            ) or [""]
        return "\n".join(lines)


def parser_of(program: str, description: str, epilog: str, usage: str | None = None) -> Parser:
    """Make the parser of a command, with ``--version``. ``epilog``: what follows the options in its help, line by line;
    ``usage``: the first lines of it, where argparse's own would not do."""
    parser = Parser(
        prog=program,
        usage=usage,
        description=description,
        epilog=epilog,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{program} {__version__}")
    return parser


def whole_number(what: str, least: int, most: int) -> Callable[[str], int]:
    """Make the ``type`` of an argument that is a whole number from ``least`` to ``most``."""

    def read(text: str) -> int:
        if not re.fullmatch("[0-9]{1,5}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not {what} from {least} to {most}")
        return int(text)

    return read


def ending(program: str, run: Callable[[], int], *, interrupted: int = INTERRUPTED) -> int:
    """Run a command; its exit code: 0 where the reader has left, 1 and one line on stderr for an error, ``interrupted``
    for Ctrl-C."""
    if sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for good
    try:
        return run()
    except BrokenPipeError:  # "| head" has read enough
        drop_output()
        return 0
    except KeyboardInterrupt:
        drop_output()
        forget_interrupt()
        return interrupted
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _OPTIONAL:
            raise
        extra = "pip install 'neuron-adapters[tools]'"
        return fail(program, f"needs the package {package}, which is not installed: {extra}")
    except NeuronError as error:
        return fail(program, error)
    except OSError as error:  # a full disk
        drop_output()
        return fail(program, error)


def stop_on_signals() -> None:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt, even where a shell started the command in the background."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # it is stopping already
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def forget_interrupt() -> None:
    """Let Python end with the exit code that it is given. Run with ``-m`` it ends by SIGINT once Ctrl-C came inside an
    ``exec`` of text, such as that of a dataclass, even where the exception was caught, until another ``exec`` ends
    well."""
    exec("")  # noqa: S102 - the other one


def fail(program: str, error: object, code: int = 1) -> int:
    """Write ``error`` to stderr in one line; the exit code for it."""
    complain(program, error)
    return code


def complain(program: str, text: object) -> None:
    """Write one printable line to standard error, where that is open."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{program}: {mask_unprintable(one_line(text))}\n")


def drop_output() -> None:
    """Discard what is written from now on: Python's last flush would fail once again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Print ``text`` at once, with question marks for characters that the locale lacks."""
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


def is_utf8() -> bool:
    """Check whether the output can show every character."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def terminal_width() -> int:
    """Count the columns of the terminal: as COLUMNS says, else as the terminal says, else 80."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns[:6]) > 0:
        return int(columns[:6])
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
