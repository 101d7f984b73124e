"""Makes text out of a file fit for an error or a terminal: printable, on one line, of bounded length (SPEC F3)."""

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
    """What an exception says, on one printable line and without a full stop; its class where it says nothing."""
    try:
        words = " ".join(str(error)[: 16 * longest].split())
    except UnicodeError:  # a framework's message that is not UTF-8
        words = ""
    if isinstance(error, BaseException):
        words = words.rstrip(".") or type(error).__name__
    return printable(words, longest)


def damaged(text: str) -> ArtifactError:
    """The error about a file, on one printable line, whatever names out of the file are in ``text``."""
    return ArtifactError(one_line(text, _LONGEST_ERROR))
