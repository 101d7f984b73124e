from damaged_head import data, most
import warnings

import collections
import random
import sys
from pathlib import Path
from damage import damaged
from neuron_rt import NeuronError

seed, count = map(int, sys.argv[1:])
warnings.simplefilter("ignore")
import shutil
import numpy as np
import tensorflow as tf
import neuron_adapters.tf
import neuron_adapters

rng = random.Random(seed)
shutil.copytree(data / "tensorflow" / "simple" / "1", "m")
whole = {
    name: Path("m", name).read_bytes()
    for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")
}
x = tf.constant([[1.0, 2.0, 5.0]])
outcomes = collections.Counter()
for number in range(count):
    name = "saved_model.pb" if number % 8 else rng.choice(list(whole))
    for other, body in whole.items():
        Path("m", other).write_bytes(damaged(body, rng) if other == name else body)
    load = tf.saved_model.load if number % 2 else tf.keras.models.load_model
    try:
        model = load("m")
    except (NeuronError, tf.errors.OpError, ValueError, OSError) as error:
        assert 0 < len(str(error)) < 5000, error
        outcomes["refused"] += 1
        continue
    try:
        result = np.asarray(model(x) if number % 4 else next(iter(model.signatures.values()))(x)["output_1"])
        outcomes["right" if np.allclose(result, [[-6.2512, 0.35495782, 6.324997]], atol=1e-4) else "other weights"] += 1
    except (NeuronError, tf.errors.OpError, ValueError, TypeError, KeyError, StopIteration, AttributeError):
        outcomes["at the call"] += 1
    neuron_adapters.unload(model)
    del model
assert outcomes["refused"] > count // 5 and outcomes["right"] > count // 10, outcomes
assert most() < 1500, most()
print("whole", dict(outcomes) if count > 1000 else "")
