"""Opens a compiled module as something to run, whatever kind of module it is."""

from __future__ import annotations

import torch

from neuron_adapters.torch._artifact import WEIGHTS, Artifact
from neuron_adapters.torch._buckets import Buckets, has_buckets
from neuron_adapters.torch._executable import Executable
from neuron_adapters.torch._separate import Separated


def open_executable(module: torch.jit.ScriptModule, artifact: Artifact, choice: str, source: str) -> Executable:
    """The executable of a module that was compiled, maybe elsewhere. ``choice``: NEURON_ADAPTERS_ENGINE.

    Raises NeuronConfigError where the engine is asked for and not installed, ArtifactError where buckets are damaged.
    """
    if has_buckets(module):
        return Buckets(module, artifact, choice, source)
    kind = Separated if module._c.hasattr(WEIGHTS) else Executable
    return kind.open(module, artifact, choice, source)
