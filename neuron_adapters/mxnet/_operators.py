"""Python's operators on arrays and symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _operator(kind: str, swapped: bool = False) -> Callable[[Any, Any], Any]:
    def apply(self: Any, other: Any) -> Any:
        return self._combined(kind, other, swapped)

    return apply


class Operators:
    """``+``, ``<`` and the others, all by ``_combined``."""

    __slots__ = ()

    def _combined(self, kind: str, other: Any, swapped: bool = False) -> Any:
        """``self`` and ``other``, an object of the same class or a number, combined as MXNet's function ``kind`` does.
        ``swapped``: ``other`` is the left operand."""
        raise NotImplementedError

    __add__, __radd__ = _operator("add"), _operator("add", swapped=True)
    __sub__, __rsub__ = _operator("subtract"), _operator("subtract", swapped=True)
    __mul__, __rmul__ = _operator("multiply"), _operator("multiply", swapped=True)
    __truediv__, __rtruediv__ = _operator("divide"), _operator("divide", swapped=True)
    __mod__, __rmod__ = _operator("modulo"), _operator("modulo", swapped=True)
    __pow__, __rpow__ = _operator("power"), _operator("power", swapped=True)
    __eq__, __ne__ = _operator("equal"), _operator("not_equal")
    __gt__, __ge__ = _operator("greater"), _operator("greater_equal")
    __lt__, __le__ = _operator("lesser"), _operator("lesser_equal")

    #: Comparing makes a new object, so there is nothing to hash by, as in MXNet.
    __hash__: Any = None

    def __neg__(self) -> Any:
        return self._combined("multiply", -1.0)
