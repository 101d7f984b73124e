"""What a call of an operator says, in a graph or on arrays: attributes as text, and inputs by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from neuron_adapters.mxnet._graph import HIDDEN
from neuron_adapters.mxnet._signatures import Called, called
from neuron_adapters.mxnet.base import MXNetValueError

if TYPE_CHECKING:
    from neuron_adapters.mxnet.operators._registry import Operator

T = TypeVar("T")
_OWN = re.compile("__.+__")


def attribute_texts(operator: Operator, operator_name: str, count: int, attrs: Mapping[str, Any]) -> dict[str, str]:
    """Format the attributes of a call with ``count`` inputs as symbol files have them. Raises MXNetValueError for one
    that the operator lacks, and for one that it needs and that is missing."""
    texts = {key: attr_text(value, key) for key, value in attrs.items()}
    if operator.variadic:
        texts.setdefault(operator.variadic, str(count))
        if texts[operator.variadic] == "0":
            raise MXNetValueError(f"{operator_name} takes at least one input.")
    _check_attributes(operator, called(operator_name), texts)
    return texts


def split_attributes(indices_or_sections: int | Sequence[int], axis: int, squeeze_axis: bool) -> dict[str, Any]:
    """Return the attributes of ``_split_v2`` for a number of parts, or for indices. Raises MXNetValueError."""
    if isinstance(indices_or_sections, int):
        return {"indices": (), "axis": axis, "squeeze_axis": squeeze_axis, "sections": indices_or_sections}
    if not isinstance(indices_or_sections, tuple):
        raise MXNetValueError(f"split_v2() takes a number of parts or indices, got {indices_or_sections!r}.")
    return {"indices": [0, *indices_or_sections], "axis": axis, "squeeze_axis": squeeze_axis, "sections": 0}


def attr_text(value: Any, key: str = "") -> str:
    """Format ``value`` as symbol files have it: ``(3, 3)``, ``True``, ``float32``."""
    if key == "dtype" and value is not None and not isinstance(value, str):
        return str(np.dtype(value).name)
    if isinstance(value, (tuple, list)):
        inner = ", ".join(repr(element) if isinstance(element, str) else attr_text(element) for element in value)
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return str(value)


def _check_attributes(operator: Operator, signature: Called | None, texts: Mapping[str, str]) -> None:
    if signature is None:
        return
    known = {*signature.attributes, *HIDDEN, operator.variadic}
    for key in texts if signature.attributes else ():  # an operator without parameters ignores what it is given
        if key not in known and not operator.any_attributes and not _OWN.fullmatch(key):
            raise MXNetValueError(
                f"{operator.name} has no parameter {key!r}. It has: {', '.join(signature.attributes) or 'none'}. "
                "Attributes of your own begin and end with two underscores."
            )
    for key, words in signature.choices.items():
        if key in texts and texts[key] not in words:
            raise MXNetValueError(f"{operator.name}: {key} is one of {', '.join(sorted(words))}, got {texts[key]!r}.")
    missing = sorted(signature.required - set(texts))
    if missing:
        raise MXNetValueError(f"{operator.name} needs {', '.join(missing)}.")


def by_name(operator_name: str, expected: Sequence[str], inputs: Sequence[T], named: Mapping[str, T]) -> dict[str, T]:
    """Return the inputs of a call by the operator's names for them. Raises MXNetValueError."""
    if len(inputs) > len(expected):
        raise MXNetValueError(f"{operator_name} takes {len(expected)} inputs here, got {len(inputs)}.")
    symbols = dict(zip(expected, inputs))
    for key, symbol in named.items():
        if key not in expected or key in symbols:
            why = "is given twice" if key in symbols else "is not one of its inputs here"
            raise MXNetValueError(f"{operator_name}: {key} {why}. They are: {', '.join(expected)}.")
        symbols[key] = symbol
    return symbols
