"""The errors of the MXNet surface.

::

    MXNetError         RuntimeError    what MXNet would raise, too
    +-- MXNetValueError  ValueError    an argument is wrong
    +-- MXNetIndexError  IndexError    an index is outside its table
    +-- MXNetAssertionError  AssertionError  what MXNet asserts, where scripts are known to catch that
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
    "FormatError", "MXNetAssertionError", "MXNetError", "MXNetIndexError", "MXNetValueError", "MissingError",
    "UnreadableError", "data_dir", "data_dir_default", "integer_types", "mx_real_t", "numeric_types", "py_str",
    "string_types",
]  # fmt: skip

_LONGEST = 4000

string_types = (str,)
#: The dtype of an array that says no other.
mx_real_t = np.float32
integer_types = (int, np.integer)
numeric_types = (float, int, np.generic)


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


class MXNetAssertionError(MXNetError, AssertionError):
    """What MXNet asserts does not hold."""


class FormatError(ArtifactError, MXNetError):
    """A file is damaged, or is not what it is taken for."""


class UnreadableError(MXNetError, OSError):
    """A file cannot be read."""


class MissingError(UnreadableError, FileNotFoundError):
    """There is no such file."""


def data_dir_default() -> str:
    """Return the folder for data sets and models, of a user who says nothing else."""
    return os.path.join(os.path.expanduser("~"), ".mxnet")


def data_dir() -> str:
    """Return the folder for data sets and models: the environment's MXNET_HOME, or the default."""
    return os.environ.get("MXNET_HOME") or data_dir_default()


def py_str(text: bytes) -> str:
    """Decode UTF-8."""
    return text.decode("utf-8")


def _as_list(value: Any) -> list[Any]:
    """Return a list or a tuple as a list, and anything else as the element of one."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


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


def __getattr__(name: str) -> Any:
    if name.startswith("__"):  # Python itself asks
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from neuron_adapters.mxnet import _c_library, _training  # which have errors of this file

    if name in _c_library.__all__:
        return getattr(_c_library, name)
    return _training.missing_names("mx.base")(name)
