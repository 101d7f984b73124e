"""Python's operators on arrays, by the names in ``_arithmetic``."""

from __future__ import annotations

from typing import Any


class Operators:
    """``+``, ``<``, ``+=`` and the others."""

    __slots__ = ()

    def _binary(self, name: str, other: Any, swapped: bool = False) -> Any:
        """A new array."""
        raise NotImplementedError

    def _in_place(self, name: str, other: Any) -> Any:
        """The array itself."""
        raise NotImplementedError

    def _absolute(self) -> Any:
        """A new array."""
        raise NotImplementedError

    __hash__: Any = None

    def __add__(self, other: Any) -> Any:
        return self._binary("add", other)

    def __radd__(self, other: Any) -> Any:
        return self._binary("add", other, swapped=True)

    def __iadd__(self, other: Any) -> Any:
        return self._in_place("add", other)

    def __sub__(self, other: Any) -> Any:
        return self._binary("subtract", other)

    def __rsub__(self, other: Any) -> Any:
        return self._binary("subtract", other, swapped=True)

    def __isub__(self, other: Any) -> Any:
        return self._in_place("subtract", other)

    def __mul__(self, other: Any) -> Any:
        return self._binary("multiply", other)

    def __rmul__(self, other: Any) -> Any:
        return self._binary("multiply", other, swapped=True)

    def __imul__(self, other: Any) -> Any:
        return self._in_place("multiply", other)

    def __truediv__(self, other: Any) -> Any:
        return self._binary("divide", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._binary("divide", other, swapped=True)

    def __itruediv__(self, other: Any) -> Any:
        return self._in_place("divide", other)

    def __mod__(self, other: Any) -> Any:
        return self._binary("modulo", other)

    def __rmod__(self, other: Any) -> Any:
        return self._binary("modulo", other, swapped=True)

    def __imod__(self, other: Any) -> Any:
        return self._in_place("modulo", other)

    def __pow__(self, other: Any) -> Any:
        return self._binary("power", other)

    def __rpow__(self, other: Any) -> Any:
        return self._binary("power", other, swapped=True)

    def __ipow__(self, other: Any) -> Any:
        return self._in_place("power", other)

    def __neg__(self) -> Any:
        return self._binary("multiply", -1)

    def __abs__(self) -> Any:
        return self._absolute()

    def __eq__(self, other: object) -> Any:
        return self._binary("equal", other)

    def __ne__(self, other: object) -> Any:
        return self._binary("not_equal", other)

    def __gt__(self, other: Any) -> Any:
        return self._binary("greater", other)

    def __ge__(self, other: Any) -> Any:
        return self._binary("greater_equal", other)

    def __lt__(self, other: Any) -> Any:
        return self._binary("lesser", other)

    def __le__(self, other: Any) -> Any:
        return self._binary("lesser_equal", other)
