"""The binary in a compiled graph: a NEFF that holds the part's graph, and what its weights were (SPEC K4)."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from neuron_adapters import __version__
from neuron_adapters._neff import HEADER, neff
from neuron_adapters.mx._graph import Entry, dumps
from neuron_adapters.mx._sources import content
from neuron_rt import ArtifactError

__all__ = ["content", "make", "verify"]

_GRAPH, _SUMS = "graph.json", "weights.json"
_LONGEST = 64 << 20


def make(name: str, cores: int, part: Sequence[Entry], held: Mapping[str, memoryview]) -> bytes:
    """The binary of a part. ``held``: its weights by name."""
    sums = json.dumps({key: _sum(one) for key, one in sorted(held.items())}, indent=1)
    return neff(f"neuron_adapters {__version__}-{name}", cores, {_GRAPH: dumps(part).encode(), _SUMS: sums.encode()})


def verify(name: str, binary: memoryview, part: Sequence[Entry], held: Mapping[str, memoryview]) -> None:
    """K4: raise ArtifactError where the binary, the graph or a weight is not what was compiled."""
    if len(binary) < HEADER or struct.unpack_from("<2Q", binary)[1] != HEADER:
        raise _damaged(name, "its binary is no NEFF")
    data = binary[HEADER:]
    if hashlib.md5(data, usedforsecurity=False).digest() != bytes(binary[172:188]):
        raise _damaged(name, "the checksum of its binary does not match its content")
    files = _files(data)
    if files is None:
        return  # the hardware's own compiler writes other files
    if files[_GRAPH] != dumps(part).encode():
        raise _damaged(name, "its graph is not the one that was compiled")
    try:
        recorded: Any = json.loads(files[_SUMS])
    except ValueError as error:
        raise _damaged(name, f"its list of weights cannot be read ({error})") from error
    for key, one in held.items():
        if recorded.get(key) != _sum(one):
            raise _damaged(name, f"the weights {key} are not those that were compiled")


def _files(data: memoryview) -> dict[str, bytes] | None:
    """The files that ``make`` wrote; None where somebody else wrote the binary. Nothing is unpacked to disk."""
    found = {}
    try:
        with (
            gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked,
            tarfile.open(fileobj=io.BytesIO(unpacked.read(_LONGEST))) as archive,
        ):
            for entry in archive:
                if (
                    entry.isfile()
                    and entry.name in (_GRAPH, _SUMS)
                    and (file := archive.extractfile(entry)) is not None
                ):
                    found[entry.name] = file.read()
    except (OSError, EOFError, zlib.error, tarfile.TarError):
        return None
    return found if len(found) == 2 else None


def _sum(one: memoryview) -> str:
    return hashlib.sha256(one).hexdigest()


def _damaged(name: str, what: str) -> ArtifactError:
    return ArtifactError(
        f"{name}: {what}. The model is damaged or was changed: compile it again, or unset NEURON_RT_VALIDATE_HASH to "
        "run it all the same."
    )
