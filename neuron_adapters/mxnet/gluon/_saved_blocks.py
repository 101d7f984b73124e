"""Files of ``Block.save``: the tree of blocks with the graphs of those that were hybridized, and the parameters.

The file is MXNet's: it names each block by its class and a number, in the order in which blocks are reached from the
outermost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from neuron_adapters.files import bounded_json
from neuron_adapters.mxnet.base import FormatError, reading
from neuron_adapters.mxnet.symbol import load_json

if TYPE_CHECKING:
    from neuron_adapters.mxnet.gluon._block import Block

__all__ = ["load", "save"]

Tree = dict[str, Any]


def save(block: Block, prefix: str) -> None:
    """Write ``PREFIX-model.json`` and ``PREFIX-model.params``."""
    tree: Tree = {}
    _write(block, [0], tree)
    with open(f"{prefix}-model.json", "w", encoding="utf-8") as file:
        json.dump(tree, file)
    block.save_parameters(f"{prefix}-model.params")


def _write(block: Block, number: list[int], parent: Tree) -> None:
    entry: Tree = {"orig_name": block.name}
    parent[f"{type(block).__name__.lower()}{number[0]}"] = entry
    hybrid: Any = block
    graph = getattr(block, "_cached_graph", ())  # () before it ran
    if graph:
        inputs, outputs = graph
        entry.update(in_format=_numbers(hybrid._in_form), out_format=_numbers(hybrid._out_form))
        entry.update(inputs=[each.tojson() for each in inputs], symbol=outputs.tojson())
    if hasattr(block, "_cached_graph"):
        entry["hybridized"] = bool(graph)
    entry["children"] = {child.name: name for name, child in block._children.items()}
    for child in block._children.values():
        number[0] += 1
        _write(child, number, entry)


def load(block: Block, prefix: str) -> None:
    """Give a block of the same classes the names, graphs and parameters of the files.

    Raises FormatError where the file has other blocks, and what ``load_parameters`` raises.
    """
    path = f"{prefix}-model.json"
    with reading(path), open(path, encoding="utf-8") as file:
        try:
            described = list(_described(block, [0], bounded_json.loads(file.read())))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FormatError(f"it does not describe the blocks of {block.name}: {error!r}.") from error
    for entry in described:  # the outermost first: its hybridize() drops the graphs of the others
        entry.apply()
    block.load_parameters(f"{prefix}-model.params")


class _Described(NamedTuple):
    """A block, and what the file says of it."""

    block: Block
    name: str
    children: dict[str, Block]
    graph: tuple[Any, Any, Any] | None
    """How its inputs and outputs are nested, and the Symbols of both; None where it was not hybridized."""

    def apply(self) -> None:
        block = self.block
        block._name = self.name
        if self.graph is not None:
            hybrid: Any = block
            hybrid.hybridize()
            hybrid._in_form, hybrid._out_form, hybrid._cached_graph = self.graph
        for name, parameter in list(block.params.items()):
            del block.params[name]
            block.params[f"{block.name}_{name.removeprefix(block.params.prefix)}"] = parameter
        block._children.clear()
        block._children.update(self.children)


def _described(block: Block, number: list[int], parent: Tree) -> Iterator[_Described]:
    """What ``parent`` says of ``block`` and, behind it, of all blocks inside. Raises KeyError, TypeError and the like
    where it says something else."""
    entry = parent[f"{type(block).__name__.lower()}{number[0]}"]
    inside = []
    for child in block._children.values():
        number[0] += 1
        inside.append(list(_described(child, number, entry)))
    graph = None
    if entry.get("hybridized"):
        symbols = [load_json(text) for text in entry["inputs"]], load_json(entry["symbol"])
        graph = _form(entry["in_format"]), _form(entry["out_format"]), symbols
    children = {entry["children"][first.name]: first.block for first, *_rest in inside}
    yield _Described(block, str(entry["orig_name"]), children, graph)
    for part in inside:
        yield from part


def _numbers(form: Any) -> Any:
    """Return how leaves are nested in MXNet's numbers: 0 is a leaf, -1 is None."""
    if isinstance(form, list):
        return [_numbers(each) for each in form]
    return -1 if form is None else 0


def _form(numbers: Any) -> Any:
    if isinstance(numbers, list):
        return [_form(each) for each in numbers]
    return None if numbers == -1 else True
