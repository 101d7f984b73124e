"""Opens files that somebody else wrote: regular ones only, since opening a pipe waits for its writer (SPEC F2)."""

from __future__ import annotations

import contextlib
import os
import stat
from contextlib import AbstractContextManager
from typing import BinaryIO

from neuron_adapters.files.printable import damaged

Source = str | os.PathLike[str] | BinaryIO


def opened(source: Source) -> AbstractContextManager[BinaryIO]:
    """Open a file by its path; a file that is open already stays open after the block."""
    return open(source, "rb") if isinstance(source, (str, os.PathLike)) else contextlib.nullcontext(source)


def check_regular(path: str) -> None:
    """Raise ArtifactError for a pipe, a socket or a device, OSError for a missing file."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise damaged(f"{path} is not a regular file.")


def read_below(path: str, most: int, kind: str) -> bytes:
    """Read a file of fewer than ``most`` bytes. Raises ArtifactError, which names its ``kind``, for a larger one."""
    check_regular(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size >= most:
            raise damaged(f"{path} has {size} bytes, and {kind} has fewer than {most}.")
        return file.read(size)
