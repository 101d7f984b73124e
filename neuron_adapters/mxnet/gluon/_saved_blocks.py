"""Files of ``Block.save``: the tree of blocks with the graphs of those that were hybridized, and the parameters.

The file is MXNet's: it names each block by its class and a number, in the order in which blocks are reached from the
outermost.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

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
    graph: Any = getattr(block, "_cached_graph", ())  # () before it ran
    if graph:
        inputs, outputs = graph
        entry.update(in_format=_numbers(block._in_form), out_format=_numbers(block._out_form))  # type: ignore[attr-defined]
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
            tree = json.load(file)
            _read(block, [0], tree)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise FormatError(f"it does not describe the blocks of {block.name}: {error!r}.") from error
    block.load_parameters(f"{prefix}-model.params")


def _read(block: Block, number: list[int], parent: Tree) -> None:
    entry = parent[f"{type(block).__name__.lower()}{number[0]}"]
    block._name = str(entry["orig_name"])
    if entry.get("hybridized"):
        block.hybridize()
        block._in_form, block._out_form = _form(entry["in_format"]), _form(entry["out_format"])
        block._cached_graph = [load_json(text) for text in entry["inputs"]], load_json(entry["symbol"])
    for name, parameter in list(block.params.items()):
        del block.params[name]
        block.params[f"{block.name}_{name.removeprefix(block.params.prefix)}"] = parameter
    children = list(block._children.values())
    for child in children:
        number[0] += 1
        _read(child, number, entry)
    block._children.clear()
    block._children.update({entry["children"][child.name]: child for child in children})


def _numbers(form: Any) -> Any:
    """Return how leaves are nested in MXNet's numbers: 0 is a leaf, -1 is None."""
    if isinstance(form, list):
        return [_numbers(each) for each in form]
    return -1 if form is None else 0


def _form(numbers: Any) -> Any:
    if isinstance(numbers, list):
        return [_form(each) for each in numbers]
    return None if numbers == -1 else True
