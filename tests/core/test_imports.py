"""The core knows no framework, at run time as well."""

from __future__ import annotations

import subprocess
from collections.abc import Callable


def test_the_core_imports_no_framework(start: Callable[..., subprocess.Popen[str]]) -> None:
    """Not even NumPy, and nothing at first use either."""
    snippet = """
import sys, neuron_rt
neuron_rt.init()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "tensorflow", "keras", "mxnet", "numpy"}))
"""
    out, err = start(snippet).communicate(timeout=60)
    assert (out, err) == ("[]\n", "")
