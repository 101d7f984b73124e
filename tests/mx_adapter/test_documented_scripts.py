"""What AWS's documents have users write for MXNet, in processes of its own; only the import differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import neuron_adapters.mx as mx

HEAD = """
import os
import numpy as np
import neuron_adapters.mx as mx
import neuron_adapters

def where(*models):
    return " ".join(str(place) for model in models for place in neuron_adapters.placement(model))

def right(prefix, result, pixels):
    expected = np.load(prefix + "-answer.npy")
    return bool(np.allclose(result.asnumpy(), expected, rtol=1e-3, atol=1e-4))

pixels = mx.nd.array(np.load("pixels.npy"))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four compiled checkpoints, one that is not, an image, and their answers."""
    made = tmp_path_factory.mktemp("documented")
    generator = np.random.default_rng(5)
    pixels = generator.uniform(size=(1, 3, 16, 16)).astype("f4")
    np.save(made / "pixels.npy", pixels)
    for number, cores in enumerate([2, 4, 3, 4]):
        data = mx.sym.var("data")
        conv = mx.sym.Convolution(data, kernel=(3, 3), num_filter=4 + number, name="conv")
        pool = mx.sym.Pooling(mx.sym.Activation(conv, act_type="relu"), global_pool=True, pool_type="avg", kernel=(1, 1))
        net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(pool, num_hidden=10, name="fc"), name="softmax")
        shapes = zip(net.list_arguments(), net.infer_shape(data=pixels.shape)[0])
        args = {
            name: mx.nd.array(generator.normal(size=shape)) for name, shape in shapes if name not in ("data", "softmax_label")
        }
        prefix = str(made / f"model{number}")
        mx.model.save_checkpoint(f"{prefix}-plain", 0, net, args, {})
        fed = {"data": mx.nd.array(pixels), "softmax_label": mx.nd.ones((1,))}
        answer = net.bind(mx.cpu(), {**args, **fed}, grad_req="null").forward()[0].asnumpy()
        for name in (prefix, f"{prefix}-plain"):
            np.save(f"{name}-answer.npy", answer)
        parts = mx.contrib.neuron.compile(net, args, {}, {"data": pixels}, **{"--neuroncore-pipeline-cores": cores})
        mx.model.save_checkpoint(prefix, 0, *parts)
    return made


def loads(contexts: list[int]) -> str:
    """Load and bind, as the guide writes it, and call."""
    lines = []
    for number, index in enumerate(contexts):
        lines += [
            f"sym, args, aux = mx.model.load_checkpoint('model{number}', 0)",
            "args['data'], args['softmax_label'] = mx.nd.zeros(pixels.shape), mx.nd.zeros((1,))",
            f"model{number} = sym.bind(ctx=mx.neuron({index}), args=args, aux_states=aux, grad_req='null')",
        ]
    for number in range(len(contexts)):
        lines += [f"results{number} = model{number}.forward(data=pixels)"]
    names = ", ".join(f"model{number}" for number in range(len(contexts)))
    lines += [f"print(where({names}))"]
    lines += [f"print(right('model{number}', results{number}[0], pixels))" for number in range(len(contexts))]
    return "\n".join(lines) + "\n"


Run = Callable[..., str]


def test_four_models(run_script: Run, folder: Path) -> None:
    script = "os.environ['NEURON_RT_NUM_CORES']='13'\n" + loads([0, 2, 6, 9])
    assert run_script(HEAD, script, folder=folder).splitlines() == ["NC0-NC1 NC2-NC5 NC6-NC8 NC9-NC12", *["True"] * 4]


def test_two_models_on_one_group(run_script: Run, folder: Path) -> None:
    script = loads([0, 0]).replace("'model1'", "'model0'") + """
for _ in range(3):
    model0.forward(data=pixels)
    model1.forward(data=pixels)
print(sum(one.switches for one in neuron_adapters.describe().models) >= 5)
"""
    out = run_script(HEAD, script, folder=folder, NEURON_RT_NUM_CORES="2").splitlines()
    assert out == ["NC0-NC1 NC0-NC1", "True", "True", "True"]


def test_a_mix(run_script: Run, folder: Path) -> None:
    """The FAQ's: one model on NC0-NC1, three on the NCs from 2."""
    script = "os.environ['NEURON_RT_NUM_CORES']='6'\n" + loads([0, 2, 2, 2])
    out = run_script(HEAD, script, folder=folder).splitlines()
    assert out == ["NC0-NC1 NC2-NC5 NC2-NC4 NC2-NC5", *["True"] * 4]


def test_group_indexes(run_script: Run, folder: Path) -> None:
    script = """
import warnings
warnings.filterwarnings('ignore', category=DeprecationWarning, message='.*NEURONCORE_GROUP_SIZES')
os.environ['NEURONCORE_GROUP_SIZES']='[2,4,3,4]'
""" + loads([0, 1, 2, 3])
    out = run_script(HEAD, script, folder=folder).splitlines()
    assert out == ["NC0-NC1 NC2-NC5 NC6-NC8 NC9-NC12", *["True"] * 4]


def test_a_group_that_is_too_small(run_script: Run, folder: Path) -> None:
    script = """
import warnings
warnings.filterwarnings('ignore', category=DeprecationWarning)
try:
    sym, args, aux = mx.model.load_checkpoint('model0', 0)
    args['data'], args['softmax_label'] = pixels, mx.nd.zeros((1,))
    sym.bind(ctx=mx.neuron(1), args=args, aux_states=aux, grad_req='null')
except mx.MXNetError as error:
    print(error.status)
"""
    assert run_script(HEAD, script, folder=folder, NEURONCORE_GROUP_SIZES="[1,1,1]") == "9\n"


def test_the_tutorial_of_checkpoints(run_script: Run, folder: Path, tmp_path: Path) -> None:
    """Compile by the old flag with an example that has a name; then run it where group 1 is."""
    script = f"""
import warnings
warnings.filterwarnings('ignore', category=DeprecationWarning)
path = 'http://example.invalid/models/'
mx.test_utils.download(path + 'model0-plain-symbol.json')
mx.test_utils.download(path + 'model0-plain-0000.params')
sym, args, aux = mx.model.load_checkpoint('model0-plain', 0)
inputs = {{'data': mx.nd.ones([1, 3, 16, 16], name='data', dtype='float32')}}
compile_args = {{'--num-neuroncores': 2}}
sym, args, aux = mx.contrib.neuron.compile(sym, args, aux, inputs, **compile_args)
mx.model.save_checkpoint({str(tmp_path / "compiled")!r}, 0, sym, args, aux)

sym, args, aux = mx.model.load_checkpoint({str(tmp_path / "compiled")!r}, 0)
softmax = mx.nd.random_normal(shape=(1,))
args['softmax_label'] = softmax
args['data'] = pixels
exe = sym.bind(ctx=mx.neuron(1), args=args, aux_states=aux, grad_req='null')
exe.forward(data=pixels)
exe.outputs[0].wait_to_read()
print(where(exe), right('model0-plain', exe.outputs[0], pixels))
prob = np.squeeze(exe.outputs[0].asnumpy())
print(len(np.argsort(prob)[::-1][0:5]))
"""
    out = run_script(HEAD, script, folder=folder, NEURONCORE_GROUP_SIZES="[1,2,1]")
    assert out.splitlines() == ["NC1-NC2 True", "5"]


def test_the_tutorial_of_gluon(run_script: Run, folder: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 20, 3), np.uint8)).save(tmp_path / "kitten.png")
    script = f"""
from neuron_adapters.mx.contrib import neuron

block = mx.gluon.nn.SymbolBlock.imports('model0-plain-symbol.json',
    ['data', 'softmax_label'], 'model0-plain-0000.params', ctx=mx.cpu())
block.hybridize()
inputs = {{'data': mx.nd.ones([1, 3, 16, 16], name='data', dtype='float32'),
          'softmax_label': mx.nd.ones([1], name='data', dtype='float32')}}
block = neuron.compile(block, inputs=inputs)
os.chdir({str(tmp_path)!r})
block.export('net_compiled', 0, block)

fname = mx.test_utils.download('http://example.invalid/images/kitten.png?raw=true')
img = mx.image.imread(fname)
img = mx.image.imresize(img, 16, 16)
img = img.transpose((2, 0, 1))
img = img.expand_dims(axis=0)
img = img.astype(dtype='float32')
block = mx.gluon.nn.SymbolBlock.imports('net_compiled-symbol.json',
    ['data', 'softmax_label'], 'net_compiled-0000.params', ctx=mx.cpu())
softmax = mx.nd.random_normal(shape=(1,))
out = block(img, softmax).asnumpy()
print(out.shape, bool(np.isclose(out.sum(), 1)), where(block))
os.chdir({str(folder)!r})
print(right('model0-plain', block(pixels, softmax), pixels))
"""
    assert run_script(HEAD, script, folder=folder).splitlines() == ["(1, 10) True NC0", "True"]


def test_data_parallel_processes(run_script: Run, folder: Path) -> None:
    """Consumers, forked, that each load the model and answer from a queue."""
    script = """
import multiprocessing

def consumer(prefix, number, tasks, results):
    os.environ['NEURON_RT_NUM_CORES'] = '2'
    sym, args, aux = mx.model.load_checkpoint(prefix, 0)
    inputs = {'data': mx.nd.zeros(pixels.shape), 'softmax_label': mx.nd.ones((1,))}
    args.update(inputs)
    exe = sym.bind(mx.cpu(), args=args, aux_states=aux, grad_req='null')
    while True:
        task = tasks.get()
        if task is None:
            break
        exe.forward(is_train=False, data=task)
        results.put((number, exe.outputs[0].copy()))
    results.put((number, str(neuron_adapters.placement(exe)[0].instance_ncs)))

if __name__ == '__main__':
    context = multiprocessing.get_context('fork')
    queues = [context.Queue() for _ in range(3)]
    results = context.Queue()
    workers = [context.Process(target=consumer, args=('model0', n, queue, results)) for n, queue in enumerate(queues)]
    for worker in workers:
        worker.start()
    for queue in queues:
        for _ in range(4):
            queue.put(pixels)
    answers = [results.get() for _ in range(12)]
    print(sorted(number for number, _ in answers), all(right('model0', one, pixels) for _, one in answers))
    for queue in queues:
        queue.put(None)
    print(sorted(results.get()[1] for _ in workers))
    for worker in workers:
        worker.join()
    print([worker.exitcode for worker in workers])
"""
    out = run_script(HEAD, script, folder=folder).splitlines()
    assert out == [
        "[0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2] True", "['(0, 1)', '(2, 3)', '(4, 5)']", "[0, 0, 0]",
    ]  # fmt: skip


def test_compile_statistics(run_script: Run, folder: Path) -> None:
    """Counted in the symbol's JSON, as the reference of the compile call shows."""
    script = """
import json

def operators(nodes):
    return sum(node['op'] != 'null' for node in nodes)

def statistics(symbol):
    nodes = json.loads(symbol.tojson())['nodes']
    parts = [node for node in nodes if node['op'] == '_neuron_subgraph_op']
    inside = sum(operators(part['nodes']) for node in parts for part in node['subgraphs'])
    return operators(nodes), len(parts), inside

sym, args, aux = mx.model.load_checkpoint('model0-plain', 0)
csym, _, _ = mx.contrib.neuron.compile(sym, args, aux, inputs={'data': pixels})
print(statistics(sym), statistics(csym))
excluded, _, _ = mx.contrib.neuron.compile(sym, args, aux, inputs={'data': pixels}, excl_node_names=['conv'])
print(statistics(excluded))
"""
    # Five operators; the output layer stays MXNet's own.
    assert run_script(HEAD, script, folder=folder).splitlines() == ["(5, 0, 0) (2, 1, 4)", "(3, 1, 3)"]


ROOT = Path(__file__).resolve().parents[2]


def test_every_operator_is_documented() -> None:
    from neuron_adapters.mxnet.operators import find, names

    text = (ROOT / "docs" / "mx.md").read_text()
    own = {find(name).name for name in names()}
    made = {name for name in own if name.startswith("_") and not name.startswith(("_contrib", "_linalg", "_image"))}
    assert sorted(name for name in own - made if f"`{name}`" not in text) == []


def test_every_call_of_the_surface_is_documented() -> None:
    text = (ROOT / "docs" / "mx.md").read_text()
    owners = (*mx.mod.Module.__mro__[:2], mx.gluon.SymbolBlock, mx.gluon.Parameter)
    kept = {"list_data", "forward", "infer_shape", "initialize", "params", "taken_apart", "with_graph", "become"}
    known = {name for owner in owners for name in vars(owner) if not name.startswith("_")}
    assert sorted(name for name in known - kept if name not in text) == []


def test_the_page_runs(run_script: Run, tmp_path: Path) -> None:
    """All blocks of docs/mx.md, one after another, print what the page says."""
    import re

    text = (ROOT / "docs" / "mx.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    shown = re.findall(r"^```text\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    shown = [block for block in shown if "compile(" not in block]
    out = run_script("", "\n".join(blocks), folder=tmp_path)
    assert [line.rstrip() for line in out.splitlines()] == [line.rstrip() for line in "".join(shown).splitlines()]
