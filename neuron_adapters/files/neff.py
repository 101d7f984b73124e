"""Reads the header of NEFFs, the container of the Neuron compilers, and writes NEFFs for scripts that inspect them.

The layout is that of files in the wild: a header of 1024 bytes, then a gzipped tar archive. Emulated NeuronCores do
not run it.
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

#: Version, bytes of the header, bytes of content, 1; NCs, MD5 of the content; UUID; name; requested NCs, NCs by node.
_LAYOUT = struct.Struct("<4Q136xI16s16s16s255sxI64s480x")
HEADER = _LAYOUT.size
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
    """Read the header of the NEFF in ``data``. Every byte is hashed, so callers ask once for each binary (SPEC F2).
    Raises ValueError for anything else."""
    if not is_neff(data):
        raise ValueError(f"it does not begin with the {HEADER} bytes of a NEFF's header")
    version, _size, data_size, _always_1, nc_count, md5, _zeros, identifier, name, requested, nodes = (
        _LAYOUT.unpack_from(data)
    )
    if not 1 <= nc_count <= MOST_CORES:
        raise ValueError(f"its header says {nc_count} NeuronCores")
    content, problem = memoryview(data)[HEADER:], ""
    if len(content) != data_size:
        problem = f"the header says {data_size} bytes of content, and there are {len(content)}"
    elif hashlib.md5(content, usedforsecurity=False).digest() != md5:
        problem = "the checksum in the header is not that of the content"
    return Header(
        version=version,
        data_size=data_size,
        nc_count=nc_count,
        requested_ncs=requested,
        ncs_per_node=tuple(count for count in nodes if count),
        md5=md5.hex(),
        uuid=str(uuid.UUID(bytes=identifier)),
        name=printable(name.partition(b"\0")[0].decode(errors="backslashreplace"), 1024),
        problem=problem,
    )


def neff(name: str, nc_count: int, files: Mapping[str, bytes]) -> bytes:
    """Make a NEFF of ``files`` for ``nc_count`` NCs, under ``name``. The same arguments give the same bytes."""
    data = _archive(files)
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    nodes = bytes([1] * min(nc_count, _MOST_NODES))
    header = _LAYOUT.pack(2, HEADER, len(data), 1, nc_count, digest, b"0" * 16, digest, name.encode(), nc_count, nodes)
    return header + data


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
