"""Damaged files of the real compilers: each ends in a result or in one clear error, never in a crash, a hang or much memory.

The readers that are this package's own get ten thousand variants; the ways through the frameworks, a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent

HEAD = f"""
import collections, io, os, random, resource, sys
from pathlib import Path
sys.path.insert(0, {str(HERE)!r})
from archives import metaneff, new_style, old_style, write
from damage import damaged
from neuron_rt import ArtifactError, NeuronError
data = Path({str(HERE / "data")!r})

def most():
    with open('/proc/self/status') as status:
        return next(int(line.split()[1]) for line in status if line.startswith('VmHWM')) >> 10
"""

READERS = """
from neuron_adapters.files import metaneff as metaneffs, mxnet, neff, pickles, savedmodel, torchscript
from neuron_adapters.files.inspect import look
from neuron_adapters.tools.inspect import _lines

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
rng = random.Random({seed})
saved = (data / 'tensorflow' / 'simple' / '1' / 'saved_model.pb').read_bytes()
os.mkdir('m')
new, old = write(Path('n.pt'), new_style()).read_bytes(), write(Path('o.pt'), old_style()).read_bytes()
symbol = (data / 'mxnet' / 'compiled-symbol.json').read_bytes()
params = (data / 'mxnet' / 'compiled-0000.params').read_bytes()
arrays = b'\\x12\\1' + bytes(14) + (2).to_bytes(8, 'little')  # two small arrays, in the forms of two releases
arrays += b'\\xc9\\xfa\\x93\\xf9' + bytes(4) + (1).to_bytes(4, 'little') + (1100).to_bytes(8, 'little') + (1).to_bytes(4, 'little') + bytes(4) + (3).to_bytes(4, 'little') + saved[2300:3400]
arrays += b'\\xc8\\xfa\\x93\\xf9' + (1).to_bytes(4, 'little') + (2).to_bytes(8, 'little') + (1).to_bytes(4, 'little') + bytes(8) + bytes(8)
arrays += (2).to_bytes(8, 'little') + (18).to_bytes(8, 'little') + b'arg:_op0_neuronbin' + (5).to_bytes(8, 'little') + b'arg:w'

def nodes(body):
    found = savedmodel.loads(memoryview(body))
    return [(node.erased, savedmodel.operators(node.graph)) for node in found.nodes]

def file(name):
    def through(body):
        Path(name).write_bytes(body)
        found = look(name if not name.startswith(('m/', 'c-')) else name[0])
        return list(_lines(found)), found.as_json()
    return through

readers = [  # what reads it, its bytes, what it may raise
    (nodes, saved, ValueError), (lambda body: torchscript.load(io.BytesIO(body), 'x'), new, ArtifactError),
    (lambda body: torchscript.load(io.BytesIO(body), 'x'), old, ArtifactError),
    (pickles.read, new_style()['data.pkl'], ValueError), (metaneffs.read, metaneff(2), ValueError),
    (neff.read_header, new_style()["data.pkl"][new_style()["data.pkl"].index(bytes([2, 0, 0, 0, 0, 0, 0, 0, 0, 4])):][:1451], ValueError),
    (file('m/saved_model.pb'), saved, ArtifactError), (file('x.pt'), new, ArtifactError), (file('c-0000.params'), arrays, ArtifactError),
    (file('c-symbol.json'), symbol, ArtifactError),
]
Path('c-symbol.json').write_bytes(symbol)
Path('c-0000.params').write_bytes(arrays)
found = collections.Counter()
for number in range({count}):
    read, body, wrong = readers[number % len(readers)]
    if read is readers[-1][0] or read is readers[-2][0]:
        Path('c-symbol.json').write_bytes(symbol)
        Path('c-0000.params').write_bytes(arrays)
    try:
        read(damaged(body, rng))
        found['read'] += 1
    except wrong as error:
        assert 0 < len(str(error)) < 2000 and (wrong is ValueError or str(error).isprintable()), error
        found['refused'] += 1
assert found['read'] > {count} // 10 and found['refused'] > {count} // 5, found
assert most() < 200, most()
print('whole', dict(found) if {count} > 10000 else '')
"""


def test_readers(run_script: Callable[..., str]) -> None:
    assert run_script(HEAD, READERS.format(seed=1, count=10_000)).startswith("whole")


def nested(depth: int) -> bytes:
    """A message in a message in a message, each the second field of the one round it."""
    body = b""
    for _ in range(depth):
        size, length = len(body), b""
        while size > 127:
            length += bytes([size & 127 | 128])
            size >>= 7
        body = b"\x12" + length + bytes([size]) + body
    return body


def test_depth_and_sharing() -> None:
    """Nothing recurses by what a file says, and what is shared is walked once."""
    from neuron_adapters.files import pickles, savedmodel, torchscript

    savedmodel.loads(memoryview(nested(20_000)))
    deep = pickles.read(b"\x80\x02" + b"(" * 1 + b"]" * 1 + b"\x85" * 50_000 + b".")
    assert sum(1 for _ in torchscript._walk(deep, (tuple, list, dict))) == 50_001
    laughs = b"\x80\x02]q\x00" + b"".join(b"](h%ch%ce" % (level, level) + b"q%c" % (level + 1) for level in range(100)) + b"."
    value = pickles.read(laughs)  # 2 ** 100 leaves, were it a tree
    assert len(list(torchscript._walk(value, (tuple, list, dict)))) == 101 and torchscript._Texts(len(laughs)).of(value) == []
    with pytest.raises(ValueError, match="a text in it has 2147483647 bytes"):
        pickles.read(b"\x80\x02X\xff\xff\xff\x7f")


TORCH = """
warnings.simplefilter('ignore')
import torch, neuron_adapters.torch, neuron_adapters
rng = random.Random({seed})
whole = [write(Path(name), members).read_bytes() for name, members in (('n.pt', new_style()), ('o.pt', old_style()))]
found = collections.Counter()
for number in range({count}):
    body = damaged(whole[number % 2], rng)
    Path('x.pt').write_bytes(body)
    try:
        module = torch.jit.load('x.pt' if number % 3 else io.BytesIO(body))
    except ArtifactError as error:
        assert 0 < len(str(error)) < 2000 and str(error).isprintable(), error
        found['refused'] += 1
        continue
    except (RuntimeError, EOFError, ValueError, IndexError, MemoryError) as error:  # PyTorch's own, as for any damaged archive
        found["PyTorch's own"] += 1
        continue
    try:
        module(torch.zeros(1, 3, 8, 8), torch.zeros(1, 4, dtype=torch.int64))
        raise SystemExit('it ran')
    except ArtifactError:
        found['opened'] += 1
    neuron_adapters.unload(module)
assert found['refused'] and found['opened'] and found["PyTorch's own"], found
assert neuron_adapters.describe().models == () and most() < 900, most()
print('whole', dict(found) if {count} > 1000 else '')
"""


def test_through_pytorch(run_script: Callable[..., str]) -> None:
    assert run_script(HEAD, TORCH.format(seed=1, count=200), NEURON_RT_NUM_CORES="8").startswith("whole")


TENSORFLOW = """
warnings.simplefilter('ignore')
import shutil
import numpy as np, tensorflow as tf, neuron_adapters.tf, neuron_adapters
rng = random.Random({seed})
shutil.copytree(data / 'tensorflow' / 'simple' / '1', 'm')
whole = {{name: Path('m', name).read_bytes() for name in ('saved_model.pb', 'variables/variables.index', 'variables/variables.data-00000-of-00001')}}
x = tf.constant([[1., 2., 5.]])
found = collections.Counter()
for number in range({count}):
    name = 'saved_model.pb' if number % 8 else rng.choice(list(whole))
    for one, body in whole.items():
        Path('m', one).write_bytes(damaged(body, rng) if one == name else body)
    load = tf.saved_model.load if number % 2 else tf.keras.models.load_model
    try:
        model = load('m')
    except (NeuronError, tf.errors.OpError, ValueError, OSError) as error:
        assert 0 < len(str(error)) < 5000, error
        found['refused'] += 1
        continue
    try:
        result = np.asarray(model(x) if number % 4 else next(iter(model.signatures.values()))(x)['output_1'])
        found['right' if np.allclose(result, [[-6.2512, 0.35495782, 6.324997]], atol=1e-4) else 'other weights'] += 1
    except (NeuronError, tf.errors.OpError, ValueError, TypeError, KeyError, StopIteration, AttributeError) as error:
        found['at the call'] += 1
    neuron_adapters.unload(model)
    del model
assert found['refused'] > {count} // 5 and found['right'] > {count} // 10, found
assert most() < 1500, most()
print('whole', dict(found) if {count} > 1000 else '')
"""


def test_through_tensorflow(run_script: Callable[..., str]) -> None:
    assert run_script(HEAD, TENSORFLOW.format(seed=1, count=60), TF_CPP_MIN_LOG_LEVEL="3", NEURON_RT_NUM_CORES="8").startswith("whole")


def test_something_else_where_the_signatures_should_be(run_script: Callable[..., str]) -> None:
    """One bit of a file that TensorFlow restores all the same: it takes what it does not know for an object of a user's."""
    run_script(HEAD, """
warnings.simplefilter('ignore')
import shutil
import tensorflow as tf, neuron_adapters.tf, neuron_adapters
shutil.copytree(data / 'tensorflow' / 'simple' / '1', 'genuine')
plain = tf.Module()
plain.double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec([2])])
tf.saved_model.save(plain, 'plain', signatures=plain.double)
for path in ('genuine', 'plain'):
    file = Path(path, 'saved_model.pb')
    assert b'signature_map' in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(b'signature_map', b'signature_mcp'))
for load in (tf.saved_model.load, tf.keras.models.load_model):
    try:
        load('genuine')
        raise SystemExit('it loaded')
    except ArtifactError as error:
        assert 'signatures' in str(error) and 'damaged' in str(error), error
restored = tf.saved_model.load('plain')
assert restored.double(tf.constant([1., 2.])).numpy().tolist() == [2, 4] and neuron_adapters.placement(restored)
""", imported=True, TF_CPP_MIN_LOG_LEVEL="3", NEURON_RT_NUM_CORES="8")
