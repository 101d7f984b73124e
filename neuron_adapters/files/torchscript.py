"""Reads TorchScript archives that torch-neuron wrote, without PyTorch: their members, and what was compiled.

Nothing is unpickled or extracted: members are read where they lie.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from neuron_adapters.files import bounded_file, metaneff, pickles, zips
from neuron_adapters.files.bounded_file import Source
from neuron_adapters.files.neff import Header, is_neff, read_header
from neuron_adapters.files.pickles import PickledObject
from neuron_adapters.files.printable import damaged, one_line, printable
from neuron_adapters.files.record import Leaf

#: Classes that torch-neuron and torch-neuronx register with PyTorch.
CLASSES = "__torch__.torch.classes.neuron."
_OPERATOR = re.compile(rb"\bops\.neuron\.(\w+)")
_DEBUG = ".debug_pkl"
_BLOB = re.compile(r"(data|constants|tensors)/\d+")
#: Compiled parts of a model; operators of the plug-in that its code calls.
_MOST_PARTS, _MOST_OPERATORS = 1 << 12, 1 << 8
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
        return max((part.nc_count for part in self.compiled), default=1)


def load(file: Source, source: str) -> Archive:
    """Read an archive. ``source``: its name in errors. Raises ArtifactError for a damaged file or another archive,
    OSError for a missing one."""
    with bounded_file.opened(file) as opened:  # outside of try: a missing file is not a damaged one
        try:
            with zips.opened(opened) as packed:
                return read(packed)
        except zips.DAMAGED as error:
            raise damaged(f"{source} is damaged, or not a TorchScript archive: {one_line(error)}") from error


def read(packed: zipfile.ZipFile) -> Archive:
    """Read an archive that is open. Raises one of zips.DAMAGED."""
    root, members = _members(packed)
    code = {name: body.decode() for name, body in members.items() if name.startswith("code/") and name.endswith(".py")}
    if "data.pkl" not in members or not code:
        raise ValueError("it lacks data.pkl or code")
    operators = sorted({operator.decode() for name in code for operator in _OPERATOR.findall(members[name])})
    if len(operators) > _MOST_OPERATORS:
        raise ValueError(f"its code calls more than {_MOST_OPERATORS} operators of the plug-in")
    return Archive(root, members, code, tuple(operators), tuple(_compiled(members, bool(operators))))


def mentions_operators(file: Source) -> bool:
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


def check_debug_information(file: Source, source: str) -> None:
    """Raise ArtifactError where the debug information in an archive is damaged, or would take PyTorch much memory to
    read, as it does when it is asked for a module's code (SPEC F2)."""
    try:
        with zips.opened(file) as packed:
            zips.check(packed)
            for entry in packed.infolist():
                if entry.filename.endswith(_DEBUG):
                    pickles.read(zips.read(packed, entry, entry.file_size))
    except zips.DAMAGED as error:
        raise damaged(f"{source} is damaged: its debug information cannot be read: {one_line(error)}.") from error


def _holds(file: Source, text: bytes) -> bool:
    """Whether a file has ``text`` in it as it is. False for what cannot be read."""
    try:
        with bounded_file.opened(file) as opened:
            opened.seek(0)
            before = b""
            while piece := opened.read(_PIECE):
                if text in before + piece:
                    return True
                before = piece[-len(text) :]
    except (OSError, ValueError):
        return False
    return False


def _members(packed: zipfile.ZipFile) -> tuple[str, dict[str, bytes]]:
    """The archive's own folder, and all members. Except for code, which is packed, they are no longer than the file."""
    zips.check(packed)
    entries = packed.infolist()
    if not entries:
        raise ValueError("it has no members")
    root = entries[0].filename.partition("/")[0]
    members: dict[str, bytes] = {}
    for entry in entries:
        folder, _slash, name = entry.filename.partition("/")
        if folder != root or not name:
            raise ValueError(f"{printable(entry.filename)} is in another folder than the rest")
        members[name] = zips.read(packed, entry, entry.file_size)
    return root, members


def _compiled(members: dict[str, bytes], mentioned: bool) -> Iterator[Compiled]:
    """Yield the compiled parts: objects of the plug-in's class or, in files of its first releases, tensors of bytes."""
    described = _Texts(len(members["data.pkl"]))
    objects = [
        item
        for item in _walk(pickles.read(members["data.pkl"]), (PickledObject, tuple, list, dict))
        if isinstance(item, PickledObject) and item.name.startswith(CLASSES)
    ]
    if len(objects) > _MOST_PARTS:
        raise ValueError(f"it has more than {_MOST_PARTS} compiled parts")
    for pickled in objects:
        yield described.part(printable(pickled.name.removeprefix(CLASSES)), pickled.state, described.of(pickled.state))
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
        texts = []
        for value in _walk(state, (tuple, list, dict)):
            self._left -= 1
            if self._left < 0:
                raise ValueError("its compiled parts share more than the file holds")
            if isinstance(value, bytes):
                texts.append(value)
        return texts

    def table(self, text: bytes) -> metaneff.Metaneff | None:
        """The metaneff in ``text``, None where it is not one. ``text`` must live as long as this object."""
        if id(text) not in self._tables:
            try:
                self._tables[id(text)] = metaneff.read(text)
            except ValueError:
                self._tables[id(text)] = None
        return self._tables[id(text)]

    def part(self, class_name: str, state: Any, texts: list[bytes]) -> Compiled:
        """Describe a part. Raises ValueError where its binary is not a NEFF."""
        binary = next((text for text in texts if is_neff(text)), b"")
        header = None
        if binary:
            header = self._headers.get(id(binary)) or read_header(binary)
            self._headers[id(binary)] = header
        table = next(filter(None, (self.table(text) for text in texts if text is not binary)), None)
        count = header.nc_count if header else (table.nc_count if table and table.nc_count else 1)
        inputs, outputs, batched = (table.inputs, table.outputs, table.batched) if table else ((), (), False)
        return Compiled(class_name, state, header, len(binary), inputs, outputs, batched, count)


def _walk(value: Any, containers: tuple[type, ...]) -> Iterator[Any]:
    """Yield ``value`` and all that is in its ``containers``, in order and each container once."""
    seen, pending = set(), [value]
    while pending:
        item = pending.pop()
        if isinstance(item, containers):
            if id(item) in seen:
                continue
            seen.add(id(item))
            if isinstance(item, PickledObject):
                pending += [item.arguments, item.state]
            elif isinstance(item, dict):
                pending += reversed(item.values())
            elif isinstance(item, (list, tuple)):
                pending += reversed(item)
        yield item
