"""What is asked after a block of the guide has run."""

import os

import numpy as np

import neuron_adapters


def ask(block):
    """Print which of the models m0 to m3 each model of the block answers as, and its place."""
    if "tf" in block and "TF_USE_LEGACY_KERAS" in os.environ:
        keras = block["tf"].keras
        assert keras.Model.__module__.startswith("tf_keras") and isinstance(block["model0"], keras.Model)
    answers = [np.load("x.npy") @ np.load(f"w{i}.npy").T for i in range(4)]
    for number in range(4):
        if f"model{number}" in block:
            result = block[f"results{number}"]
            result = result[0].asnumpy() if isinstance(result, (list, tuple)) else np.asarray(result)
            which = [np.allclose(result, answer, rtol=1e-3, atol=1e-4) for answer in answers].index(True)
            print(which, *neuron_adapters.placement(block[f"model{number}"]))
