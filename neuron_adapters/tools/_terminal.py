"""What the commands share: text that any terminal and any pipe takes, and an end in one line (SPEC T1)."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

from neuron_rt import NeuronError

INTERRUPTED = 130  # as a shell counts Ctrl-C


def ending(program: str, run: Callable[[], int]) -> int:
    """``run()``'s exit code; 0 where the reader has left, 1 and one line on stderr for an error, 130 for Ctrl-C."""
    if sys.stdout is None:  # closed by who called
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for good
    try:
        return run()
    except BrokenPipeError:  # "| head" has read enough
        drop_output()
        return 0
    except KeyboardInterrupt:
        drop_output()
        return INTERRUPTED
    except NeuronError as error:
        return fail(program, error)
    except OSError as error:  # a full disk
        drop_output()
        return fail(program, error)


def fail(program: str, error: object, code: int = 1) -> int:
    """Say ``error`` on stderr in one line; the exit code for it."""
    complain(program, error)
    return code


def complain(program: str, text: object) -> None:
    """One line on standard error, where somebody reads it."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{program}: {' '.join(str(text).split())}\n")


def drop_output() -> None:
    """Let nothing be written any more: Python's last flush would fail once again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Print, whatever the locale can say."""
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


def is_utf8() -> bool:
    """Whether the output takes any character."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def terminal_width() -> int:
    """Columns of the terminal; COLUMNS speaks first, and what is no terminal has 80."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns[:6]) > 0:
        return int(columns[:6])
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def cut(text: str, longest: int) -> str:
    """``text``, its end left out where there is no room."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
