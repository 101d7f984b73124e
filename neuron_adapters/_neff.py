"""The header of a NEFF, the container that the Neuron compilers write, so that scripts which read it find their fields.

The layout is that of files in the wild: a header of 1024 bytes, then a gzipped tar archive. Nothing on an emulated
NeuronCore runs by it.
"""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
import uuid
from collections.abc import Mapping

HEADER = 1024
_NAME_LONGEST = 255


def neff(name: str, nc_count: int, files: Mapping[str, bytes]) -> bytes:
    """A NEFF of ``files`` for ``nc_count`` NCs. The same arguments give the same bytes."""
    data = _archive(files)
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    header = bytearray(HEADER)
    struct.pack_into("<4Q", header, 0, 2, HEADER, len(data), 1)
    struct.pack_into("<I16s16s", header, 168, nc_count, digest, b"0" * 16)
    header[204:220] = uuid.UUID(bytes=digest).bytes
    header[220 : 220 + _NAME_LONGEST] = name.encode()[:_NAME_LONGEST].ljust(_NAME_LONGEST, b"\0")
    struct.pack_into("<I", header, 476, nc_count)
    header[480 : 480 + 64] = bytes([1] * min(nc_count, 64)).ljust(64, b"\0")
    return bytes(header) + data


def _archive(files: Mapping[str, bytes]) -> bytes:
    import gzip

    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
