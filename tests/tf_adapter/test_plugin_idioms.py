"""What scripts and test suites of tensorflow-neuron do, under both generations of Keras (SPEC K1, X2, R3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

HEAD = """
warnings.filterwarnings('ignore', category=DeprecationWarning)
import collections, gc, os
import numpy as np
import tensorflow as tf
import neuron_adapters, neuron_adapters.tf
import tensorflow.neuron as tfn
K, L = tf.keras, tf.keras.layers
tf.get_logger().setLevel('ERROR')

def same(found, wanted):
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-3, atol=1e-4)

def fails(kind, function, words):
    try:
        function()
    except kind as error:
        assert words in str(error), error
    else:
        raise AssertionError('nothing was raised')

x = tf.random.uniform([1, 4])
net = K.Sequential([L.Input(4), L.Dense(2)])
plain = net(x)
"""


@pytest.fixture(params=["keras3", "keras2"])
def run(request: pytest.FixtureRequest, run_script: Callable[..., str]) -> Callable[[str], str]:
    """Run a snippet in a process of its own, which has TensorFlow imported."""
    legacy = {"TF_USE_LEGACY_KERAS": "1"} if request.param == "keras2" else {}
    return lambda snippet: run_script(HEAD, snippet, imported=True, TF_CPP_MIN_LOG_LEVEL="3", NEURON_RT_NUM_CORES="1", **legacy)


def test_arguments_meet_by_name_and_position(run: Callable[[str], str]) -> None:
    """Never by the alphabet: z and a, in either order, compiled by position or by name."""
    run("""
def minus(z, a):
    return z - a
z, a = tf.random.uniform([2, 3]), tf.random.uniform([2, 3])
for example in ((z, a), {'z': z, 'a': a}, {'a': a, 'z': z}):
    traced = tfn.trace(minus, example)
    for found in (traced(z, a), traced(z=z, a=a), traced(a=a, z=z), traced(z, a=a), traced([z, a]), traced({'a': a, 'z': z})):
        same(found, z - a)
    fails(tf.errors.InvalidArgumentError, lambda: traced(z), 'compiled for 2 input tensor')
    fails(tf.errors.InvalidArgumentError, lambda: traced(z, a, a), 'compiled to be called with (')
    fails(ValueError, lambda: traced(z, b=a), 'got (tensor, b=tensor)')
    traced.save('minus')
    same(K.models.load_model('minus')(a=a, z=z), z - a)
""")


def test_mappings_of_tokenizers(run: Callable[[str], str]) -> None:
    """A BatchEncoding is a UserDict."""
    run("""
class Encoding(collections.UserDict):
    pass
class Net(K.Model):
    def call(self, inputs, training=False):
        return {'logits': inputs['ids'] * inputs['mask']}
given = {'ids': x, 'mask': x + 1}
for example in (given, Encoding(given)):
    traced = tfn.trace(Net(), example)
    same(traced(given)['logits'], x * (x + 1))
    same(traced(Encoding(given))['logits'], x * (x + 1))
same(tfn.trace(lambda ids, mask: ids * mask, Encoding(given))(**given), x * (x + 1))
""")


def test_signatures_of_a_loaded_model(run: Callable[[str], str]) -> None:
    """What was compiled and what was not: signatures run, by name."""
    run("""
K.models.save_model(net, 'plain')
tfn.trace(net, x).save('traced')
tfn.saved_model.compile('plain', 'compiled')
for name in ('plain', 'traced', 'compiled'):
    model = K.models.load_model(name)
    same(list(model.signatures['serving_default'](x).values())[0], plain)
two = K.Model(*(lambda i: (i, L.Subtract()(i)))([K.Input((3,), name='z'), K.Input((3,), name='a')]))
K.models.save_model(two, 'two')
tfn.saved_model.compile('two', 'two_compiled')
signature = tf.saved_model.load('two_compiled').signatures['serving_default']
z, a = tf.random.uniform([1, 3]), tf.random.uniform([1, 3])
same(list(signature(z=z, a=a).values())[0], z - a)
fails(TypeError, lambda: signature(z, a), '')
""")


def test_a_compiled_file_is_called_as_the_original(run: Callable[[str], str]) -> None:
    """saved_model.compile keeps the object's own structure, in and out."""
    run("""
z, a = K.Input((3,), name='z'), K.Input((3,), name='a')
two = K.Model([z, a], [L.Add(name='zz')([z, a]), L.Subtract(name='aa')([z, a])])
K.models.save_model(two, 'two')
tfn.saved_model.compile('two', 'compiled')
given = [tf.random.uniform([1, 3]), tf.random.uniform([1, 3])]
for model in (K.models.load_model('compiled'), tf.saved_model.load('compiled')):
    found = model(given)
    assert isinstance(found, (list, tuple)) and len(found) == 2
    for one, wanted in zip(found, two(given)):
        same(one, wanted)
""")


def test_trace_of_a_signature(run: Callable[[str], str]) -> None:
    """A list of examples is in the order of the signature's inputs."""
    run("""
two = K.Model(*(lambda i: (i, L.Subtract()(i)))([K.Input((3,), name='z'), K.Input((3,), name='a')]))
K.models.save_model(two, 'two')
loaded = tf.saved_model.load('two')
signature = loaded.signatures['serving_default']
captured = {inner.name for _value, inner in signature.graph.captures}
order = [one.op.name for one in signature.inputs if one.name not in captured]
feed = {'z': tf.random.uniform([1, 3]), 'a': tf.random.uniform([1, 3])}
listed = [feed[name.removeprefix('serving_default_')] for name in order]
wanted = feed['z'] - feed['a']
same(list(tfn.trace(signature, listed)(*listed).values())[0], wanted)
same(list(tfn.trace(signature, feed)(**feed).values())[0], wanted)
fails(ValueError, lambda: tfn.trace(signature, listed[:1]), 'takes a, z')
""")


def test_saved_inside_something_else(run: Callable[[str], str]) -> None:
    """A compiled model within a serving function, a tf.Module and a keras.Model; Keras' own way to save."""
    run("""
n = tfn.trace(net, x)
@tf.function(input_signature=[tf.TensorSpec([1, 4], name='x')])
def serving(x):
    return {'y': n(x) + 1}
tf.saved_model.save(n, 'served', signatures=serving)
same(tf.saved_model.load('served').signatures['serving_default'](x=x)['y'], plain + 1)
tf.saved_model.save(n, 'function', signatures={'serving_default': n.aws_neuron_function})
same(list(tf.saved_model.load('function').signatures['serving_default'](x).values())[0], plain)
class Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.n = n
    @tf.function(input_signature=[tf.TensorSpec([1, 4])])
    def __call__(self, x):
        return self.n(x) + 1
tf.saved_model.save(Module(), 'module')
same(tf.saved_model.load('module')(x), plain + 1)
K.models.save_model(n, 'keras')
same(K.models.load_model('keras')(x), plain)
""")


def test_the_function_shown_is_its_graph(run: Callable[[str], str]) -> None:
    """``aws_neuron_function``: its tensors are of its graph, which is one NeuronOp, and runs wherever it is imported."""
    run("""
f = tfn.trace(net, x).aws_neuron_function
assert all(one.graph is f.graph for one in [*f.inputs, *f.outputs])
assert sorted(op.type for op in f.graph.get_operations()) == ['IdentityN', 'NeuronOp', 'Placeholder']
with tf.Graph().as_default() as graph:
    tf.import_graph_def(f.graph.as_graph_def(), name='')
    with tf.compat.v1.Session(graph=graph) as session:
        found = session.run(f.outputs[0].name, {f.inputs[0].name: np.ones([1, 4], 'f4')})
same(found, net(tf.ones([1, 4])))
""")


def test_compile_of_older_files(run: Callable[[str], str]) -> None:
    """The arguments of the older call mean what they say, and a signature keeps its name."""
    run("""
v1 = tf.compat.v1
with v1.Session(graph=v1.Graph()) as session:
    given = v1.placeholder(tf.float32, [None, 3], name='given')
    build, info = v1.saved_model.signature_def_utils.build_signature_def, v1.saved_model.utils.build_tensor_info
    signature = build({'x': info(given)}, {'y': info(given * 2)}, 'tensorflow/serving/predict')
    builder = v1.saved_model.builder.SavedModelBuilder('old')
    builder.add_meta_graph_and_variables(session, ['serve'], signature_def_map={'one': signature, 'two': signature})
    builder.save()
four = tf.random.uniform([4, 3])
for number, options in enumerate(({'batch_size': 4}, {'batch_size': 1, 'dynamic_batch_size': True})):
    tfn.saved_model.compile('old', f'new{number}', signature_def_key='two', **options)
    loaded = tf.saved_model.load(f'new{number}')
    assert list(loaded.signatures) == ['two'], list(loaded.signatures)
    same(loaded.signatures['two'](x=four)['y'], four * 2)
fails(ValueError, lambda: tfn.saved_model.compile('old', 'never'), "no signature 'serving_default'")
""")


def test_recurrent_layers_outlive_their_original(run: Callable[[str], str]) -> None:
    """The functions that Keras calls inside are kept, and run on the NCs' CPUs; those that nobody calls do not count."""
    run("""
for layer in (L.LSTM, L.GRU):
    model = K.Sequential([L.Input((8, 8)), layer(5), L.Dense(3)])
    given = tf.random.uniform([1, 8, 8])
    wanted, traced = model(given), tfn.trace(model, given)
    del model
    gc.collect()
    same(traced(given), wanted)
    assert 'own call' not in traced.__dict__['_neuron_placed'].model.why
""")


@pytest.mark.parametrize("flags", ["--extract-weights", "--extract-weights inf1.2xlarge", "--reduce-neff-size --log-level=20"])
def test_flags_that_the_plugin_read(run: Callable[[str], str], flags: str) -> None:
    run(f"""
os.environ['NEURON_CC_FLAGS'] = {flags!r} + ' --dump-prefix=dumped'
import logging
logging.disable()
same(tfn.trace(net, x)(x), plain)
assert os.path.exists('dumped/graph_def.pbtxt')
""")


def test_channels_first(run: Callable[[str], str]) -> None:
    """Models written for accelerators have their channels first, for which TensorFlow has few operators on a CPU."""
    run("""
kernel = tf.random.uniform([5, 5, 3, 6], -0.1, 0.1, tf.float16)  # in float32, some CPUs have them
bias = tf.random.uniform([6], dtype=tf.float16)
def first(image):
    image = tf.nn.conv2d(tf.pad(image, [[0, 0], [0, 0], [2, 2], [2, 2]]), kernel, [1, 1, 2, 2], 'VALID', 'NCHW')
    image = tf.nn.bias_add(image, bias, 'NCHW')
    return tf.nn.avg_pool2d(tf.nn.max_pool2d(image, 3, 2, 'SAME', 'NCHW'), 2, 2, 'VALID', 'NCHW')
def last(image):
    image = tf.nn.conv2d(tf.pad(image, [[0, 0], [2, 2], [2, 2], [0, 0]]), kernel, [1, 2, 2, 1], 'VALID')
    image = tf.nn.bias_add(image, bias)
    return tf.nn.avg_pool2d(tf.nn.max_pool2d(image, 3, 2, 'SAME'), 2, 2, 'VALID')
image = tf.random.uniform([1, 3, 20, 20], dtype=tf.float16)
wanted = tf.transpose(last(tf.transpose(image, [0, 2, 3, 1])), [0, 3, 1, 2])
traced = tfn.trace(first, image)
traced.save('first')
for model in (traced, K.models.load_model('first'), tf.saved_model.load('first')):
    np.testing.assert_allclose(model(image), wanted, rtol=1e-2, atol=1e-2)
""")


def test_learning_phase(run: Callable[[str], str]) -> None:
    """Scripts ask for inference before they build a model; Keras 3 has no such call."""
    run("""
warnings.filterwarnings('ignore', '.*set_learning_phase. is deprecated')  # Keras 2
K.backend.set_learning_phase(0)
traced = tfn.trace(net, x)
same(traced(x), plain)
if K.Model.__module__.startswith('keras'):
    fails(ValueError, lambda: K.backend.set_learning_phase(1), 'training=True')
    neuron_adapters.tf.uninstall()
    assert not hasattr(K.backend, 'set_learning_phase')
""")


def test_a_frozen_signature_keeps_the_call(run: Callable[[str], str]) -> None:
    """How scripts tell that a file is compiled: what is left of its signature when TensorFlow has frozen it."""
    run("""
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
weightless = lambda batch: tf.nn.relu(batch) + tf.nn.sigmoid(batch)
for model, wanted in ((net, plain), (weightless, weightless(x))):
    tfn.trace(model, x).save('compiled')
    signature = tf.saved_model.load('compiled').signatures['serving_default']
    frozen = convert_variables_to_constants_v2(signature)
    assert 'StatefulPartitionedCall' in {op.type for op in frozen.graph.get_operations()}
    same(tf.nest.flatten(frozen(x))[0], wanted)
    same(tf.nest.flatten(signature(x))[0], wanted)
""")


def test_outputs_keep_their_names(run: Callable[[str], str]) -> None:
    """Of a file that is compiled again: also of outputs that differ only by the input that they take, and of integers,
    whose examples may be the same."""
    run("""
for dtype in ('float32', 'int32'):
    base, left, right = (L.Input((3,), dtype=dtype) for _ in range(3))
    adds = [L.Add(), L.Add()]
    K.Model([base, left, right], [adds[0]([base, right]), adds[1]([base, left])]).save('file')
    before = tf.saved_model.load('file').signatures['serving_default']
    specs = before.structured_input_signature[1]
    tfn.saved_model.compile('file', 'compiled')
    after = tf.saved_model.load('compiled').signatures['serving_default']
    given = {name: tf.fill([1, 3], tf.cast(10 ** place, dtype)) for place, name in enumerate(specs)}
    wanted, got = before(**given), after(**given)
    assert set(wanted) == set(got)
    for name in wanted:
        same(got[name], wanted[name])
""")


def test_names_of_tensorflow_1(run: Callable[[str], str]) -> None:
    """They can be imported, and a call says what to do."""
    run("""
from tensorflow.neuron import fuse, graph_util, predictor
from neuron_rt import CompileError
fails(CompileError, lambda: fuse(batch_size=1), 'tensorflow.neuron.trace(func')
fails(CompileError, lambda: graph_util.inference_graph_from_session(None, None), 'saved_model.compile()')
fails(CompileError, lambda: predictor.from_saved_model('folder'), 'call its signature')
assert 'TensorFlow 1' in repr(fuse) and not hasattr(fuse, '__wrapped__')
""")


def test_a_deleted_kernel_waits_for_no_lock(run: Callable[[str], str]) -> None:
    """TensorFlow deletes a NeuronOp while it holds locks, and what the operator has may need them."""
    run("""
from tensorflow.python.eager import wrap_function
graph = tfn.trace(lambda batch: tf.nn.relu(batch) + 1.0, x).aws_neuron_function.graph
function = wrap_function.function_from_graph_def(
    graph.as_graph_def(), [one.name for one in graph.inputs], graph.outputs[0].name)
same(function(x), tf.nn.relu(x) + 1.0)
del function
tf.random.set_seed(1)
""")


def test_an_object_that_keras_wrote_is_called(run: Callable[[str], str]) -> None:
    """tf.saved_model.load(...)(inputs), of one input and of several; Keras 3 has another name for the call."""
    run("""
net.save('one')
same(tf.saved_model.load('one')(x), plain)
inputs = [L.Input((3,)) for _ in range(2)]
two = K.Model(inputs, L.Add()([L.Dense(2)(one) for one in inputs]))
two.save('two')
given = [tf.random.uniform([2, 3]) for _ in inputs]
restored = tf.saved_model.load('two')
same(restored(given), two(given))
assert neuron_adapters.placement(restored)
tf.saved_model.save(tf.Module(), 'none')
assert not callable(tf.saved_model.load('none'))
""")
