"""Exported programs (``.pt2``) of people whom the caller does not trust (SPEC F4).

PyTorch runs code in them: it unpickles, evaluates sizes as Python, and loads native libraries. Its own switch,
TORCH_FORCE_WEIGHTS_ONLY_LOAD=1, turns off the pickles of ``torch.load`` alone. Where it is set, what it leaves is
looked for first, through PyTorch's own reader, so that both see the same archive.
"""

from __future__ import annotations

import ast
import os
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

from neuron_adapters.files import bounded_json
from neuron_adapters.files.printable import damaged, one_line, printable

SWITCH = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
_ON = ("1", "y", "yes", "true")
_AGAIN = f"Unset {SWITCH} to open a file that you trust."
_LONGEST_EXPRESSION, _MOST_EXPONENT = 4096, 64
_MOST_VALUES = 1 << 24
#: In the text of a structure: an enumeration or a default that is imported, and the escapes that could hide either.
_IMPORTING = ("__enum__", "default_factory_module", "\\u")
_PLAIN = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.Load, ast.keyword,
    ast.operator, ast.unaryop, ast.cmpop,
)  # fmt: skip
#: What PyTorch writes sizes with: SymPy's arithmetic and its own. An exponent is a small number.
_FUNCTIONS = {
    "Symbol", "Integer", "Rational", "Float", "Add", "Mul", "Pow", "Max", "Min", "Abs", "floor", "ceiling", "And", "Or",
    "Not", "Equality", "Unequality", "LessThan", "StrictLessThan", "GreaterThan", "StrictGreaterThan", "FloorDiv",
    "ModularIndexing", "Where", "PythonMod", "Mod", "CleanDiv", "CeilToInt", "FloorToInt", "CeilDiv", "LShift",
    "RShift", "PowByNatural", "FloatPow", "FloatTrueDiv", "IntTrueDiv", "IsNonOverlappingAndDenseIndicator",
    "TruncToFloat", "TruncToInt", "RoundToInt", "RoundDecimal", "ToFloat", "Identity",
}  # fmt: skip
_RAISING = ("Pow", "PowByNatural", "FloatPow", "LShift")
_NAMES = ("true", "false", "oo", "int_oo")
_KEYWORDS = ("positive", "negative", "nonnegative", "integer", "real", "precision")
_SYMBOL = re.compile(r"[suzf]{1,3}[0-9]{1,9}")
_DECIMAL = re.compile(r"-?[0-9.]{1,40}(e[+-]?[0-9]{1,3})?")


def asked() -> bool:
    """Whether the switch is set."""
    return os.environ.get(SWITCH, "0").lower() in _ON


def load_exported(f: Any, load: Callable[..., Any], **options: Any) -> Any:
    """``torch.export.load`` of a file without code that runs when it is opened. ``load``: PyTorch's own. Raises
    ArtifactError for any other."""
    named = os.fspath(f) if isinstance(f, (str, os.PathLike)) else repr(f)
    position = f.tell() if hasattr(f, "tell") else None
    why = _problem(f)
    if position is not None:
        f.seek(position)
    if why:
        raise damaged(f"{named} {why}, and {SWITCH} is set. {_AGAIN}")
    try:
        return load(f, **options)
    except pickle.UnpicklingError as error:
        raise damaged(f"{named} holds pickled Python objects, and {SWITCH} is set. {_AGAIN}") from error


def _problem(f: Any) -> str:
    """What in an archive runs code when it is opened; empty where nothing does that is known."""
    try:
        from torch.export.pt2_archive import constants
        from torch.export.pt2_archive._package import PT2ArchiveReader

        archive = PT2ArchiveReader(os.fspath(f) if isinstance(f, (str, os.PathLike)) else f)
        for name in archive.get_file_names():
            if name.startswith(constants.AOTINDUCTOR_DIR):
                return "holds native libraries"
            if name.startswith(constants.CONSTANTS_DIR) and name.endswith(".json"):
                paths = [one["path_name"] for one in bounded_json.loads(archive.read_bytes(name))["config"].values()]
                if not all(one.startswith(constants.TENSOR_CONSTANT_FILENAME_PREFIX) for one in paths):
                    return "holds constants that are pickled objects"
            elif name.startswith(constants.MODELS_DIR):
                wrong = next(_wrong(bounded_json.loads(archive.read_bytes(name), most=_MOST_VALUES)), None)
                if wrong is not None:
                    return f"names what PyTorch would evaluate or import ({printable(wrong, 80)})"
    except Exception as error:  # noqa: BLE001 - whatever PyTorch's reader makes of a damaged or an older file
        return f"cannot be looked through ({one_line(error)})"
    return ""


def _wrong(value: Any) -> Iterator[object]:
    """The texts in a program that PyTorch evaluates and that are more than arithmetic, and the structures of inputs and
    outputs that name modules to import."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if not plain(one.get("expr_str", "0")):
                yield one["expr_str"]
            for side in ("in_spec", "out_spec"):
                if any(word in str(one.get(side)) for word in _IMPORTING):
                    yield one[side]
            left += one.values()
        elif isinstance(one, list):
            left += one


def plain(expression: object) -> bool:
    """Whether an expression is arithmetic on symbols: ``Mul(Integer(2), Symbol('s0', integer=True))``."""
    if not isinstance(expression, str) or len(expression) > _LONGEST_EXPRESSION or not expression.isascii():
        return False
    try:
        nodes = list(ast.walk(ast.parse(expression.strip(), mode="eval")))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    functions = {id(call.func) for call in calls}
    texts = {id(text) for call in calls for text in call.args[:1] if _is_plain_text(call, text)}
    return all(isinstance(node, _PLAIN) and _is_plain(node, functions, texts) for node in nodes)


def _is_plain(node: ast.AST, functions: set[int], texts: set[int]) -> bool:
    if isinstance(node, ast.Name):
        if id(node) in functions:
            return node.id in _FUNCTIONS
        return node.id in _NAMES or bool(_SYMBOL.fullmatch(node.id))
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float, bool) or id(node) in texts
    if isinstance(node, ast.Call):
        raising = isinstance(node.func, ast.Name) and node.func.id in _RAISING
        return isinstance(node.func, ast.Name) and (not raising or all(map(_is_small, node.args[1:])))
    if isinstance(node, ast.keyword):
        return node.arg in _KEYWORDS and _is_small(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Pow, ast.LShift)):
        return _is_small(node.right)
    return True


def _is_plain_text(call: ast.Call, text: ast.AST) -> bool:
    """A symbol's name, or a number in decimal."""
    form = {"Symbol": _SYMBOL, "Float": _DECIMAL}.get(getattr(call.func, "id", ""))
    return form is not None and isinstance(text, ast.Constant) and bool(form.fullmatch(str(text.value)))


def _is_small(node: ast.AST) -> bool:
    """A number that is no large one, or a symbol: what is raised to it stays small while it is read."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", "")
        return name == "Symbol" or (name in ("Integer", "Rational") and all(map(_is_small, node.args)))
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (int, float)) and abs(node.value) <= _MOST_EXPONENT
    return isinstance(node, ast.Name)
