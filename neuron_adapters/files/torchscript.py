"""TorchScript archives that torch-neuron wrote, read without PyTorch: what is in them, and what was compiled.

Nothing is unpickled and nothing extracted: members are read where they lie.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from neuron_adapters.files import metaneff, zips
from neuron_adapters.files.neff import Header, is_neff, read_header
from neuron_adapters.files.pickles import Made, read
from neuron_adapters.files.printable import damaged, one_line, printable
from neuron_adapters.files.record import Leaf

#: Classes that torch-neuron and torch-neuronx register with PyTorch.
CLASSES = "__torch__.torch.classes.neuron."
_OPERATOR = re.compile(rb"\bops\.neuron\.(\w+)")
_DEBUG = ".debug_pkl"
_BLOB = re.compile(r"(data|constants|tensors)/\d+")
#: The compiled parts of a model, operators of the plug-in that its code calls.
_MOST_PARTS, _MOST_OPERATORS = 1 << 12, 1 << 8
_LONGEST_VERSION = 80
_PIECE = 1 << 20


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
        with zips.opened(file) as packed:
            root, members = _members(packed)
        code = {
            name: body.decode() for name, body in members.items() if name.startswith("code/") and name.endswith(".py")
        }
        if "data.pkl" not in members or not code:
            raise ValueError("it has no data.pkl or no code")
        operators = sorted(_operators(members))
        return Archive(root, members, code, tuple(operators), tuple(_compiled(members, bool(operators))))
    except zips.DAMAGED as error:
        raise damaged(f"{source} is damaged, or no TorchScript archive: {one_line(error)}") from error


def mentions_operators(file: str | os.PathLike[str] | BinaryIO) -> bool:
    """Whether the code in an archive calls operators of the plug-in, a damaged one included. At most
    zips.MOST_UNPACKED bytes of code are looked at."""
    left = zips.MOST_UNPACKED
    try:
        with zips.opened(file) as packed:
            for entry in packed.infolist():
                if "/code/" in entry.filename and entry.filename.endswith(".py") and left > 0:
                    code = zips.read(packed, entry, left)
                    left -= len(code)
                    if _OPERATOR.search(code):
                        return True
    except zips.DAMAGED:
        return _holds(file, b"ops.neuron.")
    return False


def check_debug_information(file: str | os.PathLike[str] | BinaryIO, source: str) -> None:
    """Raise ArtifactError where the debug information in an archive is damaged, or would take PyTorch much memory to
    read, as it does when it is asked for a module's code (SPEC F2)."""
    try:
        with zips.opened(file) as packed:
            zips.check(packed)
            for entry in packed.infolist():
                if entry.filename.endswith(_DEBUG):
                    read(zips.read(packed, entry, entry.file_size))
    except zips.DAMAGED as error:
        raise damaged(f"{source} is damaged: its debug information cannot be read: {one_line(error)}.") from error


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
    """The archive's own folder, and all members. They are no longer than the file, but for code, which is packed."""
    zips.check(packed)
    entries = packed.infolist()
    if not entries:
        raise ValueError("it has no members")
    root = entries[0].filename.partition("/")[0]
    found: dict[str, bytes] = {}
    for entry in entries:
        folder, _slash, name = entry.filename.partition("/")
        if folder != root or not name:
            raise ValueError(f"{printable(entry.filename)} is in another folder than the rest")
        found[name] = zips.read(packed, entry, entry.file_size)
    return root, found


def _operators(members: dict[str, bytes]) -> set[str]:
    found: set[str] = set()
    for name, body in members.items():
        if name.startswith("code/") and name.endswith(".py"):
            found.update(one.decode() for one in _OPERATOR.findall(body))
    if len(found) > _MOST_OPERATORS:
        raise ValueError(f"its code calls more than {_MOST_OPERATORS} operators of the plug-in")
    return found


def _compiled(members: dict[str, bytes], mentioned: bool) -> Iterator[Compiled]:
    """The compiled parts: objects of the plug-in's class or, in files of its first releases, tensors of bytes."""
    described = _Texts(len(members["data.pkl"]))
    objects = [one for one in _objects(read(members["data.pkl"])) if one.name.startswith(CLASSES)]
    if len(objects) > _MOST_PARTS:
        raise ValueError(f"it has more than {_MOST_PARTS} compiled parts")
    for one in objects:
        yield described.part(printable(one.name.removeprefix(CLASSES)), one.state, described.of(one.state))
    if mentioned and not objects:
        blobs = [body for name, body in members.items() if _BLOB.fullmatch(name)]
        binaries = [body for body in blobs if is_neff(body)]
        if len(binaries) > _MOST_PARTS:
            raise ValueError(f"it has more than {_MOST_PARTS} compiled parts")
        tables = [body for body in blobs if not is_neff(body) and described.table(body)]
        for index, binary in enumerate(binaries):
            yield described.part("", None, [binary, *tables[index : index + 1]])


class _Texts:
    """The texts in the states of an archive's objects. Objects may share them: each is hashed or parsed once, and no
    more of them are listed than a pickle of ``size`` bytes holds (SPEC F2)."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._headers: dict[int, Header] = {}
        self._tables: dict[int, metaneff.Metaneff | None] = {}

    def of(self, state: Any) -> list[bytes]:
        """Every text in an object's state, in order. Raises ValueError."""
        found = []
        for one in _texts(state):
            self._left -= 1
            if self._left < 0:
                raise ValueError("its compiled parts share more than the file holds")
            if isinstance(one, bytes):
                found.append(one)
        return found

    def table(self, text: bytes) -> metaneff.Metaneff | None:
        """The metaneff in ``text``, None where it is none. ``text`` lives as long as this."""
        if id(text) not in self._tables:
            try:
                self._tables[id(text)] = metaneff.read(text)
            except ValueError:
                self._tables[id(text)] = None
        return self._tables[id(text)]

    def part(self, class_name: str, state: Any, texts: list[bytes]) -> Compiled:
        """What there is to say of a part. Raises ValueError where its binary is none."""
        binary = next((one for one in texts if is_neff(one)), b"")
        header, table, version = None, None, ""
        if binary:
            header = self._headers.get(id(binary)) or read_header(binary)
            self._headers[id(binary)] = header
        for one in texts:
            if one is binary:
                continue
            if table is None and (found := self.table(one)) is not None:
                table = found
            elif len(one) < _LONGEST_VERSION and one.isascii() and not version:
                version = printable(one.decode())
        count = header.nc_count if header else (table.nc_count if table and table.nc_count else 1)
        inputs, outputs, batched = (table.inputs, table.outputs, table.batched) if table else ((), (), False)
        return Compiled(class_name, state, header, len(binary), inputs, outputs, batched, version, count)


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


def _texts(value: Any) -> Iterator[Any]:
    """Every value in an object's state, in order, lists and the like once."""
    seen, left = set(), [value]
    while left:
        one = left.pop()
        if not isinstance(one, (tuple, list, dict)):
            yield one
        elif id(one) not in seen:
            seen.add(id(one))
            yield None
            left += reversed(list(one.values()) if isinstance(one, dict) else list(one))
