"""Small files that would keep a naive reader busy without end, or fill the memory: one for each way."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from archives import CLASS, HEAD, field, module_state, pickled, text, write

from neuron_adapters.files.neff import neff

MARKER = b'{"version": '
BINARY = neff("1.6.13.0-/tmp/x", 1, {"neff.json": b"{}"})


def saved_model(path: Path, body: bytes) -> Path:
    path.mkdir()
    (path / "saved_model.pb").write_bytes(body)
    return path


def checkpoint(path: Path, symbol: object, params: bytes = b"") -> Path:
    said = symbol if isinstance(symbol, bytes) else json.dumps(symbol).encode()
    path.with_name(f"{path.name}-symbol.json").write_bytes(said)
    if params:
        path.with_name(f"{path.name}-0000.params").write_bytes(params)
    return path


def params(*arrays: tuple[str, bytes]) -> bytes:
    """Arrays of bytes, by name."""
    body = b"".join(struct.pack("<IiiqiIi", 0xF993FAC9, 0, 1, len(data), 1, 0, 3) + data for _name, data in arrays)
    names = b"".join(struct.pack("<Q", len(name)) + name.encode() for name, _data in arrays)
    return struct.pack("<3Q", 0x112, 0, len(arrays)) + body + struct.pack("<Q", len(arrays)) + names


def neuron_node(graph: bytes = b"", *attributes: bytes) -> bytes:
    whole = {"executable": field(2, BINARY), "graph_def": field(2, graph)}
    attrs = b"".join(field(5, field(1, name.encode()) + field(2, value)) for name, value in whole.items())
    return field(1, b"n") + field(2, b"NeuronOp") + attrs + b"".join(attributes)


def neuron_graph(*nodes: bytes) -> bytes:
    """A SavedModel with these nodes."""
    return field(2, field(2, b"".join(field(1, node) for node in nodes)))


def attribute(name: str, value: bytes) -> bytes:
    return field(5, field(1, name.encode()) + field(2, field(1, value)))


def one_class(pickle: bytes, code: bytes = b"") -> dict[str, bytes]:
    """An archive of the plug-in's with a pickle of one's own."""
    said = (
        f"class M(Module):\n{HEAD}  model : {CLASS}\n  def forward(self: __torch__.M,\n    x: Tensor) -> Tensor:\n"
        "    return torch.add(ops.neuron.forward_v2_1([x], self.model), x)\n"
    )
    return {
        "data.pkl": pickle,
        "constants.pkl": b"\x80\x02).",
        "version": b"3\n",
        "code/__torch__.py": said.encode() + code,
    }


def type_bomb() -> bytes:
    """A tuple that holds one tuple many times, and so on: spelt out, 30 ** 12 words."""
    state = b"K\x01q\x01" + b"".join(b"(" + (b"h" + bytes([n + 1])) * 30 + b"tq" + bytes([n + 2]) for n in range(12))
    return b"\x80\x02" + state + pickled("__torch__.M", module_state(model=pickled(CLASS, b"h\x0d"))) + b"."


def shared_parts(shared: bytes, count: int, wrapped: bool = False) -> bytes:
    """Many objects of the plug-in's class whose states are one."""
    part = (
        f"c{CLASS.rpartition('.')[0]}\n{CLASS.rpartition('.')[2]}\n".encode()
        + b")\x81"
        + (b"h\x00\x85" if wrapped else b"h\x00")
        + b"b"
    )
    return b"\x80\x02" + shared + b"q\x00(" + part * count + b"t."


def directory(count: int, extra: bytes = b"", offset: int = 0) -> bytes:
    """A zip archive of nothing but a directory."""
    entry = (
        struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, len(extra), 0, 0, 0, 0, offset)
        + b"x"
        + extra
    )
    body = entry * count
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, min(count, 0xFFFF), min(count, 0xFFFF), len(body), 0, 0)
    return body + end


def overlapping(path: Path) -> Path:
    """Twenty thousand members, all of them the same megabyte."""
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("m/data.pkl", bytes(1 << 20))
        first = packed.infolist()[0]
        for _ in range(20_000):
            twin = zipfile.ZipInfo("m/data.pkl")
            for name in ("header_offset", "compress_size", "file_size", "CRC"):
                setattr(twin, name, getattr(first, name))
            packed.filelist.append(twin)
    return path


def packed(path: Path, name: str, how: int, said: int = 100, beside: str = "version") -> Path:
    """A member of 256 MiB, which the directory says to have ``said`` bytes."""
    with zipfile.ZipFile(path, "w", how, compresslevel=1) as archive:
        with archive.open(f"m/{name}", "w") as member:
            for _ in range(256):
                member.write(bytes(1 << 20))
        archive.infolist()[0].file_size = said
        archive.writestr(f"m/{beside}", b"3")
    return path


def colliding(count: int) -> bytes:
    """A dict whose numbers all have the hash 0."""
    keys = b"".join(b"\x8a\x0e" + (n * (2**61 - 1)).to_bytes(14, "little") + b"N" for n in range(1, count))
    return b"\x80\x02}(" + keys + b"u."


#: Each makes a file in a new folder, and returns what ``inspect`` is to look at.
INSPECTED: dict[str, Callable[[Path], Path]] = {
    "beginnings of a record": lambda at: saved_model(at / "m", field(3, MARKER * 90_000)),
    "beginnings of a list": lambda at: saved_model(at / "m", field(3, b'{"version": [' * 90_000)),
    "nested records without a number": lambda at: saved_model(
        at / "m", field(3, (MARKER * 900 + b"NaN " + b"}" * 900) * 80)
    ),
    "records that are none": lambda at: saved_model(at / "m", field(3, b'{"version": 1}' * 80_000)),
    "empty graphs after many nodes": lambda at: saved_model(
        at / "m", neuron_graph(*[neuron_node()] * 5000) + field(2, b"") * 500_000
    ),
    "nodes": lambda at: saved_model(at / "m", neuron_graph(*[field(2, b"NeuronOp")] * 400_000)),
    "dtypes of a node": lambda at: saved_model(
        at / "m", neuron_graph(neuron_node(b"", attribute("input_dtypes", field(6, b"\x01" * 20_000_000))))
    ),
    "inputs of a signature": lambda at: saved_model(at / "m", field(2, field(5, field(2, field(1, b"") * 4_000_000)))),
    "outputs of one node": lambda at: checkpoint(
        at / "c",
        {
            "nodes": [{"op": "x", "name": "n" * 100_000, "attrs": {"__ext_shape__": json.dumps([[1] * 50_000] * 4)}}],
            "heads": [[0, 0]] * 60_000,
        },
    ),
    "lists": lambda at: checkpoint(at / "c", b'{"nodes": [' + b"[]," * 10_000_000 + b"[]]}"),
    "arrays of nothing": lambda at: checkpoint(
        at / "c", {"nodes": [], "heads": []}, struct.pack("<3Q", 0x112, 0, 6_000_000) + bytes(24_000_008)
    ),
    "parts that share a state": lambda at: write(
        at / "m.pt", one_class(shared_parts(b"](" + b"N" * 100_000 + b"e", 4000))
    ),
    "parts that share a list": lambda at: write(
        at / "m.pt", one_class(shared_parts(b"](" + b"N" * 100_000 + b"e", 4000, wrapped=True))
    ),
    "dicts": lambda at: write(at / "m.pt", one_class(b"\x80\x02" + b"}" * 30_000_000 + b".")),
    "numbers that collide": lambda at: write(at / "m.pt", one_class(colliding(200_000))),
    "shapes": lambda at: write(
        at / "m.pt",
        one_class(
            shared_parts(text(BINARY) + text(field(1, field(2, b"\x01" * 30_000_000)) + field(2, b"")) + b"\x86", 1)
        ),
    ),
    "tensors": lambda at: write(
        at / "m.pt", one_class(shared_parts(text(BINARY) + text(field(1, b"") * 4_000_000) + b"\x86", 1))
    ),
    "members": lambda at: filed(at / "m.pt", directory(1_200_000)),
    "extra fields": lambda at: filed(at / "m.pt", directory(250, struct.pack("<2H", 0x4242, 0) * 16_000)),
    "members that are one": lambda at: overlapping(at / "m.pt"),
    "a packed pickle": lambda at: packed(at / "m.pt", "data.pkl", zipfile.ZIP_DEFLATED, 256 << 20),
    "code that is packed by bzip2": lambda at: packed(at / "m.pt", "code/m.py", zipfile.ZIP_BZIP2),
    "a packed record": lambda at: packed(
        at / "m.pt2", "extra/neuron_artifact.json", zipfile.ZIP_DEFLATED, 256 << 20, "archive_format"
    ),
}


def filed(path: Path, body: bytes) -> Path:
    path.write_bytes(body)
    return path
