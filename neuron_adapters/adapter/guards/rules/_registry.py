"""The engine's operators that answer as a framework's, and on which values they do.

A rule says which values come out of an operator, from those that go in. It asks for a guard where the operator agrees
with the framework on some values alone, such as indexes in their table, and refuses the operator where no guard can
help. An operator without a rule is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from neuron_adapters.adapter.guards._values import Value
from neuron_rt import CompileError


class Op(Protocol):
    """An operator of the graph under examination, as its rule sees it."""

    type: str
    ins: list[Value]

    def is_float(self, index: int = 0) -> bool:
        """Whether input ``index`` has floating-point numbers."""

    def shape(self, index: int = 0) -> tuple[int, ...]:
        """The shape of input ``index``."""

    def out_shape(self, index: int = 0) -> tuple[int, ...]:
        """The shape of output ``index``."""

    def out_type(self) -> str:
        """The element type of output 0."""

    def used(self, index: int) -> bool:
        """Whether anything reads output ``index``."""

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute of the operator."""

    def constant(self, index: int) -> Any:
        """The array of input ``index``; None where that is not a constant."""

    def bound(self, index: int, lo: float, hi: float) -> Value:
        """The values of input ``index``, with a guard that all are in [``lo``, ``hi``] where that is not known."""

    def keep_inside(self, index: int, count: int) -> None:
        """Let the operator itself see no index of input ``index`` outside of ``count`` rows: it would fail."""

    def parts(self, index: int, count: int) -> None:
        """Guard the parts of input ``index``, which indexes ``count`` rows, where it is a sum of them."""

    def apart(self, index: int) -> None:
        """Ask for a guard that no number of input ``index`` is near zero, for the size of the graph's inputs."""

    def normal(self, index: int) -> None:
        """Ask for a guard that no number of input ``index``, if those are floats, is denormal."""

    def varied(self, index: int, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
        """Ask for a guard that the numbers of input ``index``, in ``shape``, are not nearly equal along ``axes``."""

    def varied_inputs(self) -> None:
        """Ask for a guard that no channel of a picture or a sound among the graph's inputs is uniform: then all places
        of what convolutions make of it are equal."""

    def some_in_each_row(self, index: int, axis: int) -> None:
        """Ask for a guard that input ``index`` is not minus infinity, or false, all along ``axis``."""


Rule = Callable[[Op], "Value | list[Value]"]
RULES: dict[str, Rule] = {}
#: Operators that take minus infinity as the frameworks do.
TAKE_MASKS = {"Add", "Convert", "Maximum", "Minimum", "Result", "ScaledDotProductAttention", "Select", "Softmax"}


def rule(*types: str, masks: bool = False) -> Callable[[Rule], Rule]:
    """Register a function as the rule of operators. ``masks``: they take minus infinity as the frameworks do."""

    def add(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(types, function))
        if masks:
            TAKE_MASKS.update(types)
        return function

    return add


def exactly(op: Op, *indexes: int) -> None:
    """Refuse an operator that decides by numbers which the engine computed: the last bit may turn the decision. Whether
    a denormal number is zero depends on the thread in some frameworks."""
    for index in indexes or range(len(op.ins)):
        if not op.ins[index].exact:
            raise CompileError(f"{op.type} decides by computed numbers, of which the last bit may differ")
        op.normal(index)


def steadily(op: Op, index: int) -> None:
    """Guard a function that is NaN or infinite at zero. Where a difference has left rounding errors alone, as in the
    variance of equal numbers, the framework may have computed zero and the engine not."""
    if not op.ins[index].steady:
        op.apart(index)


def is_accurate(op: Op, *, summed: bool = False) -> bool:
    """Whether products, or sums, of the inputs have no more than last bits wrong: each alone, and sums of numbers that
    are exact, or of one sign."""
    if not all(value.steady for value in op.ins[:2]):
        return False
    return not summed or all(value.exact for value in op.ins[:2]) or all(value.lo >= 0 for value in op.ins[:2])


def floats(op: Op) -> None:
    """Refuse an operator on integers."""
    if not op.is_float():
        raise CompileError(f"{op.type} of integers is not the framework's in all cases")
