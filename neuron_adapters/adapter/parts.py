"""Cuts the inputs of a call into parts, and joins what the parts returned into what one call would have returned.

It knows arrays by ``shape`` and ``dtype``, whatever framework they are of. What cannot be joined for certain is
refused: the first part's value would be a wrong answer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

#: The functions that join arrays, by the package of their type: module, function, keyword of the dimension.
_JOINS = {
    "torch": ("torch", "cat", "dim"),
    "tensorflow": ("tensorflow", "concat", "axis"),
    "numpy": ("numpy", "concatenate", "axis"),
    "numpy.ma": ("numpy.ma", "concatenate", "axis"),  # the function above drops the masks
    "jax": ("jax.numpy", "concatenate", "axis"),
    "jaxlib": ("jax.numpy", "concatenate", "axis"),
}


class UndecidedError(Exception):
    """A list may have an entry for each row, or as many for any batch: only a part of another size tells."""


def rows_of(inputs: Any, dim: int) -> int | None:
    """The size of dimension ``dim``, which all arrays of a call have in common; None where there is no array.

    Raises ValueError where they differ, or one has not so many dimensions.
    """
    sizes = set()
    for leaf in _leaves(inputs):
        rank = len(leaf.shape)
        if not -rank <= dim < rank:
            raise ValueError(f"DataParallel splits dimension {dim}, got an input of shape {list(leaf.shape)}")
        sizes.add(int(leaf.shape[dim]))
    if len(sizes) > 1:
        raise ValueError(f"DataParallel splits dimension {dim} of all inputs alike, got the sizes {sorted(sizes)}")
    return sizes.pop() if sizes else None


def piece(inputs: Any, dim: int, first: int, rows: int) -> Any:
    """``rows`` rows from ``first`` of all arrays; what has no dimension goes to every part.

    Raises ValueError for arrays that cannot be cut, such as sparse ones.
    """

    def cut(leaf: Any) -> Any:
        index = (slice(None),) * (dim % len(leaf.shape)) + (slice(first, first + rows),)
        try:
            return leaf[index]
        except Exception as error:  # each framework has an exception of its own for this
            raise ValueError(
                f"DataParallel cannot cut an input of type {type(leaf).__name__} along dimension {dim}: {error}. Pass "
                "a dense array"
            ) from error

    return mapped(cut, inputs)


def join(results: Sequence[Any], rows: Sequence[int], dim: int, witness: Sequence[Any] = ()) -> Any:
    """Join the results of parts of so many ``rows``. ``witness``: the result of a part of another size, whose rows are
    the last of ``rows``.

    Raises TypeError for what cannot be joined, UndecidedError where a witness would tell.
    """
    return _join("the result", [*results, *witness], rows, dim, len(results))


def own(result: Any) -> Any:
    """``result`` in memory of the caller's: arrays of NumPy that come from Ray cannot be written to."""
    numpy = sys.modules.get("numpy")
    return mapped(lambda leaf: leaf.copy() if numpy and isinstance(leaf, numpy.ndarray) else leaf, result)


def _leaves(value: Any) -> list[Any]:
    leaves: list[Any] = []
    mapped(leaves.append, value)
    return leaves


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply ``function`` to each array that has dimensions, in whatever dictionaries, lists and tuples."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return function(value) if len(value.shape) else value
    if type(value) is dict:
        return {key: mapped(function, entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        entries = [mapped(function, entry) for entry in value]
        return type(value)(*entries) if hasattr(value, "_fields") else type(value)(entries)
    return value


def _join(path: str, values: list[Any], rows: Sequence[int], dim: int, count: int) -> Any:
    first = values[0]
    kinds = sorted({type(value).__name__ for value in values})
    if len(kinds) > 1:
        raise _refusal(path, f"the parts returned different things, {' and '.join(kinds)}")
    if first is None:
        return None
    if hasattr(first, "shape") and hasattr(first, "dtype"):
        return _arrays(path, values[:count], rows, dim)
    if isinstance(first, dict):
        if any(value.keys() != first.keys() for value in values):
            raise _refusal(path, "the dictionaries of the parts have different keys")
        entries = {key: _join(f"{path}[{key!r}]", [value[key] for value in values], rows, dim, count) for key in first}
        return entries if type(first) is dict else type(first)(**entries)
    if not isinstance(first, (list, tuple)):
        raise _refusal(path, f"each part returned {type(first).__name__} of its own")
    if not hasattr(first, "_fields") and _follows_rows(values, rows):
        return type(first)(entry for value in values[:count] for entry in value)
    if len({len(value) for value in values}) > 1:
        raise _refusal(path, f"the parts returned {', '.join(str(len(value)) for value in values)} entries")
    joined = [_join(f"{path}[{index}]", list(parts), rows, dim, count) for index, parts in enumerate(zip(*values))]
    return type(first)(*joined) if hasattr(first, "_fields") else type(first)(joined)


def _follows_rows(values: list[Any], rows: Sequence[int]) -> bool:
    """Whether the lengths of lists grow with the rows. Raises UndecidedError where all parts have the same size."""
    each, left = divmod(len(values[0]), rows[0])
    if left or not each or any(len(value) != each * size for value, size in zip(values, rows)):
        return False
    if len(set(rows)) == 1:
        raise UndecidedError
    return True


def _arrays(path: str, arrays: list[Any], rows: Sequence[int], dim: int) -> Any:
    for array, size in zip(arrays, rows):
        rank = len(array.shape)
        if not -rank <= dim < rank or array.shape[dim] != size:
            shape = list(array.shape)
            raise _refusal(
                path, f"a part of {size} rows returned the shape {shape}, whose dimension {dim} is not {size}"
            )
    package, _dot, rest = type(arrays[0]).__module__.partition(".")
    if package == "numpy" and rest.partition(".")[0] == "ma":
        package = "numpy.ma"
    if package in _JOINS:
        module, name, keyword = _JOINS[package]
        return getattr(sys.modules[module], name)(arrays, **{keyword: dim})
    if hasattr(arrays[0], "asnumpy"):
        before, name, _after = type(arrays[0]).__module__.partition("mxnet")  # the real one, or the house's
        return sys.modules[f"{before}{name}.ndarray"].concat(*arrays, dim=dim % len(arrays[0].shape))
    raise _refusal(path, f"arrays of {package} are not known")


def _refusal(path: str, why: str) -> TypeError:
    return TypeError(
        f"A batch was computed in parts, and {path} cannot be joined: {why}. Return arrays with a row for each row of "
        "the input, in tuples, lists or dictionaries, and leave out the rest"
    )
