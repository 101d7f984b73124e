"""Opens exported programs (``.pt2``) that the caller does not trust (SPEC F4).

PyTorch runs code in them: it unpickles, evaluates sizes as Python, and loads native libraries. Its own switch,
TORCH_FORCE_WEIGHTS_ONLY_LOAD=1, turns off the pickles of ``torch.load`` alone. Where it is set, the archive is searched
for all such code before PyTorch opens it, through PyTorch's own reader, so that both see the same archive.
"""

from __future__ import annotations

import ast
import os
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
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
#: What an expression may consist of besides the nodes that ``_Arithmetic`` checks.
_HARMLESS = (ast.Expression, ast.UnaryOp, ast.Compare, ast.Load, ast.operator, ast.unaryop, ast.cmpop)
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
    """``torch.export.load`` of a file that runs no code when it is opened. ``load``: PyTorch's own. Raises
    ArtifactError for a file that does."""
    name = os.fspath(f) if isinstance(f, (str, os.PathLike)) else repr(f)
    position = f.tell() if hasattr(f, "tell") else None
    why = _problem(f)
    if position is not None:
        f.seek(position)
    if why:
        raise damaged(f"{name} {why}, and {SWITCH} is set. {_AGAIN}")
    try:
        return load(f, **options)
    except pickle.UnpicklingError as error:
        raise damaged(f"{name} holds pickled Python objects, and {SWITCH} is set. {_AGAIN}") from error


def _problem(f: Any) -> str:
    """What in an archive runs code when it is opened; empty where nothing is known to."""
    try:
        from torch.export.pt2_archive import constants  # newer releases of PyTorch have it
        from torch.export.pt2_archive._package import PT2ArchiveReader

        archive = PT2ArchiveReader(os.fspath(f) if isinstance(f, (str, os.PathLike)) else f)
        for name in archive.get_file_names():
            if name.startswith(constants.AOTINDUCTOR_DIR):
                return "holds native libraries"
            if name.startswith(constants.CONSTANTS_DIR) and name.endswith(".json"):
                config = bounded_json.loads(archive.read_bytes(name))["config"]
                paths = [constant["path_name"] for constant in config.values()]
                if not all(path.startswith(constants.TENSOR_CONSTANT_FILENAME_PREFIX) for path in paths):
                    return "holds constants that are pickled objects"
            elif name.startswith(constants.MODELS_DIR):
                text = next(_evaluated_texts(bounded_json.loads(archive.read_bytes(name), most=_MOST_VALUES)), None)
                if text is not None:
                    return f"names what PyTorch would evaluate or import ({printable(text, 80)})"
    except Exception as error:  # noqa: BLE001 - whatever PyTorch's reader makes of a damaged or an older file
        return f"cannot be looked through ({one_line(error)})"
    return ""


def _evaluated_texts(program: Any) -> Iterator[object]:
    """The texts in a program that PyTorch evaluates and that are more than arithmetic, and the structures of inputs and
    outputs that name modules to import."""
    values = [program]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            if not plain(value.get("expr_str", "0")):
                yield value["expr_str"]
            for side in ("in_spec", "out_spec"):
                if any(word in str(value.get(side)) for word in _IMPORTING):
                    yield value[side]
            values += value.values()
        elif isinstance(value, list):
            values += value


def plain(expression: object) -> bool:
    """Whether an expression is arithmetic on symbols: ``Mul(Integer(2), Symbol('s0', integer=True))``."""
    if not isinstance(expression, str) or len(expression) > _LONGEST_EXPRESSION or not expression.isascii():
        return False
    try:
        nodes = list(ast.walk(ast.parse(expression.strip(), mode="eval")))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return all(map(_Arithmetic(nodes).allows, nodes))


class _Arithmetic:
    """Checks the nodes of one expression: whether each is arithmetic on symbols."""

    def __init__(self, nodes: Sequence[ast.AST]) -> None:
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        self._functions = {id(call.func) for call in calls}
        self._texts = {id(text) for call in calls for text in call.args[:1] if _is_plain_text(call, text)}
        self._checks: dict[type[ast.AST], Callable[[Any], bool]] = {
            ast.Name: self._name,
            ast.Constant: self._constant,
            ast.Call: self._call,
            ast.keyword: self._keyword,
            ast.BinOp: self._operation,
        }

    def allows(self, node: ast.AST) -> bool:
        """Whether ``node`` is plain, its parts aside."""
        check = self._checks.get(type(node))
        return isinstance(node, _HARMLESS) if check is None else check(node)

    def _name(self, node: ast.Name) -> bool:
        if id(node) in self._functions:
            return node.id in _FUNCTIONS
        return node.id in _NAMES or bool(_SYMBOL.fullmatch(node.id))

    def _constant(self, node: ast.Constant) -> bool:
        return type(node.value) in (int, float, bool) or id(node) in self._texts

    def _call(self, node: ast.Call) -> bool:
        if not isinstance(node.func, ast.Name):
            return False
        return node.func.id not in _RAISING or all(map(_is_small, node.args[1:]))

    def _keyword(self, node: ast.keyword) -> bool:
        return node.arg in _KEYWORDS and _is_small(node.value)

    def _operation(self, node: ast.BinOp) -> bool:
        return not isinstance(node.op, (ast.Pow, ast.LShift)) or _is_small(node.right)


def _is_plain_text(call: ast.Call, text: ast.AST) -> bool:
    """Whether ``text`` is a symbol's name, or a number in decimal."""
    form = {"Symbol": _SYMBOL, "Float": _DECIMAL}.get(getattr(call.func, "id", ""))
    return form is not None and isinstance(text, ast.Constant) and bool(form.fullmatch(str(text.value)))


def _is_small(node: ast.AST) -> bool:
    """Whether an exponent is a small number or a symbol: a power of it stays small while it is read."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", "")
        return name == "Symbol" or (name in ("Integer", "Rational") and all(map(_is_small, node.args)))
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (int, float)) and abs(node.value) <= _MOST_EXPONENT
    return isinstance(node, ast.Name)
