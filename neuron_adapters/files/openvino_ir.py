"""Stores an OpenVINO model as text and a table of constants, which a framework's own file format can carry.

The weights are in that file already. So the lowered form refers to them, and holds only the constants that the
conversion created.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from neuron_adapters.files import bounded_json
from neuron_adapters.files.printable import one_line
from neuron_rt import CompileError, Constant, Program

log = logging.getLogger("neuron_adapters")

#: 2: the last output is the alarm of the guards (``neuron_adapters.adapter.guards``).
VERSION = 2
_MOST_NEW = 64 << 20
_MOST_TEXT = 256 << 20
#: Deflate can unpack to a thousand times the packed size; the text of a deep network unpacks to thirty times.
_MOST_TIMES, _SLACK = 100, 1 << 20
_NEW = -1
#: Bytes from which on a constant is looked for by where it lies.
_LARGE = 1 << 10


@dataclass(frozen=True)
class Lowered:
    """A model in the engine's form. ``constants``: for each cut of ``text`` the number of the file's own constant, or
    -1 for one of ``new``, then its start there and its size. ``prints``: fingerprints of the constants that it names.
    """

    text: tuple[str, ...]
    constants: tuple[tuple[int, int, int], ...]
    new: bytes = field(repr=False)
    prints: Mapping[int, int]
    packed: int
    """Bytes of constants that the engine copies into a layout of its own."""

    def dumps(self) -> str:
        """The text for the record of a file."""
        return json.dumps(
            {
                "version": VERSION,
                "text": _pack("\0".join(self.text).encode()),
                "constants": self.constants,
                "new": _pack(self.new),
                "prints": {str(number): mark for number, mark in self.prints.items()},
                "packed": self.packed,
            }
        )

    @classmethod
    def loads(cls, record: object) -> Lowered:
        """Read what ``dumps`` wrote. The record is not trusted: it unpacks to at most _MOST_TIMES its size and a MiB
        (SPEC F2). Raises ValueError."""
        try:
            raw = bounded_json.loads(record) if isinstance(record, str) else None
            version = raw.get("version") if isinstance(raw, dict) else None
            if not isinstance(raw, dict) or version != VERSION:
                raise ValueError(f"it has version {version!r} and not {VERSION}; compile the model again")
            text = tuple(_unpack(raw["text"], _MOST_TEXT).decode().split("\0"))
            constants = tuple((int(number), int(start), int(size)) for number, start, size in raw["constants"])
            new = _unpack(raw["new"], _MOST_NEW)
            prints = {int(number): int(mark) for number, mark in raw["prints"].items()}
            packed = max(0, int(raw["packed"]))
        except (KeyError, TypeError, AttributeError, OverflowError, zlib.error) as error:
            raise ValueError(f"it cannot be read ({one_line(error)})") from error
        if len(text) != len(constants) + 1 or any("offset" in piece for piece in text):
            raise ValueError("its text and its constants do not match")
        return cls(text, constants, new, prints, packed)

    def refreshed(self, own: Sequence[memoryview]) -> Lowered:
        """A copy with the fingerprints of ``own``, whose content may have changed in this process."""
        return replace(self, prints={number: fingerprint(own[number]) for number in self.prints})

    def program(self, own: Sequence[memoryview]) -> Program:
        """The program. Its constants lie in ``own``, the constants of the file in their order, which it keeps alive.

        Raises ValueError where a constant has changed since the model was lowered.
        """
        new = memoryview(self.new)
        for number, mark in self.prints.items():
            if not 0 <= number < len(own) or fingerprint(own[number]) != mark:
                raise ValueError(f"constant {number} of the file is not the one that was lowered")
        constants = []
        for number, start, size in self.constants:
            if number != _NEW and number not in self.prints:
                raise ValueError(f"constant {number} has no fingerprint")
            source = new if number == _NEW else own[number]
            if start < 0 or size < 1 or start + size > source.nbytes:
                raise ValueError(f"constant {number} is shorter than {start + size} bytes")
            constants.append(Constant(_address(source) + start, size))
        return Program(self.text, tuple(constants), self.packed, (self.new, own))


def lower(model: Any, own: Sequence[memoryview], held: Mapping[str, int] | None = None) -> Lowered:
    """Store an openvino.Model as text. Constants that are byte for byte among ``own`` are referred to, others stored.

    ``held``: inputs of the model that stand for constants, by name, each with its number in ``own``. Their content is
    not compared. Raises CompileError where the model cannot be stored.
    """
    import openvino  # optional

    model, lying = _without_large_constants(model, own)
    held = {**(held or {}), **lying}
    with tempfile.TemporaryDirectory(prefix="neuron-adapters-") as folder:
        path = Path(folder) / "model.xml"
        openvino.serialize(model, path, path.with_suffix(".bin"))
        tree = ET.fromstring(path.read_text())  # noqa: S314 - OpenVINO wrote it just now
        weights = memoryview(path.with_suffix(".bin").read_bytes())
    named = set(held.values())
    known = {
        hashlib.sha256(own[number]).digest(): number for number in reversed(range(len(own))) if number not in named
    }
    new = bytearray()
    constants: list[tuple[int, int, int]] = []
    prints: dict[int, int] = {}
    stand_ins = _stand_ins(tree, held)
    _strip(tree)
    tables = _tables(tree)
    packed = 0
    for layer in tree.iter("layer"):
        data = layer.find("data")
        if data is None or (layer not in stand_ins and layer.get("type") != "Const"):
            continue
        start = 0
        if layer in stand_ins:
            number = stand_ins[layer]
            size = own[number].nbytes
            layer.set("type", "Const")
        else:
            at, size = int(data.attrib.pop("offset")), int(data.attrib.pop("size"))
            if size < 1 or data.get("element_type") == "string":
                raise CompileError("it has a constant without a size")
            value = weights[at : at + size]
            number = known.get(hashlib.sha256(value).digest(), _NEW)
            if number == _NEW:
                start = -(-len(new) // 64) * 64
                new += bytes(start - len(new)) + value
        if number != _NEW:
            prints[number] = fingerprint(own[number])
        data.set("cut", str(len(constants)))
        constants.append((number, start, size))
        packed += 0 if layer in tables else size
    if len(new) > _MOST_NEW:
        raise CompileError(
            f"its conversion changes {len(new) >> 20} MiB of weights, and a file may carry {_MOST_NEW >> 20} twice"
        )
    text = tuple(re.split(r' cut="[0-9]+"', ET.tostring(tree, encoding="unicode")))
    if any("offset" in piece for piece in text) or len(text) != len(constants) + 1:
        raise CompileError("it has an operator with an attribute that the file format does not carry")
    return Lowered(text, tuple(constants), bytes(new), prints, packed)


def _without_large_constants(model: Any, own: Sequence[memoryview]) -> tuple[Any, dict[str, int]]:
    """The model with an input in place of each constant that lies in the very memory of one of ``own``, and the numbers
    of these by the names of the inputs. Such constants need neither be written to a file nor compared."""
    import openvino  # optional
    from openvino import opset13 as ov

    numbers = {(_address(view), view.nbytes): number for number, view in enumerate(own) if view.nbytes >= _LARGE}
    held: dict[str, int] = {}
    inputs = list(model.get_parameters())
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_byte_size() < _LARGE:
            continue
        data = node.get_data()
        number = numbers.get((data.__array_interface__["data"][0], data.nbytes))
        if number is not None and data.flags.c_contiguous:
            name = f"constant {number} at {len(held)}"
            stand_in = ov.parameter(list(node.output(0).get_shape()), node.output(0).get_element_type(), name=name)
            node.output(0).replace(stand_in.output(0))
            inputs.append(stand_in)
            held[name] = number
    return (openvino.Model(model.get_results(), inputs, "model") if held else model), held


def fingerprint(value: memoryview) -> int:
    """A checksum of a constant's size, beginning and end. It tells the constants of a file apart, and detects most
    changes, without reading everything. The checksum of the file detects all (SPEC K4)."""
    edge = 4096
    return zlib.crc32(value[-edge:], zlib.crc32(value[:edge], value.nbytes))


def _stand_ins(tree: ET.Element, held: Mapping[str, int]) -> dict[ET.Element, int]:
    """The inputs that stand for constants, with the constants' numbers."""
    inputs = [layer for layer in tree.findall("layers/layer") if layer.get("type") == "Parameter"]
    return {layer: held[name] for layer in inputs if (name := layer.get("name", "")) in held}


def _tables(tree: ET.Element) -> set[ET.Element]:
    """Constants that only Gather reads, such as embeddings: the engine reads them where they are."""
    layers = {layer.get("id"): layer for layer in tree.findall("layers/layer")}
    used: dict[str | None, set[str | None]] = {}
    for edge in tree.findall("edges/edge"):
        used.setdefault(edge.get("from-layer"), set()).add(layers[edge.get("to-layer")].get("type"))
    return {layers[number] for number, kinds in used.items() if kinds == {"Gather"}}


def _strip(tree: ET.Element) -> None:
    """Remove names and notes, which are the user's and do not affect the result."""
    for element in tree.iter():
        for note in element.findall("rt_info"):
            element.remove(note)
        if element.tag == "port":
            element.attrib.pop("names", None)
        if element.tag == "layer":
            element.set("name", f"n{element.get('id')}")
    tree.set("name", "model")


def _address(view: memoryview) -> int:
    import numpy as np  # optional

    return int(np.frombuffer(view, dtype=np.uint8).__array_interface__["data"][0])


def _pack(data: bytes) -> str:
    """Text that ``_unpack`` accepts: data that compress too well are stored uncompressed."""
    text = base64.b64encode(zlib.compress(data, 6))
    if len(data) > _bound(len(text)):
        text = base64.b64encode(zlib.compress(data, 0))
    return text.decode("ascii")


def _bound(size: int) -> int:
    return _SLACK + _MOST_TIMES * size


def _unpack(text: str, most: int) -> bytes:
    """The data that ``_pack`` packed. Raises ValueError beyond ``most`` bytes, or _MOST_TIMES the text."""
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(base64.b64decode(text, validate=True), min(most, _bound(len(text))))
    if not unpacker.eof:
        raise ValueError("it is cut off, or unpacks to too much")
    return data
