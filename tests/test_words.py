"""Names say what a value is: words that say nothing of it name nothing here."""

from __future__ import annotations

import ast
import contextlib
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: ``thing`` is any object, ``found`` any result: the name of a value is its kind or its role (``tensor``, ``row``).
WORDS = {"one", "found", "made", "given", "several", "thing", "things", "stuff"}
#: Names of the APIs that this package provides.
PUBLIC = {"neuron_adapters/mxnet/initializer.py": {"One"}}
FOLDERS = ("core", "neuron_adapters", "stubs", "tests", "examples", "benchmarks")
FILES = [
    *sorted(path for folder in FOLDERS for kind in ("*.py", "*.pyi") for path in (ROOT / folder).rglob(kind)),
    ROOT / "tests" / "many_cpus" / "machine",
]


def names_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Each name that is bound, and its line: variables, attributes, parameters, functions, classes. The names of what
    is imported are others'; those that it gets here are not."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
                yield node.lineno, name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield node.lineno, name


def programs_in(tree: ast.AST) -> Iterator[tuple[int, ast.AST]]:
    """``tree``, and each text in it that is a program of some lines; the line before its first one."""
    yield 0, tree
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" in node.value.strip():
            with contextlib.suppress(SyntaxError, ValueError):
                yield node.lineno - 1, ast.parse(textwrap.dedent(node.value))


def words_in(text: str) -> list[str]:
    return [
        f"{before + line}: {name}"
        for before, program in programs_in(ast.parse(text))
        for line, name in names_in(program)
        if name.strip("_").lower() in WORDS
    ]


def test_names_say_what_values_are() -> None:
    words = {str(path.relative_to(ROOT)): words_in(path.read_text()) for path in FILES}
    names = {path: {word.split(": ")[1] for word in entries} for path, entries in words.items() if entries}
    assert names == PUBLIC, {path: words[path] for path in names if names[path] != PUBLIC.get(path)}


@pytest.mark.parametrize(
    "lines",
    [
        "one = 1", "a, (b, *_found) = x", "for made in x: pass", "[given for given in x]", "lambda several: 0",
        "def thing(): pass", "class Stuff: pass", "def f(*, one): pass", "self.made = 1", "import x as found",
        "with x as one: pass", "(found := 1)", "try: pass|except E as one: pass", "match x:| case [1, *found]: pass",
        "match x:| case {'a': 1, **given}: pass", "match x:| case C(y=one): pass", "ONE = 1",
        "async def made(**kwargs): pass", "SCRIPT = '''|found = {}|print(found)'''",
    ],
)  # fmt: skip
def test_each_way_to_bind_a_name_is_seen(lines: str) -> None:
    assert len(words_in(lines.replace("|", "\n"))) == 1


def test_names_of_others_may_be_used() -> None:
    assert words_in("from hypothesis import given; x.found(one=1)[made]; sentence = 'one given thing'") == []
