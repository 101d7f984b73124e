"""The binary in a compiled graph: a NEFF that holds the part's graph, and what its weights were (SPEC K4)."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from neuron_adapters import __version__
from neuron_adapters.adapter.compile import configuration
from neuron_adapters.files import bounded_json
from neuron_adapters.files.neff import HEADER, is_neff, neff
from neuron_adapters.files.printable import damaged, printable
from neuron_adapters.mxnet._graph import Entry, walk
from neuron_adapters.mxnet._subgraphs import OP, inputs_of
from neuron_adapters.mxnet._symbol_json import dumps
from neuron_adapters.mxnet.base import FormatError
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.ndarray._shared_weights import content
from neuron_rt import ArtifactError

__all__ = ["content", "make", "verify"]

Hash = TypeVar("Hash", str, bytes)
_GRAPH, _SUMS = "graph.json", "weights.json"
#: Bytes that a binary unpacks to beside the graph: a line with the sum of each weight, and the blocks of a tar archive.
_MOST_PER_WEIGHT, _SLACK = 128, 16 << 10


def make(name: str, cores: int, part: Sequence[Entry], held: Mapping[str, memoryview]) -> bytes:
    """Create the binary of a part. ``held``: its weights by name."""
    sums = json.dumps({key: _sum(weight) for key, weight in sorted(held.items())}, indent=1)
    return neff(f"neuron_adapters {__version__}-{name}", cores, {_GRAPH: dumps(part).encode(), _SUMS: sums.encode()})


def verify(heads: Sequence[Entry], arrays: Mapping[str, NDArray]) -> None:
    """Verify compiled parts (SPEC K4): raise ArtifactError where NEURON_RT_VALIDATE_HASH asks, and a part has changed
    since it was compiled."""
    compiled = [node for node in walk(heads) if node.op == OP]
    if not compiled or not configuration().validate_hash:
        return
    verifier = Verifier()
    for node in compiled:
        if len(node.subgraphs) != 1:
            raise FormatError(f"{node.op} {node.name}: it holds {len(node.subgraphs)} graphs instead of one.")
        inner = [variable.attrs.get("argName", "") for variable in walk(node.subgraphs[0]) if variable.op == "null"]
        inputs = inputs_of(node)
        held = {name: content(arrays[name]) for name in inner if name in arrays and name not in inputs}
        binary = arrays.get(node.inputs[-1].node.name) if node.inputs else None
        verifier.verify(node.name, memoryview(b"") if binary is None else content(binary), node.subgraphs[0], held)


class Verifier:
    """Compares the compiled parts of a model with what they hold (SPEC K4). Parts may share a binary and weights, each
    of which is hashed once (SPEC F2)."""

    def __init__(self) -> None:
        self._sums: dict[tuple[int, int], tuple[memoryview, str]] = {}
        self._md5: dict[tuple[int, int], tuple[memoryview, bytes]] = {}

    def verify(self, name: str, binary: memoryview, part: Sequence[Entry], held: Mapping[str, memoryview]) -> None:
        """Raise ArtifactError where the binary, the graph or a weight is not what was compiled."""
        if not is_neff(binary):
            raise _damaged(name, "its binary is not a NEFF")
        data = binary[HEADER:]
        if self._once(self._md5, data, _md5) != bytes(binary[172:188]):
            raise _damaged(name, "the checksum of its binary does not match its content")
        graph = dumps(part).encode()
        files = _files(data, len(graph) + _MOST_PER_WEIGHT * len(held) + 12 * sum(map(len, held)) + _SLACK)
        if files is None:
            return  # it is of the hardware's own compiler, which writes other files
        if files[_GRAPH] != graph:
            raise _damaged(name, "its graph is not the one that was compiled")
        try:
            recorded: Any = bounded_json.loads(files[_SUMS])
            sums = {key: recorded.get(key) for key in held}
        except (ValueError, AttributeError) as error:
            raise _damaged(name, f"its list of weights cannot be read ({error})") from error
        for key, weight in held.items():
            if sums[key] != self._once(self._sums, weight, _sum):
                raise _damaged(name, f"the weights {key} are not those that were compiled")

    def _once(
        self,
        known: dict[tuple[int, int], tuple[memoryview, Hash]],
        memory: memoryview,
        compute: Callable[[memoryview], Hash],
    ) -> Hash:
        place = (_address(memory), memory.nbytes)
        if place not in known:
            known[place] = memory, compute(memory)  # the memory stays while its address stands for it
        return known[place][1]


def _files(data: memoryview, most: int) -> dict[str, bytes] | None:
    """Unpack the files that ``make`` wrote, from an archive of at most ``most`` bytes; None where another program wrote
    the binary. Nothing is unpacked to disk."""
    files = {}
    try:
        with (
            gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked,
            tarfile.open(fileobj=io.BytesIO(unpacked.read(most)), mode="r:") as archive,
        ):
            for entry in archive:
                if entry.name in (_GRAPH, _SUMS) and entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
                    if entry.size > most:  # of a sparse file, that is nowhere written
                        return None
                    file = archive.extractfile(entry)
                    files[entry.name] = file.read() if file else b""
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, RecursionError):
        return None
    return files if len(files) == 2 else None


def _address(memory: memoryview) -> int:
    return int(np.frombuffer(memory, np.uint8).__array_interface__["data"][0]) if memory.nbytes else 0


def _md5(memory: memoryview) -> bytes:
    return hashlib.md5(memory, usedforsecurity=False).digest()


def _sum(memory: memoryview) -> str:
    return hashlib.sha256(memory).hexdigest()


def _damaged(name: str, what: str) -> ArtifactError:
    return damaged(
        f"{printable(name)}: {what}. The model is damaged or was changed: compile it again, or unset "
        "NEURON_RT_VALIDATE_HASH to run it all the same."
    )
