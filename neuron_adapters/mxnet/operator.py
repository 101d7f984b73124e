"""``mx.operator``: operators that scripts write in Python, and questions about those that there are.

A class derived from ``CustomOpProp`` says what an operator takes and gives; ``register`` gives it a name, by which
``mx.nd.Custom(x, op_type="name")`` and ``mx.sym.Custom`` call it. Its ``CustomOp`` computes, on NDArrays. NumPy runs a
graph with such a node, since the engine cannot leave its graph for Python. ``backward`` is never called.
"""

from __future__ import annotations

import ctypes  # scripts take it from here, by a star
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, TypeVar

from neuron_adapters.mxnet._errors import UnregisteredError
from neuron_adapters.mxnet._signatures import called
from neuron_adapters.mxnet._training import missing_names, refuse_gradient, refuse_missing
from neuron_adapters.mxnet.base import (  # scripts take most of them from here, by a star
    MXNetError,
    NDArrayHandle,
    OpHandle,
    c_array,
    c_str,
    check_call,
    mx_float,
    mx_int,
    mx_uint,
    py_str,
)
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = [
    "CustomOp", "CustomOpProp", "NDArray", "NDArrayHandle", "OpHandle", "OperatorArguments", "c_array", "c_str",
    "check_call", "ctypes", "get_all_registered_operators", "get_all_registered_operators_grouped",
    "get_operator_arguments", "mx_float", "mx_int", "mx_uint", "prop_of", "py_str", "register",
]  # fmt: skip

Shape = Sequence[int]
Kind = TypeVar("Kind", bound=type)

_registry: dict[str, Callable[..., CustomOpProp]] = {}


class CustomOp:
    """What an operator computes. One is made for each executor, and for each call of ``mx.nd.Custom``."""

    def forward(
        self,
        is_train: bool,
        req: list[str],
        in_data: list[NDArray],
        out_data: list[NDArray],
        aux: list[NDArray],
    ) -> None:
        """Write to ``out_data``, by ``assign``. ``is_train`` is False, and ``req`` "write" for each output."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def backward(self, *_args: Any, **_keywords: Any) -> Any:
        """Refuse: there are no gradients. Nothing here calls it."""
        refuse_gradient(f"{type(self).__name__}.backward()")

    def assign(self, dst: NDArray, req: str, src: Any) -> None:
        """Write ``src``, an array or a number, to ``dst``: as ``req`` says "write", "inplace", "add" or "null"."""
        if req in ("write", "inplace"):
            dst[:] = src
        elif req == "add":
            dst[:] += src


class CustomOpProp:
    """What an operator takes and gives. ``need_top_grad`` matters to gradients only. What ``mx.sym.Custom`` is given
    besides its inputs are the constructor's arguments, as text."""

    def __init__(self, need_top_grad: bool = True) -> None:
        self.need_top_grad_ = need_top_grad

    def list_arguments(self) -> list[str]:
        """Name the inputs."""
        return ["data"]

    def list_outputs(self) -> list[str]:
        """Name the outputs."""
        return ["output"]

    def list_auxiliary_states(self) -> list[str]:
        """Name the inputs that a run may write to."""
        return []

    def infer_shape(self, in_shape: list[Shape]) -> tuple[Any, ...]:
        """Return the shapes of inputs, outputs and auxiliary states from those of the inputs; ``[]`` is unknown."""
        return in_shape, [in_shape[0]] * len(self.list_outputs()), []

    def infer_type(self, in_type: list[Any]) -> tuple[Any, ...]:
        """Return the dtypes of inputs, outputs and auxiliary states from those of the inputs; None is unknown."""
        counts = len(self.list_outputs()), len(self.list_auxiliary_states())
        return in_type, [in_type[0]] * counts[0], [in_type[0]] * counts[1]

    def infer_storage_type(self, in_stype: list[str]) -> tuple[list[str], list[str], list[str]]:
        """Return "default" for all: arrays are dense."""
        counts = len(self.list_outputs()), len(self.list_auxiliary_states())
        return in_stype, ["default"] * counts[0], ["default"] * counts[1]

    def infer_storage_type_backward(self, *stypes: list[str]) -> tuple[list[str], ...]:
        """Return "default" for all: arrays are dense, and nothing here takes gradients."""
        return tuple(["default"] * len(each) for each in stypes)

    def declare_backward_dependency(self, out_grad: list[int], in_data: list[int], out_data: list[int]) -> list[int]:
        """Say what the gradient needs. Nothing here asks."""
        return [*(out_grad if self.need_top_grad_ else []), *in_data, *out_data]

    def create_operator(self, ctx: Context, in_shapes: list[Shape], in_dtypes: list[Any]) -> CustomOp:
        """Return what computes, for inputs of these shapes and dtypes."""
        raise NotImplementedError(f"{type(self).__name__} has no create_operator()")


def register(reg_name: str) -> Callable[[Kind], Kind]:
    """Let ``op_type=reg_name`` mean the decorated class, from now on."""

    def add(prop: Kind) -> Kind:
        _registry[reg_name] = prop
        return prop

    return add


def prop_of(op_type: str, options: Mapping[str, str]) -> CustomOpProp:
    """Return what was registered as ``op_type``, made with ``options``. Raises MXNetError where there is no such thing,
    or where it cannot be made."""
    kind = _registry.get(op_type)
    if kind is None:
        raise UnregisteredError(
            f"no operator is registered as {op_type!r}: decorate its CustomOpProp with "
            f"@mx.operator.register({op_type!r}) first. Registered are: {', '.join(sorted(_registry)) or 'none'}."
        )
    return _create_prop(kind, op_type, tuple(sorted(options.items())))


@functools.lru_cache(256)
def _create_prop(kind: Callable[..., CustomOpProp], op_type: str, options: tuple[tuple[str, str], ...]) -> CustomOpProp:
    try:
        return kind(**dict(options))
    except Exception as error:
        shown = ", ".join(f"{name}={value!r}" for name, value in options)
        raise MXNetError(f"Custom {op_type!r} made with ({shown}): {type(error).__name__}: {error}") from error


class OperatorArguments(NamedTuple):
    """What an operator takes: how many arguments, their names, and what they are."""

    narg: int
    names: list[str]
    types: list[str]


def get_operator_arguments(op_name: str) -> OperatorArguments:
    """Return what the operator ``op_name`` takes. An attribute that takes words says which, others say nothing. Raises
    MXNetError for a name that MXNet does not have."""
    signature = called(op_name)
    if signature is None:
        raise MXNetError(
            f"MXNet has no operator {op_name!r}. get_all_registered_operators() lists those that are here."
        )
    array = "NDArray-or-Symbol[]" if signature.variadic else "NDArray-or-Symbol"
    types = [array] * len(signature.inputs)
    for name in signature.attributes:
        words = sorted(signature.choices.get(name, ()))
        said = [f"{{{', '.join(map(repr, words))}}}"] if words else []
        types.append(", ".join([*said, "required" if name in signature.required else "optional"]))
    names = [*signature.inputs, *signature.attributes]
    return OperatorArguments(len(names), names, types)


def get_all_registered_operators() -> list[str]:
    """Return the names of all operators, with MXNet's other names for them."""
    from neuron_adapters.mxnet.operators import names

    return names()


def get_all_registered_operators_grouped() -> dict[str, list[str]]:
    """Return the names of all operators, those of one operator by the name that files have."""
    grouped: dict[str, list[str]] = {}
    for name in get_all_registered_operators():
        signature = called(name)
        grouped.setdefault(name if signature is None else signature.own, []).append(name)
    return grouped


_NOT_HERE = ("NDArrayOp", "NumpyOp", "PythonOp")


def __getattr__(name: str) -> NoReturn:
    if name in _NOT_HERE:
        refuse_missing(f"mx.operator.{name}", "it is of MXNet before 0.9; derive from CustomOp and CustomOpProp")
    missing_names("mx.operator")(name)
