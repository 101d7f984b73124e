"""Writes what type checkers and editors see of MXNet's operators: an ``_operators.pyi`` beside ``mx.sym`` and one
beside ``mx.nd``, which make these functions when they are asked for them.

    python tests/operator_stubs.py
"""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from neuron_adapters.mxnet import ndarray, symbol
from neuron_adapters.mxnet._signatures import all_names, called, look_up
from neuron_adapters.mxnet.operators import find, names

ROOT = Path(__file__).resolve().parents[1] / "neuron_adapters" / "mxnet"
HEAD = '''\
# Written by tests/operator_stubs.py from the table of operators: change that, and run it again.
"""The operators as functions of {kind}s, for type checkers and editors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neuron_adapters.mxnet._functions import Namespace
from neuron_adapters.mxnet.context import Context
{imported}
'''
IMPORTED = {
    "Symbol": "from neuron_adapters.mxnet.symbol._symbol import Symbol",
    "NDArray": "from neuron_adapters.mxnet.ndarray._array import NDArray",
}
#: The namespaces: the class of each, and what the names of its operators begin with.
NAMESPACES = {"Contrib": "_contrib_", "Image": "_image_", "Linalg": "_linalg_"}


def stub(library: Any, kind: str, functions: Any) -> str:
    """The text of ``_operators.pyi`` for ``mx.sym`` or ``mx.nd``. ``kind``: the class of what is computed with."""
    own = getattr(library, "functions", {}) if kind == "NDArray" else {}
    offered = {name for name in {*all_names(own), *names()} if not name.startswith("_")} - set(vars(library))
    lines = [HEAD.format(kind=kind, imported=IMPORTED[kind]), f"__all__: list[str] = {sorted(offered)}\n"]
    for name in sorted(offered):
        known = look_up(own, name)
        lines.append(_pair(name) if known is not None else _function(functions.of(name), name, name, kind))
    for title, prefix in NAMESPACES.items():
        lines.append(f"class {title}(Namespace):")
        for name in names():
            if name.startswith(prefix):
                short = name.removeprefix(prefix)
                lines.append("    " + _function(functions.of(name, short), name, short, kind, "self, "))
        lines.append(f"    def __getattr__(self, name: str) -> Callable[..., {_result('', kind)}]: ...\n")
    return "\n".join(lines)


def _function(function: Callable[..., Any], name: str, short: str, kind: str, first: str = "") -> str:
    """A line for an operator as a function, or as a method."""
    return f"def {short}({first}{', '.join(_parameters(function, name, kind))}) -> {_result(name, kind)}: ..."


def _parameters(function: Callable[..., Any], name: str, kind: str) -> Iterator[str]:
    """What the function takes: its inputs, then the operator's attributes, then what all of them take."""
    signature = called(name)
    inputs = signature.inputs if signature is not None else ()
    for parameter in inspect.signature(function).parameters.values():
        if keyword.iskeyword(parameter.name) or (kind == "NDArray" and parameter.name in ("out", "ctx")):
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            yield f"*{parameter.name}: {kind}"
        elif parameter.name in ("name", "attr"):
            yield f"{parameter.name}: {'str' if parameter.name == 'name' else 'Mapping[str, str]'} | None = None"
        elif parameter.name in inputs or (signature is None and parameter.default is None):
            yield f"{parameter.name}: {kind} | None = None"
        else:
            yield f"{parameter.name}: Any = ..."
    if kind == "NDArray":
        yield "out: NDArray | Sequence[NDArray] | None = None, ctx: Context | None = None"
    yield "**kwargs: Any"


def _pair(name: str) -> str:
    """A line for a function of ``mx.nd`` that NumPy computes."""
    return f"def {name}(*args: Any, out: NDArray | None = None, name: str | None = None, **kwargs: Any) -> NDArray: ..."


def _result(name: str, kind: str) -> str:
    """The type of a result: a Symbol, of however many outputs; an array, or a list where there are several."""
    operator = find(name)
    if kind == "Symbol":
        return kind
    if operator is None or callable(operator.output_names):  # it depends on the call
        return "Any"
    return kind if len(operator.output_names) == 1 else f"list[{kind}]"


def stubs() -> dict[Path, str]:
    """All files, and what is to be in them."""
    from neuron_adapters.mxnet.ndarray._invoke import operator_functions
    from neuron_adapters.mxnet.symbol._symbol import functions

    return {
        ROOT / "symbol" / "_operators.pyi": stub(symbol, "Symbol", functions),
        ROOT / "ndarray" / "_operators.pyi": stub(ndarray, "NDArray", operator_functions),
    }


if __name__ == "__main__":
    for path, text in stubs().items():
        path.write_text(text)
