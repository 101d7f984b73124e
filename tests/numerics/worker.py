"""A process that examines a part of the table."""

from __future__ import annotations

import os
import tempfile
import warnings

from .outcome import Outcome


def start() -> None:
    """Set up a process that examines cases."""
    for name in [name for name in os.environ if name.startswith("NEURON")]:
        del os.environ[name]
    os.environ["NEURON_ADAPTERS_ENGINE"] = "openvino"
    os.environ["NEURON_ADAPTERS_STATE_DIR"] = tempfile.mkdtemp()
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)


def examined(index: int) -> Outcome:
    """What comes of a case of the table."""
    from .torch_side import examine
    from .torch_table import cases

    return examine(list(cases())[index])
