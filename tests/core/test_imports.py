"""What the core imports, and who imports what of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable


def test_the_core_imports_no_framework(start: Callable[..., subprocess.Popen[str]]) -> None:
    """Not even NumPy, and nothing at first use either."""
    out, err = start("the_core_imports_no_framework.py").communicate(timeout=60)
    assert (out, err) == ("[]\n", "")
