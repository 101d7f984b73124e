from bombs_head import bounded, printed
from bombs import checkpoint
from pathlib import Path

import io
import gzip
import json
import tarfile
import numpy as np
from neuron_adapters import mx
from neuron_adapters.mxnet import _graph
from neuron_adapters.files.neff import neff
from neuron_rt import ArtifactError, NeuronError

var = {"op": "null", "name": "x", "inputs": []}


def node(op, attrs, inputs=((0, 0),), **more):
    return {"op": op, "name": "n", "attrs": attrs, "inputs": [list(entry) for entry in inputs], **more}


def graph(*nodes, version=10901):
    return json.dumps(
        {"nodes": [var, *nodes], "heads": [[len(nodes), 0]], "attrs": {"mxnet_version": ["int", version]}}
    )


symbols = [
    graph(node(op, {key: "1000000000", "axis": "0"}), version=version)
    for op, key in (
        ("Concat", "num_args"),
        ("SliceChannel", "num_outputs"),
        ("amp_multicast", "num_outputs"),
        ("khatri_rao", "num_args"),
        ("multi_sum_sq", "num_arrays"),
    )
    for version in (800, 10800, 10901)
]
symbols += [graph(*[node("Concat", {"num_args": "4000"})] * 5000, version=version) for version in (800, 10800, 10901)]
symbols += [
    graph(
        node("Concat", {"num_args": "4000", **{f"arg{n}_lr_mult_lr_mult": "1" for n in range(100_000)}}), version=10800
    )
]
symbols += ['{"nodes": [' + "[]," * 20_000_000 + "[]]}", "[" * 10_000_000, '{"nodes": [' + "9" * 1_000_000 + "]}"]
part = json.loads(graph(node("relu", {})))
unpacked = io.BytesIO()
with gzip.GzipFile(fileobj=unpacked, mode="wb", compresslevel=1) as file:
    for _ in range(256):
        file.write(bytes(1 << 20))
binary = neff("neuron_adapters", 1, {"a": b""})[:1024] + unpacked.getvalue()
import hashlib

binary = (
    binary[:16]
    + (len(binary) - 1024).to_bytes(8, "little")
    + binary[24:172]
    + hashlib.md5(binary[1024:]).digest()
    + binary[188:]
)
compiled = node("_neuron_subgraph_op", {}, ((0, 0), (1, 0)), subgraphs=[part])
bin_var = {"op": "null", "name": "n_neuronbin", "inputs": []}
checkpoint(
    Path("c"),
    {
        "nodes": [var, bin_var, *[compiled] * 2000],
        "heads": [[2 + n, 0] for n in range(2000)],
        "attrs": {"mxnet_version": ["int", 10901]},
    },
)
bounded(30, 4000)
for text in symbols:
    try:
        symbol = mx.sym.load_json(text)
        symbol.list_outputs(), symbol.list_arguments()
    except (NeuronError, MemoryError) as error:
        assert isinstance(error, NeuronError), (text[:200], error)
        printed(error)
from neuron_adapters.mx._artifact import verify

hashed = []
md5 = hashlib.md5
hashlib.md5 = lambda data, **options: (hashed.append(len(data)), md5(data, **options))[1]
loaded = mx.sym.load("c-symbol.json")
verify(loaded._entries, {"n_neuronbin": mx.nd.array(np.frombuffer(binary, np.uint8), dtype="uint8")})
assert hashed == [len(binary) - 1024], hashed
with open("/proc/self/status") as status:
    assert next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) < 700 << 10
