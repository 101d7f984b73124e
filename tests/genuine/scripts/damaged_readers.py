from damaged_head import data, most

import collections
import io
import os
import random
import resource
import sys
from pathlib import Path
from archives import metaneff, new_style, old_style, write
from damage import damaged
from neuron_rt import ArtifactError

seed, count = map(int, sys.argv[1:])
from neuron_adapters.files import metaneff as metaneffs, mxnet, neff, pickles, savedmodel, torchscript
from neuron_adapters.files.inspect import look
from neuron_adapters.tools.inspect import _lines

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
rng = random.Random(seed)
saved = (data / "tensorflow" / "simple" / "1" / "saved_model.pb").read_bytes()
os.mkdir("m")
new, old = write(Path("n.pt"), new_style()).read_bytes(), write(Path("o.pt"), old_style()).read_bytes()
symbol = (data / "mxnet" / "compiled-symbol.json").read_bytes()
params = (data / "mxnet" / "compiled-0000.params").read_bytes()
arrays = b"\x12\1" + bytes(14) + (2).to_bytes(8, "little")  # two small arrays, in the forms of two releases
arrays += (
    b"\xc9\xfa\x93\xf9"
    + bytes(4)
    + (1).to_bytes(4, "little")
    + (1100).to_bytes(8, "little")
    + (1).to_bytes(4, "little")
    + bytes(4)
    + (3).to_bytes(4, "little")
    + saved[2300:3400]
)
arrays += (
    b"\xc8\xfa\x93\xf9"
    + (1).to_bytes(4, "little")
    + (2).to_bytes(8, "little")
    + (1).to_bytes(4, "little")
    + bytes(8)
    + bytes(8)
)
arrays += (
    (2).to_bytes(8, "little")
    + (18).to_bytes(8, "little")
    + b"arg:_op0_neuronbin"
    + (5).to_bytes(8, "little")
    + b"arg:w"
)


def nodes(body):
    saved_model = savedmodel.loads(memoryview(body))
    return [(node.erased, savedmodel.operators(node.graph)) for node in saved_model.nodes]


def file(name):
    def through(body):
        Path(name).write_bytes(body)
        contents = look(name if not name.startswith(("m/", "c-")) else name[0])
        return list(_lines(contents)), contents.as_json()

    return through


readers = [  # what reads it, its bytes, what it may raise
    (nodes, saved, ValueError),
    (lambda body: torchscript.load(io.BytesIO(body), "x"), new, ArtifactError),
    (lambda body: torchscript.load(io.BytesIO(body), "x"), old, ArtifactError),
    (pickles.read, new_style()["data.pkl"], ValueError),
    (metaneffs.read, metaneff(2), ValueError),
    (
        neff.read_header,
        new_style()["data.pkl"][new_style()["data.pkl"].index(bytes([2, 0, 0, 0, 0, 0, 0, 0, 0, 4])) :][:1451],
        ValueError,
    ),
    (file("m/saved_model.pb"), saved, ArtifactError),
    (file("x.pt"), new, ArtifactError),
    (file("c-0000.params"), arrays, ArtifactError),
    (file("c-symbol.json"), symbol, ArtifactError),
]
Path("c-symbol.json").write_bytes(symbol)
Path("c-0000.params").write_bytes(arrays)
outcomes = collections.Counter()
for number in range(count):
    read, body, wrong = readers[number % len(readers)]
    if read is readers[-1][0] or read is readers[-2][0]:
        Path("c-symbol.json").write_bytes(symbol)
        Path("c-0000.params").write_bytes(arrays)
    try:
        read(damaged(body, rng))
        outcomes["read"] += 1
    except wrong as error:
        assert 0 < len(str(error)) < 2000 and (wrong is ValueError or str(error).isprintable()), error
        outcomes["refused"] += 1
assert outcomes["read"] > count // 10 and outcomes["refused"] > count // 5, outcomes
assert most() < 200, most()
print("whole", dict(outcomes) if count > 10000 else "")
