"""Reads the header of NEFFs, the container of the Neuron compilers, and writes NEFFs for scripts that look into it.

The layout is that of files in the wild: a header of 1024 bytes, then a gzipped tar archive. An emulated NeuronCore runs
nothing of it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from neuron_adapters.files.printable import printable
from neuron_adapters.files.record import MOST_CORES

HEADER = 1024
_NAME, _NAME_LONGEST = 220, 255
_MD5, _UUID = slice(172, 188), slice(204, 220)
_MOST_NODES = 64


@dataclass(frozen=True)
class Header:
    """The header of a NEFF, and whether it fits the content."""

    version: int
    data_size: int
    """Bytes that follow the header, as it says."""
    nc_count: int
    requested_ncs: int
    ncs_per_node: tuple[int, ...]
    md5: str
    uuid: str
    name: str
    """Often the compiler's version and its folder."""
    problem: str
    """What is wrong with the file; empty where the checksum is that of the content."""


def is_neff(data: bytes | memoryview) -> bool:
    """Whether ``data`` begins as a NEFF does."""
    return len(data) >= HEADER and struct.unpack_from("<2Q", data)[1] == HEADER


def read_header(data: bytes | memoryview) -> Header:
    """The header of the NEFF in ``data``, of which every byte is hashed: callers ask once for each binary (SPEC F2).
    Raises ValueError for anything else."""
    if len(data) < HEADER:
        raise ValueError(f"it has {len(data)} bytes, and the header alone of a NEFF has {HEADER}")
    version, size, data_size, _one = struct.unpack_from("<4Q", data)
    if size != HEADER:
        raise ValueError("it does not begin as a NEFF does")
    (nc_count,) = struct.unpack_from("<I", data, 168)
    (requested,) = struct.unpack_from("<I", data, 476)
    if not 1 <= nc_count <= MOST_CORES:
        raise ValueError(f"its header says {nc_count} NeuronCores")
    content, problem = memoryview(data)[HEADER:], ""
    if len(content) != data_size:
        problem = f"the header says {data_size} bytes of content, and there are {len(content)}"
    elif hashlib.md5(content, usedforsecurity=False).digest() != bytes(data[_MD5]):
        problem = "the checksum in the header is not that of the content"
    return Header(
        version=version,
        data_size=data_size,
        nc_count=nc_count,
        requested_ncs=requested,
        ncs_per_node=tuple(count for count in bytes(data[480 : 480 + _MOST_NODES]) if count),
        md5=bytes(data[_MD5]).hex(),
        uuid=str(uuid.UUID(bytes=bytes(data[_UUID]))),
        name=printable(
            bytes(data[_NAME : _NAME + _NAME_LONGEST]).partition(b"\0")[0].decode(errors="backslashreplace"), 1024
        ),
        problem=problem,
    )


def neff(name: str, nc_count: int, files: Mapping[str, bytes]) -> bytes:
    """A NEFF of ``files`` for ``nc_count`` NCs, under ``name``. The same arguments give the same bytes."""
    data = _archive(files)
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    header = bytearray(HEADER)
    struct.pack_into("<4Q", header, 0, 2, HEADER, len(data), 1)
    struct.pack_into("<I16s16s", header, 168, nc_count, digest, b"0" * 16)
    header[_UUID] = uuid.UUID(bytes=digest).bytes
    header[_NAME : _NAME + _NAME_LONGEST] = name.encode()[:_NAME_LONGEST].ljust(_NAME_LONGEST, b"\0")
    struct.pack_into("<I", header, 476, nc_count)
    header[480 : 480 + _MOST_NODES] = bytes([1] * min(nc_count, _MOST_NODES)).ljust(_MOST_NODES, b"\0")
    return bytes(header) + data


def _archive(files: Mapping[str, bytes]) -> bytes:
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
