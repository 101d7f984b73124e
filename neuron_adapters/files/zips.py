"""Opens and reads untrusted zip archives at a cost that their size bounds (SPEC F2).

The directory is checked before zipfile makes objects of it. Members that share bytes of the archive would together be
larger than it: ``check`` refuses them. Only the two compression methods of PyTorch are accepted, since the others
unpack without a bound.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from neuron_adapters.files import bounded_file
from neuron_adapters.files.bounded_file import Source

#: What opening and reading a damaged archive raises.
DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OverflowError, RuntimeError,
    OSError, ValueError, KeyError, MemoryError,
)  # fmt: skip
MOST_MEMBERS = 1 << 16
#: Bytes that packed members of one archive may unpack to, together: PyTorch packs code, and nothing else.
MOST_UNPACKED = 64 << 20
_LARGEST_DIRECTORY = 16 << 20
#: zipfile takes quadratic time for extra fields, which PyTorch's directories do not have.
_LONGEST_EXTRA = 1 << 10
_ENTRY = b"PK\1\2"
_HEADER = 30
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@contextlib.contextmanager
def opened(file: Source) -> Iterator[zipfile.ZipFile]:
    """An archive with at most MOST_MEMBERS members. Raises one of DAMAGED."""
    with bounded_file.opened(file) as source:
        guarded = _Guarded(source)
        with zipfile.ZipFile(guarded) as packed:
            guarded.opening = False
            yield packed


def check(packed: zipfile.ZipFile) -> None:
    """Raise ValueError where reading every member once would read more than the file, or unpack more than
    MOST_UNPACKED."""
    entries = packed.infolist()
    file: Any = packed.fp
    file.seek(0, os.SEEK_END)
    if sum(entry.compress_size for entry in entries) > file.tell():
        raise ValueError("its members are longer than the file")
    if sum(entry.file_size for entry in entries if entry.compress_type != zipfile.ZIP_STORED) > MOST_UNPACKED:
        raise ValueError(f"it unpacks to more than {MOST_UNPACKED} bytes")


def read(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    """A member's bytes, or the first ``most`` of them. Raises one of DAMAGED."""
    if entry.compress_type not in _METHODS:
        raise ValueError(f"{entry.filename} is packed by a method that PyTorch does not read")
    with packed.open(entry) as member:
        return member.read(min(most, entry.file_size))


def offset(fd: int, entry: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin in the archive that ``fd`` leads to. Raises one of DAMAGED."""
    name, extra = struct.unpack_from("<2H", os.pread(fd, _HEADER, entry.header_offset), _HEADER - 4)
    return int(entry.header_offset + _HEADER + name + extra)


class _Guarded:
    """A file that checks its directory before zipfile makes objects of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.opening = True
        self.seek, self.tell = file.seek, file.tell
        self.seekable = getattr(file, "seekable", lambda: True)

    def read(self, size: int = -1) -> bytes:
        """Read like a file. Raises ValueError for a directory beyond the bounds."""
        if not self.opening:
            return self._file.read(size)
        if size > _LARGEST_DIRECTORY:
            raise ValueError(f"its directory has {size} bytes")
        data = self._file.read(size)
        at = count = 0
        while data.startswith(_ENTRY, at) and at + 46 <= len(data):
            name, extra, comment = struct.unpack_from("<3H", data, at + 28)
            at += 46 + name + extra + comment
            count += 1
            if extra > _LONGEST_EXTRA or count > MOST_MEMBERS:
                raise ValueError(f"its directory has more than {MOST_MEMBERS} entries, or too large ones")
        return data
