"""Operators with attributes and inputs: what the real MXNet and the translation must agree on.

Imported by both interpreters; it knows neither framework. A case's name counts the earlier cases of its operator, and
seeds its inputs: the order of the files counts.
"""

import cases_arrays  # noqa: F401
import cases_layers  # noqa: F401
import cases_regions  # noqa: F401
from drawing import CASES

__all__ = ["CASES"]
