"""TorchScript archives of the shape that torch-neuron wrote, byte by byte: no such file is public, and stock PyTorch
cannot make one, since the class and the operators in it are the plug-in's."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from neuron_adapters.files.neff import neff

CLASS = "__torch__.torch.classes.neuron.Model"
SHAPES = {"input0": (1, 3, 8, 8), "input1": (1, 4)}


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def metaneff(outputs: int = 1, cores: int = 1) -> bytes:
    """Two inputs, float32 and int64, and ``outputs`` float16 outputs of shape [1, 5]."""
    text = b""
    for (name, shape), dtype in zip(SHAPES.items(), (1, 10)):
        text += field(
            1, field(1, name.encode()) + field(2, b"".join(map(varint, shape))) + field(3, dtype) + field(5, 1)
        )
    for index in range(outputs):
        text += field(2, field(1, f"output{index}".encode()) + field(2, b"\x01\x05") + field(3, 12))
    return text + field(3, field(1, 4) + field(2, 10) + field(3, cores))


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return b"X" + struct.pack("<I", len(raw)) + raw


def pickled(name: str, state: bytes) -> bytes:
    module, _dot, kind = name.rpartition(".")
    return f"c{module}\n{kind}\n".encode() + b")\x81" + state + b"b"


def module_state(**attributes: bytes) -> bytes:
    own = {"training": b"\x89", "_is_full_backward_hook": b"N", **attributes}
    return b"}(" + b"".join(text(name) + value for name, value in own.items()) + b"u"


HEAD = "  __parameters__ = []\n  __buffers__ = []\n  training : bool\n  _is_full_backward_hook : Optional[bool]\n"


def new_style(cores: int = 2, outputs: int = 2) -> dict[str, bytes]:
    """As torch-neuron 1.7 and later: a graph module that holds one NeuronModuleV2."""
    binary = neff("1.13.5.0+7dcf000a6-/tmp/somewhere", cores, {"neff.json": b"{}", "sg00/pe.bin": bytes(range(256))})
    inner = "__torch__.torch_neuron.decorators.NeuronModuleV2"
    outer = "__torch__.torch_neuron.convert.AwsNeuronGraphModule"
    result = "Tensor" if outputs == 1 else f"Tuple[{', '.join(['Tensor'] * outputs)}]"
    names = ", ".join(f"_{index}" for index in range(outputs))
    returned = names if outputs == 1 else f"({names})"
    model = pickled(CLASS, text(binary) + text(metaneff(outputs, cores)) + text("2.0") + b"\x87")
    return {
        "data.pkl": b"\x80\x02"
        + pickled(outer, module_state(_NeuronGraph0=pickled(inner, module_state(model=model))))
        + b".",
        "constants.pkl": b"\x80\x02).",
        "version": b"3\n",
        "code/__torch__/torch_neuron/decorators.py": (
            f"class NeuronModuleV2(Module):\n{HEAD}  model : {CLASS}\n"
            f"  def forward(self: {inner},\n    argument_1: Tensor,\n    argument_2: Tensor) -> {result}:\n"
            f"    {names} = ops.neuron.forward_v2_{outputs}([argument_1, argument_2], self.model)\n"
            f"    return {returned}\n"
        ).encode(),
        "code/__torch__/torch_neuron/convert.py": (
            f"class AwsNeuronGraphModule(Module):\n{HEAD}  _NeuronGraph0 : {inner}\n"
            f"  def forward(self: {outer},\n    x: Tensor,\n    y: Tensor) -> {result}:\n"
            f"    _NeuronGraph0 = self._NeuronGraph0\n"
            f"    return (_NeuronGraph0).forward(x, y, )\n"
        ).encode(),
    }


def old_style(cores: int = 1) -> dict[str, bytes]:
    """As the first releases: an operator on tensors of bytes, no class of the plug-in's."""
    binary = neff("1.0.18001.0-/tmp/somewhere", cores, {"neff.json": b"{}"})
    blobs = {"uuid": b"7" * 32, "metaneff": metaneff(1, cores), "neff": binary}
    name = "__torch__.torch_neuron.decorators.NeuronModule"

    def tensor(index: int, size: int) -> bytes:
        kind = b"ctorch\nByteStorage\n"
        storage = (
            b"(" + text("storage") + kind + text(str(index)) + text("cpu") + b"J" + struct.pack("<i", size) + b"tQ"
        )
        sizes = b"K\0" + b"(J" + struct.pack("<i", size) + b"t" + b"(K\x01t" + b"\x89"
        return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + sizes + b"ccollections\nOrderedDict\n)RtR"

    attributes = {key: tensor(index, len(body)) for index, (key, body) in enumerate(blobs.items())}
    declared = "".join(f"  {key} : Tensor\n" for key in blobs)
    return {
        "data.pkl": b"\x80\x02" + pickled(name, module_state(**attributes)) + b".",
        **{f"data/{index}": body for index, body in enumerate(blobs.values())},
        "constants.pkl": b"\x80\x02).",
        "version": b"3\n",
        "code/__torch__/torch_neuron/decorators.py": (
            f"class NeuronModule(Module):\n{HEAD}{declared}"
            f"  def forward(self: {name},\n    argument_1: Tensor,\n    argument_2: Tensor) -> Tensor:\n"
            f"    _0 = ops.neuron.forward_1([argument_1, argument_2], self.uuid, self.metaneff, self.neff)\n"
            f"    return _0\n"
        ).encode(),
    }  # fmt: skip


def write(path: Path, members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as packed:
        for name, body in members.items():
            packed.writestr(f"archive/{name}", body)
    return path
