"""Nested structures of tensors: tuples, lists and dictionaries, as models take and return them (SPEC X2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any

import torch

#: No model's outputs are nested deeper.
_MOST_NESTED = 64


class Template:
    """A result's structure without its tensors, which are numbered in the order in which the model returns them.

    ``spec`` is plain JSON: a number is a tensor, ``["tuple", ...]`` and ``["list", ...]`` hold parts,
    ``["dict", [key, part], ...]`` holds entries.
    """

    def __init__(self, spec: Any) -> None:
        self.spec = spec
        self.single = spec == 0

    @classmethod
    def of(cls, value: Any) -> tuple[Template, list[torch.Tensor]] | None:
        """The structure of ``value`` and its tensors; None where it holds anything else."""
        leaves: list[torch.Tensor] = []
        try:
            return cls(_spec(value, leaves)), leaves
        except TypeError:
            return None

    @classmethod
    def checked(cls, spec: Any, count: int) -> Template:
        """A template of a file. Raises ValueError unless it is a structure of the tensors 0 to ``count`` - 1."""
        if sorted(_numbers(spec)) != list(range(count)):
            raise ValueError("the structure of its outputs makes no sense")
        return cls(spec)

    def fill(self, leaves: Sequence[torch.Tensor]) -> Any:
        """A value of this structure."""
        return leaves[0] if self.single else _filled(self.spec, leaves)


def _spec(value: Any, leaves: list[torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        leaves.append(value)
        return len(leaves) - 1
    if type(value) in (tuple, list):
        return [type(value).__name__, *(_spec(item, leaves) for item in value)]
    if type(value) is dict and all(type(key) in (str, int) for key in value):
        return ["dict", *([key, _spec(item, leaves)] for key, item in value.items())]
    raise TypeError(type(value).__name__)


def _numbers(spec: Any, depth: int = 0) -> Iterator[int]:
    """The numbers of a structure's tensors. Raises ValueError for anything else, and beyond _MOST_NESTED levels."""
    if type(spec) is int:
        yield spec
        return
    if (
        depth > _MOST_NESTED
        or not isinstance(spec, (list, tuple))
        or not spec
        or spec[0] not in ("tuple", "list", "dict")
    ):
        raise ValueError("it is no structure")
    for part in spec[1:]:
        if spec[0] == "dict":
            if not isinstance(part, (list, tuple)) or len(part) != 2 or type(part[0]) not in (str, int):
                raise ValueError("it is no structure")
            yield from _numbers(part[1], depth + 1)
        else:
            yield from _numbers(part, depth + 1)


def _filled(spec: Any, leaves: Sequence[torch.Tensor]) -> Any:
    if isinstance(spec, int):
        return leaves[spec]
    kind, *parts = spec
    if kind == "dict":
        return {key: _filled(part, leaves) for key, part in parts}
    return (tuple if kind == "tuple" else list)(_filled(part, leaves) for part in parts)


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of a nested structure with its path, ``0``, ``1['ids']``, in a fixed order."""
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, dict):
        for key in sorted(value, key=repr):
            yield from flatten(value[key], f"{path}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from flatten(item, f"{path}[{index}]" if path else str(index))


def map_tensors(function: Callable[[torch.Tensor], Any], value: Any) -> Any:
    """``function`` of every tensor, in the same structure."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, dict):
        return filled(value, {key: map_tensors(function, part) for key, part in value.items()})
    if not isinstance(value, (list, tuple)):
        return value
    items = (map_tensors(function, part) for part in value)
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)


def filled(model: dict[Any, Any], entries: dict[Any, Any]) -> Any:
    """``entries`` as a dictionary like ``model``: of its class, which may be a library's own, and with its default."""
    if type(model) is dict:
        return entries
    like = copy(model)
    for key, entry in entries.items():
        like[key] = entry
    return like
