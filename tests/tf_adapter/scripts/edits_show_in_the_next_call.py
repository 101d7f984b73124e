"""Random models, edited at random: a loaded model answers as its twin, which was never placed.

Both are read from one file and edited alike. After each edit they are called with several inputs, and give the same
bits, or the same error. ``argv``: seed, number of models."""

import legacy_keras_head
import functools
import random
import sys
import warnings

import numpy as np
import tensorflow as tf

import neuron_adapters
import neuron_adapters.tf
from neuron_adapters.adapter.hooks import original

keras, layers = tf.keras, tf.keras.layers
legacy = not hasattr(keras, "ops")
register = keras.utils.register_keras_serializable(package="edits")
warnings.filterwarnings("ignore", "Layer .* destroy the mask", UserWarning)
SCALE = 1.0


@register
def scaled(x):
    return x * SCALE


class Settings:
    shift = 0.0


@register
class Scaled(layers.Layer):
    """Reads what a layer may read: attributes of any kind, a function, a global number, another layer."""

    def __init__(self, factor=1.0, **more):
        super().__init__(**more)
        self.factor, self.factors, self.by_name = factor, [1.0, 2.0], {"a": 1.0, "b": [0.5]}
        self.settings, self.array, self.finish = Settings(), np.ones(3, "f4"), abs
        self.inner = layers.Activation("relu")

    def build(self, shape):
        super().build(shape)

    def call(self, x, training=None):
        x = x * self.factor + self.factors[0] + self.factors[-1] + self.by_name["a"] + self.by_name["b"][0]
        x = x + self.settings.shift + float(self.array[1]) + SCALE
        return self.inner(-x if training else x) + self.helper(x)

    def helper(self, x):
        return self.finish(0.25 * x)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@register
class Simple(layers.Layer):
    """Reads numbers, and layers, of its own."""

    def __init__(self, factor=1.0, **more):
        super().__init__(**more)
        self.factor, self.parts = factor, [1.0, 2.0]
        self.inner = layers.Activation("tanh")

    def build(self, shape):
        super().build(shape)

    def call(self, x):
        return self.inner(x) * self.factor + self.parts[0] * self.extra()

    def extra(self):
        return self.parts[1] + self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@register
class Subclassed(keras.Model):
    """A model of its own, of which the output is chosen by a Python attribute."""

    def __init__(self, **more):
        super().__init__(**more)
        self.first, self.second = layers.Dense(6, "relu"), layers.Dense(6)
        self.simple, self.use_second, self.order = Simple(), True, ["first", "second"]

    def call(self, x, training=None):
        for name in self.order:
            if name == "first" or self.use_second:
                x = getattr(self, name)(x)
        return self.simple(x)

    def get_config(self):
        return {}


def body(rng):
    """Layers that keep six features."""
    kinds = [
        lambda: layers.Dense(6, rng.choice(["relu", "tanh", None])),
        lambda: layers.LayerNormalization(),
        lambda: layers.BatchNormalization(),
        lambda: layers.Dropout(0.3),
        lambda: layers.Activation("sigmoid"),
        lambda: layers.Rescaling([1.0, 2.0, 1.0, 2.0, 1.0, 2.0], 0.5) if legacy else layers.Rescaling(2.0, 0.5),
        lambda: layers.Lambda(scaled),
        lambda: layers.ReLU(max_value=3.0),
        lambda: Scaled(rng.choice([1.0, 2.0])),
        lambda: Simple(rng.choice([1.0, 2.0])),
        lambda: keras.Sequential([keras.Input((6,)), layers.Dense(6), layers.Softmax()]),
    ]
    # Most models are of Keras' own layers only.
    own = [kind for index, kind in enumerate(kinds) if index not in (6, 8)]
    return [rng.choice(own if rng.random() < 0.8 else kinds)() for _ in range(rng.randint(1, 4))]


def sequential(rng):
    return keras.Sequential([keras.Input((6,)), *body(rng)])


def functional(rng):
    x = inputs = keras.Input((6,))
    for layer in body(rng):
        x = layer(x)
        if rng.random() < 0.3:
            x = layers.Add()([x, inputs])
    if rng.random() < 0.3:
        sequence = layers.Reshape((3, 2))(x)
        sequence = layers.LSTM(2, return_sequences=True)(sequence)
        if rng.random() < 0.5:
            sequence = layers.MultiHeadAttention(1, 2)(sequence, sequence)
        x = layers.Flatten()(layers.TimeDistributed(layers.Dense(2))(sequence))
    return keras.Model(inputs, x if rng.random() < 0.5 else x * 2.0)


def subclassed(rng):
    model = Subclassed()
    model(tf.ones((1, 6)))
    return model


def everything(model):
    """The model's layers and those within, in order."""
    flat = model._flatten_layers(include_self=False, recursive=True)
    return list(flat)


def pick(rng, model, *kinds):
    chosen = [layer for layer in everything(model) if isinstance(layer, kinds)]
    return rng.choice(chosen) if chosen else None


def edit_structure(rng, model):
    if isinstance(model, keras.Sequential):
        if rng.random() < 0.5 and len(model.layers) > 1:
            model.pop()
        else:
            model.add(rng.choice([layers.Softmax, layers.ReLU])(name=f"added_{rng.randint(0, 10**6)}"))


def edit_activation(rng, model):
    layer = pick(rng, model, layers.Dense, layers.Activation, layers.LSTM if rng.random() < 0.2 else layers.Dense)
    known = [keras.activations.sigmoid, keras.activations.softplus, tf.nn.elu, tf.cos]
    mine = [scaled, lambda x: x + SCALE, tf.function(lambda x: x - 1.0, autograph=False), functools.partial(scaled)]
    new = rng.choice(known if rng.random() < 0.7 else mine)
    if layer is not None and not isinstance(layer, layers.LSTM):
        layer.activation = new


def edit_numbers(rng, model):
    for kind, name, values in (
        (layers.LayerNormalization, "epsilon", [0.1, 1.0]),
        (layers.BatchNormalization, "epsilon", [0.1, 1.0]),
        (layers.BatchNormalization, "scale", [False, True]),
        (layers.Rescaling, "offset", [3.0, 0.0]),
        (layers.ReLU, "max_value", [1.0, 2.0, None]),
        (layers.Dropout, "rate", [0.5]),
        (layers.Dense, "use_bias", [False, True]),
        (layers.Lambda, "function", [tf.sin, scaled]),
        ((Scaled, Simple), "factor", [0.5, 3.0]),
        (Subclassed, "use_second", [False, True]),
    ):
        layer = model if isinstance(model, kind) else pick(rng, model, kind)
        value = rng.choice(values)
        if layer is not None and rng.random() < 0.6:
            setattr(layer, name, value)


def edit_inside(rng, model):
    """Change what attributes hold, without setting one."""
    for layer in everything(model):
        if isinstance(layer, Scaled):
            which = rng.randint(0, 5)
            if which == 0:
                layer.factors[0] += 1.0
            elif which == 1:
                layer.by_name["b"][0] += 1.0
            elif which == 2:
                layer.settings.shift += 1.0
            elif which == 3:
                layer.array[1] += 1.0
            elif which == 4:
                layer.by_name.update(a=4.0)
            else:
                layer.factors.append(5.0)
        elif isinstance(layer, Simple):
            layer.parts[rng.randint(0, 1)] = rng.choice([0.5, 4.0])
        elif isinstance(layer, layers.LayerNormalization) and isinstance(layer.axis, list) and rng.random() < 0.3:
            layer.axis[0] = -1 if layer.axis[0] != -1 else 1
        elif legacy and isinstance(layer, layers.Rescaling) and isinstance(layer.scale, list):
            layer.scale[0] += 1.0
    if isinstance(model, Subclassed):
        model.order.reverse()


def edit_sublayer(rng, model):
    layer = pick(rng, model, Scaled, Simple)
    if layer is not None:
        new = layers.Activation(rng.choice(["elu", "softplus"]))
        try:
            layer.inner = new
        except ValueError:  # Keras 3 locks the layer
            layer._tracker.unlock()
            layer.inner = new


def edit_variable(rng, model):
    layer = pick(rng, model, layers.Dense)
    if layer is None:
        return
    seed = rng.randint(0, 99)
    value = np.random.default_rng(seed).random(tuple(layer.kernel.shape), "f4")
    if rng.random() < 0.5:
        layer.kernel.assign(value)
    elif legacy:
        layer.kernel = tf.Variable(value)
    elif hasattr(layer, "_kernel"):
        layer._tracker.unlock()
        layer._kernel = keras.Variable(value)
    else:
        layer.kernel._value = tf.Variable(value)


def edit_precision(rng, model):
    layer = pick(rng, model, layers.Dense, layers.LayerNormalization)
    if layer is None or layer.compute_dtype != "float32":
        return
    if legacy:
        layer._set_dtype_policy("float64" if rng.random() < 0.5 else "mixed_bfloat16")
    elif isinstance(layer, layers.Dense) and rng.random() < 0.5:
        layer.quantize("int8")
    elif isinstance(layer, layers.Dense) and rng.random() < 0.5:
        layer.enable_lora(2)
        layer.lora_kernel_b.assign(np.ones(tuple(layer.lora_kernel_b.shape), "f4"))
    else:
        layer.dtype_policy = rng.choice(["mixed_bfloat16", "float16", "float32"])


def edit_call(rng, model):
    layer = pick(rng, model, layers.Dense, layers.Activation, layers.Dropout)
    if layer is None:
        return
    if rng.random() < 0.5:
        layer.call = lambda x, *args, **more: x * 1.5
    else:
        layer.input_spec = layers.InputSpec(ndim=2) if layer.input_spec is None else None


def edit_class(rng, model):
    global SCALE
    SCALE = rng.choice([1.0, 2.0, 3.0])
    if rng.random() < 0.3:
        kind, own = layers.ReLU, layers.ReLU.call
        kind.call = lambda self, x: own(self, x) * 2.0
        undo.append(lambda: setattr(kind, "call", own))
    if rng.random() < 0.3:
        own_helper = Simple.extra
        Simple.extra = lambda self: self.parts[1] - self.factor
        undo.append(lambda: setattr(Simple, "extra", own_helper))


def edit_flags(rng, model):
    model.trainable = not model.trainable
    layer = pick(rng, model, layers.BatchNormalization, layers.Dropout, layers.Dense)
    if layer is not None:
        layer.trainable = not layer.trainable


def train(rng, model):
    if not deterministic(model):
        return
    seed = rng.randint(0, 99)
    x = np.random.default_rng(seed).random((8, 6), "f4")
    model.compile("sgd", "mse", run_eagerly=True)
    model.train_on_batch(x, 0.5 * np.asarray(original_call(model)(x)))


class Outer(layers.Layer):
    """Calls a model within a call of its own."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def call(self, x, training=None):
        return self.model(x) * 2.0


def original_call(model):
    return lambda x: original(type(model).__call__)(model, x)


def answers(model, x):
    """What a model says to several calls."""
    said = []
    for call in (
        lambda: model(x),
        lambda: model(x, training=False),
        lambda: model(np.asarray(x)),
        lambda: Outer(model)(x),
        lambda: deterministic(model) and Outer(model)(x, training=True),
    ):
        try:
            said.append(call())
        except Exception as error:
            said.append((type(error).__name__, str(error).partition("\n")[0]))
    return said


def deterministic(model):
    return not any(isinstance(layer, layers.Dropout) and layer.rate for layer in everything(model))


def same(left, right):
    if isinstance(left, tuple) or isinstance(right, tuple) or left is False:
        return left == right
    return left.dtype == right.dtype and left.shape == right.shape and left.numpy().tobytes() == right.numpy().tobytes()


EDITS = [
    edit_structure, edit_structure, edit_activation, edit_activation, edit_numbers, edit_numbers, edit_inside,
    edit_inside, edit_sublayer, edit_variable, edit_precision, edit_call, edit_class, edit_flags, train,
]  # fmt: skip
undo = []
seed, count = int(sys.argv[1]), int(sys.argv[2])
as_graph = 0
for number in range(seed, seed + count):
    rng = random.Random(number)
    keras.utils.set_random_seed(number)
    SCALE = 1.0
    make = rng.choice([sequential, sequential, functional, functional, subclassed])
    make(rng).save("m.keras")
    placed = keras.models.load_model("m.keras", safe_mode=False)
    twin = original(keras.models.load_model)("m.keras", safe_mode=False)
    assert neuron_adapters.placement(placed) and not neuron_adapters.placement(twin)
    x = tf.constant(np.random.default_rng(number).random((2, 6), "f4"))
    done = ["loaded"]
    for step in range(5):
        if step:
            edit, choice = rng.choice(EDITS), rng.random()
            done.append(edit.__name__)
            outcomes = []
            for model in (placed, twin):
                keras.utils.set_random_seed(step)
                if edit is edit_class and model is twin:
                    continue
                try:
                    edit(random.Random(choice), model)
                    outcomes.append(None)
                except Exception as error:
                    outcomes.append(f"{type(error).__name__}: {error}"[:80])
            assert len({str(outcome).partition("0x")[0] for outcome in outcomes}) == 1, (number, done, outcomes)
        expected, actual = answers(twin, x), answers(placed, x)
        for index, (before, after) in enumerate(zip(expected, actual)):
            assert same(before, after), (number, make.__name__, done, index, before, after)
    as_graph += bool(vars(placed)["_neuron_placed"]._kinds)
    while undo:
        undo.pop()()
print(as_graph)
