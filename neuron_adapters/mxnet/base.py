"""The errors of the MXNet surface.

::

    MXNetError         RuntimeError    what MXNet would raise, too
    +-- MXNetValueError  ValueError    an argument is wrong
    +-- MXNetIndexError  IndexError    an index is outside its table
    +-- FormatError      ArtifactError a .params file or a symbol file is damaged, or is not one
    +-- UnreadableError  OSError       a file cannot be read
        +-- MissingError FileNotFoundError
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from neuron_adapters.files.printable import one_line
from neuron_rt import ArtifactError, NeuronError

__all__ = [
    "FormatError", "MXNetError", "MXNetIndexError", "MXNetValueError", "MissingError", "UnreadableError",
    "mx_real_t", "numeric_types", "string_types",
]  # fmt: skip

_LONGEST = 4000

string_types = (str,)
#: The dtype of an array that says no other.
mx_real_t = np.float32
numeric_types = (float, int)


class MXNetError(NeuronError, RuntimeError):
    """What MXNet raises: a RuntimeError. One printable line, since it names what files hold (SPEC F3)."""

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(one_line(message, _LONGEST), **fields)


class NotImplementedForSymbol(MXNetError, NotImplementedError):  # noqa: N818 - MXNet's name
    """Something that arrays can do and symbols cannot."""


class MXNetValueError(MXNetError, ValueError):
    """An argument is wrong: its value, its shape or its dtype."""


class MXNetIndexError(MXNetError, IndexError):
    """An index is outside its table."""


class FormatError(ArtifactError, MXNetError):
    """A file is damaged, or is not what it is taken for."""


class UnreadableError(MXNetError, OSError):
    """A file cannot be read."""


class MissingError(UnreadableError, FileNotFoundError):
    """There is no such file."""


@contextlib.contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what goes wrong while a file is read into an error of MXNet's as well as Python's, which names the file."""
    try:
        yield
    except FormatError as error:
        text = str(error)
        if os.fspath(path) in text:
            raise
        raise FormatError(f"{os.fspath(path)}: {text}", **vars(error)) from error
    except OSError as error:
        kind = MissingError if isinstance(error, FileNotFoundError) else UnreadableError
        raise kind(f"{os.fspath(path)} cannot be read: {error.strerror}.") from error
