"""Prepares text from a file for an error or a terminal: printable, on one line, of bounded length (SPEC F3)."""

from __future__ import annotations

from neuron_rt import ArtifactError

LONGEST = 200
_LONGEST_ERROR = 1000


def printable(text: object, longest: int = LONGEST) -> str:
    """``text`` with escapes for control characters, lone surrogates and whatever else cannot be printed, cut after
    ``longest`` characters."""
    string = text if isinstance(text, str) else str(text)
    head = string[: longest + 1]
    if not head.isprintable():
        head = "".join(
            character if character.isprintable() else character.encode("unicode_escape").decode() for character in head
        )
    return head if len(string) <= longest and len(head) <= longest else f"{head[:longest]}..."


def one_line(error: object, longest: int = LONGEST) -> str:
    """The message of an exception on one printable line, without a full stop; its class where it has none."""
    try:
        words = " ".join(str(error)[: 16 * longest].split())
    except UnicodeError:  # a framework's message that is not UTF-8
        words = ""
    if isinstance(error, BaseException):
        words = words.rstrip(".") or type(error).__name__
    return printable(words, longest)


def damaged(text: str) -> ArtifactError:
    """Make the error about a damaged file. ``text`` may hold names from the file: it becomes one printable line."""
    return ArtifactError(one_line(text, _LONGEST_ERROR))
