"""The frameworks that this adapter serves: the real mxnet where it is imported, and ``neuron_adapters.mxnet``."""

from __future__ import annotations

import sys
from typing import Any

from neuron_rt import PlainFramework

#: No thread computes outside the engine, so there are none to hold back.
FRAMEWORK = PlainFramework()
KIND = "mx"


def loaded_mxnet() -> Any:
    """Return the real mxnet where it is imported; None where it is not, or where this package goes by its name."""
    module = sys.modules.get("mxnet")
    return module if getattr(module, "__name__", "") == "mxnet" else None
