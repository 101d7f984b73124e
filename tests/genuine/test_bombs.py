"""SPEC F2: the work of a reader is bounded by the size of the file, and its memory by a small multiple of it. Small files
in which one thing is said many times, or said once and meant many times, end soon, in a result or in one line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from neuron_adapters.files import inspect, neff
from neuron_adapters.files.inspect import look
from neuron_adapters.files.record import Record

from archives import metaneff, text, write  # isort: skip
from bombs import BINARY, INSPECTED, MARKER, checkpoint, one_class, params, shared_parts  # isort: skip

HERE = Path(__file__).parent

HEAD = f"""
import io, os, resource, sys
from pathlib import Path
sys.path.insert(0, {str(HERE)!r})

def bounded(seconds, mebibytes):
    '''From here on the kernel ends what takes many times longer than any of these should.'''
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + seconds, int(used) + seconds))
    resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))

def printed(error):
    text = str(error)
    assert text and text.isprintable() and len(text) < 2000, text
    return text
"""

LOOK = """
import bombs
from neuron_adapters.files.inspect import look
from neuron_adapters.tools.inspect import _lines
from neuron_rt import ArtifactError
path = bombs.INSPECTED[{name!r}](Path.cwd())
bounded(6, 450)
try:
    found = look(str(path))
    assert all(line.isprintable() and len(line) < 300 for line in _lines(found))
    assert len(str(found.as_json())) < 40 << 20
except ArtifactError as error:
    printed(error)
with open('/proc/self/status') as status:
    assert next(int(line.split()[1]) for line in status if line.startswith('VmHWM')) < 250 << 10
"""


@pytest.mark.parametrize("name", INSPECTED)
def test_inspect(run_script: Callable[..., str], name: str) -> None:
    run_script(HEAD, LOOK.format(name=name))


def test_a_binary_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many nodes of a checkpoint, or parts of an archive, name it."""
    hashed = []
    md5 = neff.hashlib.md5
    monkeypatch.setattr(neff.hashlib, "md5", lambda data, **options: (hashed.append(len(data)), md5(data, **options))[1])
    node = {"op": "_neuron_subgraph_op", "name": "n", "attrs": {"__subgraph_opt_neuroncore__": "2"}}
    symbol = {"nodes": [node] * 20_000, "heads": [[0, 0]]}
    found = look(str(checkpoint(tmp_path / "c", symbol, params(("arg:n_neuronbin", BINARY)))))
    assert len(found.parts) == 20_000 and found.nc_count == 2 and hashed == [len(BINARY) - 1024]
    assert found.parts[-1].neff is not None and found.parts[-1].neff.problem == ""
    hashed.clear()
    parts = look(str(write(tmp_path / "m.pt", one_class(shared_parts(text(BINARY) + text(metaneff()) + b"\x86", 200))))).parts
    assert len(parts) == 200 and parts[-1].neff is not None and hashed == [len(BINARY) - 1024]


class Counting(io.FileIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int = -1, /) -> bytes:
        data = super().read(size)
        Counting.count += len(data)
        return data


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a record is looked for. A few beginnings do not hide the record that follows."""
    path, record = tmp_path / "f", Record(pipeline_cores=3).dumps().encode()
    monkeypatch.setattr(inspect, "open", lambda name, _mode: Counting(name), raising=False)
    parsed = []
    monkeypatch.setattr(inspect, "_ANY", Parser(parsed))
    for beginning in (MARKER, b'{"version": ["', b'{"version": 1}', b'{"version": "' + b"x" * 30):
        path.write_bytes(beginning * 200_000)
        Counting.count, parsed[:] = 0, []
        assert inspect._record(str(path)) is None
        assert Counting.count <= path.stat().st_size and len(parsed) <= 64 and max(parsed) <= 1 << 20
        path.write_bytes(b"x" * (3 << 20) + beginning * 50 + b"\0" + record + b"\0" * (3 << 20))
        found = inspect._record(str(path))
        assert found is not None and found.pipeline_cores == 3


class Parser(json.JSONDecoder):
    """Notes what it is given."""

    def __init__(self, given: list[int]) -> None:
        super().__init__()
        self.given = given

    def raw_decode(self, text: str, start: int = 0) -> tuple[object, int]:
        self.given.append(len(text))
        return super().raw_decode(text, start)


TORCH = """
import torch, neuron_adapters.torch
from neuron_rt import ArtifactError
from bombs import *
torch.jit.load(write(Path('first.pt'), new_style()))  # from now on every archive is looked through
files = {
    'tuples of tuples': one_class(type_bomb()),
    'classes': one_class(new_style()['data.pkl'], b''.join(b'# %s%d\\n' % (CLASS.encode(), n) for n in range(50_000))),
    'operators': one_class(new_style()['data.pkl'], b''.join(b'# ops.neuron.forward_%d\\n' % n for n in range(100_000))),
    'a list of many': one_class(shared_parts(b'](' + b'N' * 1_000_000 + b'e', 1)),
}
paths = {name: write(Path(f'{number}.pt'), members) for number, (name, members) in enumerate(files.items())}
bounded(20, 6000)
for name, path in paths.items():
    for one in (path, io.BytesIO(path.read_bytes())):
        try:
            torch.jit.load(one)
            assert name == 'a list of many', name
        except ArtifactError as error:
            print(name, printed(error))
"""


def test_through_pytorch(run_script: Callable[..., str]) -> None:
    run_script(HEAD, "warnings.simplefilter('ignore')\n" + TORCH)


CHECKED = '''
import torch, neuron_adapters.torch
from neuron_rt import ArtifactError

Path('nested.py').write_text("""
import torch
class Module(torch.nn.Module):
    def __init__(self, count, text):
        super().__init__()
        self.inner = torch.nn.ModuleList([torch.nn.Identity() for _ in range(count)])
        for one in self.inner:
            one._neuron_artifact = text
    def forward(self, x):
        return x
class Holder(torch.nn.Module):
    def __init__(self, *buffers):
        super().__init__()
        for index, one in enumerate(buffers):
            self.register_buffer(f'p{index}', one)
    def forward(self, x):
        return x
""")
sys.path.insert(0, '.')
import nested
text = neuron_adapters.torch.trace(torch.nn.Linear(2, 2).eval(), torch.rand(1, 2))._c.getattr('_neuron_artifact')
row = torch.zeros(1 << 18)
for name, buffers in (('expanded.pt', [torch.zeros(1).expand(1 << 40)]), ('shared.pt', [row] + [row.view(1 << 9, 1 << 9) for _ in range(600)]), ('rows.pt', [row.expand(1 << 16, 1 << 18)])):
    module = torch.jit.script(nested.Holder(*buffers))
    module._c._register_attribute('_neuron_artifact', torch._C.StringType.get(), text)
    torch.jit.save(module, name)
    assert os.path.getsize(name) < 8 << 20
torch.jit.script(nested.Module(1500, text + ' ' * 900_000)).save('records.pt')
bounded(20, 8000)
for path in ('expanded.pt', 'shared.pt', 'rows.pt', 'records.pt'):
    try:
        torch.jit.load(path)
        raise SystemExit(f'{path} was loaded')
    except ArtifactError as error:
        assert 'more than' in printed(error), error
'''


def test_what_is_checked_is_no_more_than_the_file_holds(run_script: Callable[..., str]) -> None:
    """Tensors of a few bytes that stand for a terabyte, and a text that thousands of modules share."""
    run_script(HEAD, "warnings.simplefilter('ignore')\n" + CHECKED, NEURON_RT_VALIDATE_HASH="true")


MXNET = """
import gzip, json, tarfile
import numpy as np
import neuron_adapters.mx as mx
from neuron_adapters.mxnet import _graph
from neuron_adapters.files.neff import neff
from neuron_rt import ArtifactError, NeuronError
from bombs import *

var = {'op': 'null', 'name': 'x', 'inputs': []}
def node(op, attrs, inputs=((0, 0),), **more):
    return {'op': op, 'name': 'n', 'attrs': attrs, 'inputs': [list(one) for one in inputs], **more}
def graph(*nodes, version=10901):
    return json.dumps({'nodes': [var, *nodes], 'heads': [[len(nodes), 0]], 'attrs': {'mxnet_version': ['int', version]}})

symbols = [graph(node(op, {key: '1000000000', 'axis': '0'}), version=version)
           for op, key in (('Concat', 'num_args'), ('SliceChannel', 'num_outputs'), ('amp_multicast', 'num_outputs'), ('khatri_rao', 'num_args'), ('multi_sum_sq', 'num_arrays'))
           for version in (800, 10800, 10901)]
symbols += [graph(*[node('Concat', {'num_args': '4000'})] * 5000, version=version) for version in (800, 10800, 10901)]
symbols += [graph(node('Concat', {'num_args': '4000', **{f'arg{n}_lr_mult_lr_mult': '1' for n in range(100_000)}}), version=10800)]
symbols += ['{"nodes": [' + '[],' * 20_000_000 + '[]]}', '[' * 10_000_000, '{"nodes": [' + '9' * 1_000_000 + ']}']
part = json.loads(graph(node('relu', {})))
unpacked = io.BytesIO()
with gzip.GzipFile(fileobj=unpacked, mode='wb', compresslevel=1) as file:
    for _ in range(256):
        file.write(bytes(1 << 20))
binary = neff('neuron_adapters', 1, {'a': b''})[:1024] + unpacked.getvalue()
import hashlib
binary = binary[:16] + (len(binary) - 1024).to_bytes(8, 'little') + binary[24:172] + hashlib.md5(binary[1024:]).digest() + binary[188:]
compiled = node('_neuron_subgraph_op', {}, ((0, 0), (1, 0)), subgraphs=[part])
bin_var = {'op': 'null', 'name': 'n_neuronbin', 'inputs': []}
checkpoint(Path('c'), {'nodes': [var, bin_var, *[compiled] * 2000], 'heads': [[2 + n, 0] for n in range(2000)], 'attrs': {'mxnet_version': ['int', 10901]}})
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
loaded = mx.sym.load('c-symbol.json')
verify(loaded._entries, {'n_neuronbin': mx.nd.array(np.frombuffer(binary, np.uint8), dtype='uint8')})
assert hashed == [len(binary) - 1024], hashed
with open('/proc/self/status') as status:
    assert next(int(line.split()[1]) for line in status if line.startswith('VmHWM')) < 700 << 10
"""


def test_through_mxnet(run_script: Callable[..., str]) -> None:
    run_script(HEAD, MXNET, NEURON_RT_VALIDATE_HASH="true")


def test_the_form_for_the_engine(run_script: Callable[..., str]) -> None:
    """What a text of a few bytes unpacks to is not believed; what packs well is written so that it can be read."""
    run_script(HEAD, """
import base64, json, zlib
from neuron_adapters.files.openvino_ir import Lowered
good = Lowered(('a' * 50_000_000,), (), bytes(20_000_000), {}, 0)
assert Lowered.loads(good.dumps()) == good
packed = base64.b64encode(zlib.compress(bytes(100 << 20), 9)).decode()
record = json.dumps({'version': 1, 'text': packed, 'constants': [], 'new': '', 'prints': {}, 'packed': 0})
bounded(6, 450)
for text in (record, record.replace('"packed": 0', '"packed": 1e999'), record.replace('[]', '[[1, 2, Infinity]]'), '[' * 1_000_000):
    try:
        Lowered.loads(text)
        raise SystemExit('it was read')
    except ValueError as error:
        printed(error)
""")
