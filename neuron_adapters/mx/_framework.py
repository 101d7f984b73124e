"""The frameworks that this adapter serves: the real mxnet where it is imported, and ``neuron_adapters.mxnet``."""

from __future__ import annotations

import sys
from typing import Any

from neuron_rt import PlainFramework

#: No threads of ours compute that would have to be held back.
FRAMEWORK = PlainFramework()
KIND = "mx"


def loaded_mxnet() -> Any:
    """Mxnet where it is imported, None where it is not, or where this package goes by its name."""
    found = sys.modules.get("mxnet")
    return found if getattr(found, "__name__", "") == "mxnet" else None
