"""What comes out of each of the engine's operators, and on which values it answers as a framework's does.

Each file has a family of operators. An operator without a rule is refused.
"""

from __future__ import annotations

from neuron_adapters.adapter.guards.rules import arithmetic, choosing, functions, moving, norms, products  # noqa: F401
from neuron_adapters.adapter.guards.rules._registry import RULES, TAKE_MASKS, Op

__all__ = ["RULES", "TAKE_MASKS", "Op"]
