"""What a script may ask for by name, and which adapter answers. Read at the start of every Python under ``neuron-run``:
nothing is imported here but names."""

from __future__ import annotations

from neuron_adapters.adapter import versions

#: Frameworks, and their adapters.
FRAMEWORKS = {
    "torch": "neuron_adapters.torch",
    "tensorflow": "neuron_adapters.tf",
    "mxnet": "neuron_adapters.mx",
}
#: What tells a framework from a file of the script's own that has its name.
MARKS = {"torch": "jit", "tensorflow": "saved_model", "mxnet": "symbol"}

#: A framework whose import may be part of another's: it is hooked when the last of these is complete.
TOGETHER = {"tensorflow": ("tensorflow", "keras", "tf_keras")}

#: Import names that an adapter provides where no installed package does. ``torch.neuron``, ``tensorflow.neuron`` and
#: what is below all of them are there as soon as the adapter is.
PROVIDED = {
    "torch_neuron": "neuron_adapters.torch",
    "torch_neuronx": "neuron_adapters.torch",
    "tensorflow_neuron": "neuron_adapters.tf",
    "tensorflow_neuronx": "neuron_adapters.tf",
    "mx_neuron": "neuron_adapters.mx",
    "mxnet": "neuron_adapters.mx",
}
#: Modules that go by a second name, with all that is below them.
TWINS = {"mxnet": "neuron_adapters.mx"}

#: Distributions that ``importlib.metadata`` knows under ``neuron-run``, and their versions.
DISTRIBUTIONS = {
    "torch-neuron": versions.TORCH_NEURON,
    "torch-neuronx": versions.TORCH_NEURONX,
    "tensorflow-neuron": versions.TENSORFLOW_NEURON,
    "tensorflow-neuronx": versions.TENSORFLOW_NEURON,
    "mx-neuron": versions.MX_NEURON,
    "neuron-cc": versions.NEURON_CC,
    "neuronx-cc": versions.NEURONX_CC,
}
