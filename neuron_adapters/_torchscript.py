"""TorchScript archives that torch-neuron wrote, read without PyTorch: what is in them, and what was compiled.

Nothing is unpickled and nothing extracted: members are read where they lie.
"""

from __future__ import annotations

import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from neuron_adapters import _metaneff
from neuron_adapters._neff import Header, is_neff, read_header
from neuron_adapters._pickles import Made, read
from neuron_adapters._record import Leaf
from neuron_rt import ArtifactError

#: Classes that torch-neuron and torch-neuronx register with PyTorch.
CLASSES = "__torch__.torch.classes.neuron."
_OPERATOR = re.compile(r"\bops\.neuron\.(\w+)")
_MOST_MEMBERS = 1 << 16
_LARGEST_CODE = 64 << 20
_PIECE = 1 << 20
#: What reading a damaged archive raises.
DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OverflowError, RuntimeError,
    UnicodeDecodeError, OSError, ValueError, KeyError,
)  # fmt: skip


@dataclass(frozen=True)
class Compiled:
    """One part that was compiled for the hardware."""

    class_name: str
    state: Any = field(repr=False)
    header: Header | None
    size: int
    """Bytes of its binary."""
    inputs: tuple[Leaf, ...]
    outputs: tuple[Leaf, ...]
    batched: bool
    version: str
    nc_count: int


@dataclass(frozen=True)
class Archive:
    """An archive in memory. ``members``: by name, without the archive's own folder."""

    root: str
    members: dict[str, bytes] = field(repr=False)
    code: dict[str, str] = field(repr=False)
    operators: tuple[str, ...]
    """Operators of the plug-in that its code calls: ``forward_v2_1``."""
    compiled: tuple[Compiled, ...]

    @property
    def nc_count(self) -> int:
        """NCs that the whole model needs."""
        return max((one.nc_count for one in self.compiled), default=1)


def load(file: str | os.PathLike[str] | BinaryIO, source: str) -> Archive:
    """Read an archive. ``source``: what errors call it. Raises ArtifactError for what is damaged, or no archive of
    TorchScript's; OSError where there is no file."""
    if isinstance(file, (str, os.PathLike)):
        with open(file, "rb") as opened:
            return load(opened, source)
    try:
        with zipfile.ZipFile(file) as packed:
            root, members = _members(packed)
        code = {
            name: body.decode() for name, body in members.items() if name.startswith("code/") and name.endswith(".py")
        }
        if "data.pkl" not in members or not code:
            raise ValueError("it has no data.pkl or no code")
        operators = sorted({name for text in code.values() for name in _OPERATOR.findall(text)})
        return Archive(root, members, code, tuple(operators), tuple(_compiled(members, bool(operators))))
    except DAMAGED as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise ArtifactError(f"{source} is damaged, or no TorchScript archive: {why}") from error


def mentions_operators(file: str | os.PathLike[str] | BinaryIO) -> bool:
    """Whether the code in an archive calls operators of the plug-in, a damaged one included."""
    try:
        with zipfile.ZipFile(file) as packed:
            for entry in packed.infolist()[:_MOST_MEMBERS]:
                if "/code/" in entry.filename and entry.filename.endswith(".py") and entry.file_size < _LARGEST_CODE:
                    with packed.open(entry) as member:
                        if _OPERATOR.search(member.read(entry.file_size).decode(errors="ignore")):
                            return True
    except DAMAGED:
        return _holds(file, b"ops.neuron.")
    return False


def _holds(file: str | os.PathLike[str] | BinaryIO, text: bytes) -> bool:
    """Whether a file has ``text`` in it as it is. False for what cannot be read."""
    try:
        if isinstance(file, (str, os.PathLike)):
            with open(file, "rb") as opened:
                return _holds(opened, text)
        file.seek(0)
        before = b""
        while piece := file.read(_PIECE):
            if text in before + piece:
                return True
            before = piece[-len(text) :]
    except (OSError, ValueError):
        return False
    return False


def _members(packed: zipfile.ZipFile) -> tuple[str, dict[str, bytes]]:
    entries = packed.infolist()
    if not entries or len(entries) > _MOST_MEMBERS:
        raise ValueError(f"it has {len(entries)} members")
    root = entries[0].filename.partition("/")[0]
    left = sum(entry.compress_size for entry in entries)
    if left > packed.fp.seek(0, os.SEEK_END):  # type: ignore[union-attr]
        raise ValueError("its members are longer than the file")
    found: dict[str, bytes] = {}
    packed_size = 0
    for entry in entries:
        folder, _slash, name = entry.filename.partition("/")
        if folder != root or not name:
            raise ValueError(f"{entry.filename!r} is in another folder than the rest")
        if entry.compress_type != zipfile.ZIP_STORED:  # PyTorch packs code
            packed_size += entry.file_size
        if packed_size > _LARGEST_CODE:
            raise ValueError(f"{entry.filename} unpacks to more than code can be")
        with packed.open(entry) as member:
            found[name] = member.read(entry.file_size)
    return root, found


def _compiled(members: dict[str, bytes], mentioned: bool) -> Iterator[Compiled]:
    """The compiled parts: objects of the plug-in's class or, in files of its first releases, tensors of bytes."""
    objects = [one for one in _objects(read(members["data.pkl"])) if one.name.startswith(CLASSES)]
    for one in objects:
        yield _described(one.name.removeprefix(CLASSES), one.state, list(_texts(one.state)))
    if mentioned and not objects:
        blobs = [body for name, body in members.items() if re.fullmatch(r"(data|constants|tensors)/\d+", name)]
        binaries = [body for body in blobs if is_neff(body)]
        tables = [body for body in blobs if not is_neff(body) and _is_metaneff(body)]
        for index, binary in enumerate(binaries):
            yield _described("", None, [binary, *tables[index : index + 1]])


def _described(class_name: str, state: Any, texts: list[bytes]) -> Compiled:
    binary = next((one for one in texts if is_neff(one)), b"")
    header, table, version = None, None, ""
    if binary:
        header = read_header(binary)
    for one in texts:
        if one is not binary and table is None and _is_metaneff(one):
            table = _metaneff.read(one)
        elif one is not binary and len(one) < 80 and one.isascii() and not version:
            version = one.decode()
    count = header.nc_count if header else (table.nc_count if table and table.nc_count else 1)
    inputs, outputs, batched = (table.inputs, table.outputs, table.batched) if table else ((), (), False)
    return Compiled(class_name, state, header, len(binary), inputs, outputs, batched, version, count)


def _is_metaneff(data: bytes) -> bool:
    try:
        _metaneff.read(data)
    except ValueError:
        return False
    return True


def _objects(value: Any) -> Iterator[Made]:
    """Every object in a pickle's value, once."""
    seen, left = set(), [value]
    while left:
        one = left.pop()
        if id(one) in seen or not isinstance(one, (Made, tuple, list, dict)):
            continue
        seen.add(id(one))
        if isinstance(one, Made):
            yield one
            left += [one.arguments, one.state]
        else:
            left += reversed(list(one.values()) if isinstance(one, dict) else list(one))


def _texts(value: Any) -> Iterator[bytes]:
    """Every text in an object's state, in order."""
    seen, left = set(), [value]
    while left:
        one = left.pop()
        if isinstance(one, bytes):
            yield one
        elif isinstance(one, (tuple, list, dict)) and id(one) not in seen:
            seen.add(id(one))
            left += reversed(list(one.values()) if isinstance(one, dict) else list(one))
