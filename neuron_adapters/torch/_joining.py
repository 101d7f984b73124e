"""Joins what the parts of a batch returned into what the whole batch would have returned (SPEC R2).

Tensors and arrays are concatenated, in whatever structure they are. What cannot be joined is refused, since the first
part's value would be a wrong answer for the batch.

A list or tuple may hold as many outputs whatever the batch, or some for each row. The lengths in parts of different
sizes tell which. Where all parts have the same size a run on a part of another size tells: the witness.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from neuron_adapters.files.printable import one_line
from neuron_adapters.torch._structure import filled


class UndecidedError(Exception):
    """A list's length may be its own or follow the rows; only a part of another size tells."""


class Joining:
    """Joins the results of parts along ``dim``.

    ``rows``: the size of each part, and of the witness, where the lengths of lists may follow it; empty where lists
    have as many entries whatever the batch. ``known``: whether the list at a path follows the
    rows, for those seen before.
    ``alone``: there is no witness, since the model takes parts of this size only.
    """

    def __init__(
        self, dim: int, rows: Sequence[int] = (), known: dict[str, bool] | None = None, *, alone: bool = False
    ) -> None:
        self._dim = dim
        self._rows = list(rows)
        self._known = {} if known is None else known
        self._alone = alone

    def join(self, results: Sequence[Any], witness: Sequence[Any] = ()) -> Any:
        """The results as one. ``witness``: the result of a part of another size, at most one.

        Raises TypeError for what cannot be joined, UndecidedError where a witness is needed.
        """
        self._count = len(results)
        return self._join("", [*results, *witness])

    def _join(self, path: str, values: list[Any]) -> Any:
        first = values[0]
        if all(isinstance(value, torch.Tensor) for value in values):
            return self._tensors(path, values[: self._count])
        kinds = {type(value) for value in values}
        if len(kinds) > 1:
            names = " and ".join(sorted(kind.__name__ for kind in kinds))
            raise _refusal(path, f"the parts returned different things there, {names}")
        if first is None:
            return None
        if isinstance(first, np.ndarray):
            return self._arrays(path, values[: self._count])
        if isinstance(first, dict):
            return self._dicts(path, values)
        if type(first) in (list, tuple):
            return self._lists(path, values)
        if isinstance(first, torch.nn.utils.rnn.PackedSequence):
            raise _refusal(path, "packed sequences of parts are none of the batch")
        if isinstance(first, (list, tuple)):
            items = self._entries(path, values)
            return type(first)(*items) if hasattr(first, "_fields") else type(first)(items)
        if dataclasses.is_dataclass(first):
            return self._dataclasses(path, values)
        return self._nodes(path, values)

    def _tensors(self, path: str, tensors: list[torch.Tensor]) -> torch.Tensor:
        if len(tensors) == 1:
            return tensors[0]
        try:
            return torch.cat(tensors, self._dim) if tensors[0].dim() else torch.stack(tensors)
        except (RuntimeError, IndexError) as error:
            shapes = ", ".join(str(list(tensor.shape)) for tensor in tensors[:4])
            raise _refusal(
                path, f"tensors of the shapes {shapes} have no common dimension {self._dim} ({one_line(error)})"
            ) from None

    def _arrays(self, path: str, arrays: list[Any]) -> Any:
        try:
            return np.concatenate(arrays, self._dim) if arrays[0].ndim else np.stack(arrays)
        except ValueError as error:
            raise _refusal(path, one_line(error)) from None

    def _dicts(self, path: str, values: list[Any]) -> Any:
        first = values[0]
        if any(value.keys() != first.keys() for value in values) or self._follows_rows(path, values):
            raise _refusal(path, "the dictionaries of the parts have different keys")
        self._settle(path)
        entries = {key: self._join(f"{path}[{key!r}]", [value[key] for value in values]) for key in first}
        return filled(first, entries)

    def _lists(self, path: str, values: list[Any]) -> Any:
        if self._follows_rows(path, values):
            return type(values[0])(entry for value in values[: self._count] for entry in value)
        return type(values[0])(self._entries(path, values))

    def _follows_rows(self, path: str, values: list[Any]) -> bool:
        """Whether the lengths of lists or dictionaries grow with the rows. Raises UndecidedError."""
        if not self._rows or not values[0] or len(values[0]) % self._rows[0]:
            return False
        a_row = len(values[0]) // self._rows[0]
        if any(len(value) != a_row * rows for value, rows in zip(values, self._rows)):
            return False
        if len(set(self._rows)) > 1:
            self._known[path] = True
        elif self._alone:
            self._check_sizes(path, values)
            return False
        elif path not in self._known:
            raise UndecidedError
        return self._known[path]

    def _settle(self, path: str) -> None:
        """Note that a list does not follow the rows, where parts of different sizes have shown it."""
        if len(set(self._rows)) > 1:
            self._known[path] = False

    def _check_sizes(self, path: str, values: list[Any]) -> None:
        """Raise TypeError unless each entry is a tensor with all rows of its part, and so no entry for one row."""
        for entries, rows in zip(values, self._rows):
            for entry in entries.values() if isinstance(entries, dict) else entries:
                if not isinstance(entry, torch.Tensor) or not entry.dim() or entry.shape[self._dim] != rows:
                    raise _refusal(
                        path,
                        f"each part of {rows} row(s) returned {len(entries)} entries, which may be some for each row "
                        "or as many for any batch, and the model takes parts of no other size to tell",
                    )

    def _entries(self, path: str, values: list[Any]) -> list[Any]:
        lengths = [len(value) for value in values]
        if len(set(lengths)) > 1:
            raise _refusal(path, f"the parts returned {', '.join(map(str, lengths))} entries")
        self._settle(path)
        return [self._join(f"{path}[{index}]", list(entries)) for index, entries in enumerate(zip(*values))]

    def _dataclasses(self, path: str, values: list[Any]) -> Any:
        first = values[0]
        names = [field.name for field in dataclasses.fields(first)]
        if set(getattr(first, "__dict__", names)) - set(names):
            raise _refusal(path, f"it is {_a(first)} with attributes that are no fields of it")
        joined = copy(first)
        for name in names:
            entry = self._join(f"{path}.{name}", [getattr(value, name) for value in values])
            object.__setattr__(joined, name, entry)  # it may be frozen
        return joined

    def _nodes(self, path: str, values: list[Any]) -> Any:
        """Objects of a class that PyTorch was told how to take apart (``torch.utils._pytree``)."""
        flat = [tree_flatten(value) for value in values]
        leaves, spec = flat[0]
        if len(leaves) == 1 and leaves[0] is values[0]:
            raise _refusal(path, f"each part returned {_a(values[0])} of its own")
        if any(other != spec for _leaves, other in flat):
            raise _refusal(path, f"the parts returned {_a(values[0])} of different structures")
        parts = zip(*(leaves for leaves, _spec in flat))
        joined = [self._join(f"{path}.{index}", list(part)) for index, part in enumerate(parts)]
        return tree_unflatten(joined, spec)


def joinable(result: Any) -> bool:
    """Whether what a model returned can be joined from parts, where lists have as many entries whatever the batch."""
    try:
        Joining(0).join([result])
    except TypeError:
        return False
    return True


def fixed(method: Any) -> bool:
    """Whether a ScriptMethod returns lists of the same lengths whatever the batch: none, or those that its graph
    builds entry by entry."""
    graph = getattr(method, "inlined_graph", None) or method.graph
    return all(_built(value) for value in graph.outputs())


def _built(value: Any) -> bool:
    node = value.node()
    if node.kind() in ("prim::TupleConstruct", "prim::ListConstruct", "prim::DictConstruct"):
        return all(_built(part) for part in node.inputs())
    return "List[" not in value.type().annotation_str


def _a(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _refusal(path: str, why: str) -> TypeError:
    where = f"the outputs at {path.removeprefix('.')}" if path else "the outputs"
    return TypeError(
        f"A batch was run in parts, and {where} cannot be joined: {why}. Return tensors with a row for each row of the "
        "input, in tuples, lists or dictionaries, and leave out the rest (of a transformers model: use_cache=False)."
    )
