"""Python's operators on arrays and symbols, and what MXNet calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

#: Functions that MXNet's operators call by another word.
_SHORT = {"subtract": "sub", "multiply": "mul", "divide": "div", "modulo": "mod"}
_OF_SCALARS = {**_SHORT, "add": "plus", "subtract": "minus"}
#: Functions that have a second operator, for a number as the left operand.
ORDERED = ("subtract", "divide", "modulo", "power")


def broadcast_name(kind: str) -> str:
    """Return MXNet's operator for the function ``kind`` of two arrays."""
    return f"broadcast_{_SHORT.get(kind, kind)}"


def elementwise_name(kind: str) -> str:
    """Return MXNet's operator for two arrays of one shape."""
    word = _SHORT.get(kind, kind)
    return f"elemwise_{word}" if word in ("add", "sub", "mul", "div") else f"_{word}"


def scalar_name(kind: str, swapped: bool = False) -> str:
    """Return MXNet's operator for an array and a number. ``swapped``: the number is the left operand."""
    return f"_{'r' if swapped and kind in ORDERED else ''}{_OF_SCALARS.get(kind, kind)}_scalar"


#: Functions that deep NumPy's operators call by another word, and the mirrored ones of comparisons.
_NUMPY = {"modulo": "mod", "divide": "true_divide", "lesser": "less", "lesser_equal": "less_equal"}
_MIRRORED = {"greater": "lesser", "lesser": "greater", "greater_equal": "lesser_equal", "lesser_equal": "greater_equal"}


def numpy_names(kind: str, swapped: bool = False) -> tuple[str, str]:
    """Return deep NumPy's operators for two arrays, and for an array and a number. ``swapped``: the number is the left
    operand."""
    of_scalar = _MIRRORED.get(kind, kind) if swapped else kind
    reverse = "r" if swapped and kind in ORDERED else ""
    return f"_npi_{_NUMPY.get(kind, kind)}", f"_npi_{reverse}{_NUMPY.get(of_scalar, of_scalar)}_scalar"


def _operator(kind: str, swapped: bool = False) -> Callable[[Any, Any], Any]:
    def apply(self: Any, other: Any) -> Any:
        return self._combined(kind, other, swapped)

    return apply


class Operators:
    """``+``, ``<`` and the others, all by ``_combined``."""

    __slots__ = ()

    def _combined(self, kind: str, other: Any, swapped: bool = False) -> Any:
        """Apply MXNet's function ``kind`` to ``self`` and ``other``, an object of the same class or a number.
        ``swapped``: ``other`` is the left operand."""
        raise NotImplementedError

    if TYPE_CHECKING:  # what the assignments below come to

        def __add__(self, other: Any) -> Self: ...
        def __radd__(self, other: Any) -> Self: ...
        def __sub__(self, other: Any) -> Self: ...
        def __rsub__(self, other: Any) -> Self: ...
        def __mul__(self, other: Any) -> Self: ...
        def __rmul__(self, other: Any) -> Self: ...
        def __truediv__(self, other: Any) -> Self: ...
        def __rtruediv__(self, other: Any) -> Self: ...
        def __mod__(self, other: Any) -> Self: ...
        def __rmod__(self, other: Any) -> Self: ...
        def __pow__(self, other: Any) -> Self: ...
        def __rpow__(self, other: Any) -> Self: ...
        def __eq__(self, other: object) -> Self: ...  # type: ignore[override]
        def __ne__(self, other: object) -> Self: ...  # type: ignore[override]
        def __gt__(self, other: Any) -> Self: ...
        def __ge__(self, other: Any) -> Self: ...
        def __lt__(self, other: Any) -> Self: ...
        def __le__(self, other: Any) -> Self: ...
    else:
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

    def __neg__(self) -> Self:
        negative: Self = self._combined("multiply", -1.0)
        return negative
