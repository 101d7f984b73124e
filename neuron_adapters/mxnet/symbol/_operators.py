"""Python's operators on symbols, and what MXNet calls them."""

from __future__ import annotations

from typing import Any

#: Of two symbols: MXNet's operator, and the name, less the number, that its node gets.
OPERATORS = {
    "add": ("elemwise_add", "_plus"),
    "sub": ("elemwise_sub", "_minus"),
    "mul": ("elemwise_mul", "_mul"),
    "div": ("elemwise_div", "_div"),
    "mod": ("_mod", "_mod"),
    "pow": ("_power", "_power"),
    "maximum": ("_maximum", "_maximum"),
    "minimum": ("_minimum", "_minimum"),
    "hypot": ("_hypot", "_hypot"),
    **{name: (f"_{name}", f"_{name}") for name in ("equal", "not_equal", "greater", "lesser")},
    **{name: (f"_{name}", f"_{name}") for name in ("greater_equal", "lesser_equal")},
}
#: Of a symbol and a number.
SCALAR_OPERATORS = {
    "add": ("_plus_scalar", "_plusscalar"),
    "sub": ("_minus_scalar", "_minusscalar"),
    "rsub": ("_rminus_scalar", "_rminusscalar"),
    "mul": ("_mul_scalar", "_mulscalar"),
    "div": ("_div_scalar", "_divscalar"),
    "rdiv": ("_rdiv_scalar", "_rdivscalar"),
    "mod": ("_mod_scalar", "_modscalar"),
    "rmod": ("_rmod_scalar", "_rmodscalar"),
    "pow": ("_power_scalar", "_powerscalar"),
    "rpow": ("_rpower_scalar", "_rpower_scalar"),
    "maximum": ("_maximum_scalar", "_maximumscalar"),
    "minimum": ("_minimum_scalar", "_minimumscalar"),
    "hypot": ("_hypot_scalar", "_hypotscalar"),
    **{name: (f"_{name}_scalar", f"_{name}_scalar") for name in ("equal", "not_equal", "greater", "lesser")},
    **{name: (f"_{name}_scalar", f"_{name}_scalar") for name in ("greater_equal", "lesser_equal")},
}


class Operators:
    """``+``, ``<`` and the others."""

    __slots__ = ()

    #: Comparing makes a Symbol, so there is nothing to hash by, as in MXNet.
    __hash__: Any = None

    def _combined(self, kind: str, other: Any) -> Any:
        """A new symbol, of it and another or a number."""
        raise NotImplementedError

    def _absolute(self) -> Any:
        """A new symbol."""
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        return self._combined("add", other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self._combined("sub", other)

    def __rsub__(self, other: Any) -> Any:
        return self._combined("rsub", other)

    def __mul__(self, other: Any) -> Any:
        return self._combined("mul", other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self._combined("div", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._combined("rdiv", other)

    def __mod__(self, other: Any) -> Any:
        return self._combined("mod", other)

    def __rmod__(self, other: Any) -> Any:
        return self._combined("rmod", other)

    def __pow__(self, other: Any) -> Any:
        return self._combined("pow", other)

    def __rpow__(self, other: Any) -> Any:
        return self._combined("rpow", other)

    def __neg__(self) -> Any:
        return self._combined("mul", -1.0)

    def __abs__(self) -> Any:
        return self._absolute()

    def __eq__(self, other: object) -> Any:
        return self._combined("equal", other)

    def __ne__(self, other: object) -> Any:
        return self._combined("not_equal", other)

    def __gt__(self, other: Any) -> Any:
        return self._combined("greater", other)

    def __ge__(self, other: Any) -> Any:
        return self._combined("greater_equal", other)

    def __lt__(self, other: Any) -> Any:
        return self._combined("lesser", other)

    def __le__(self, other: Any) -> Any:
        return self._combined("lesser_equal", other)
