"""Signatures of MXNet 1.9.1's operators: the order of their parameters, which only its binary knows.

Kept as text beside this file, a line an operator: ``name=the operator's own: inputs | attributes``. A star before the
input stands for any number, a mark behind an attribute for one that is required, braces for the words that it takes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Called(NamedTuple):
    """How an operator is called."""

    own: str
    """The name that files know it by; ``flatten`` is an alias of ``Flatten``."""
    inputs: tuple[str, ...]
    """The inputs' names; those that depend on attributes included."""
    attributes: tuple[str, ...]
    required: frozenset[str]
    variadic: bool
    choices: Mapping[str, frozenset[str]] = {}
    """The words that attributes take, of those that take words."""


def called(name: str) -> Called | None:
    """Return how the operator ``name`` is called; None where that is not known."""
    return _table().get(name)


def own_name(name: str) -> str:
    """Return the name that files know the operator ``name`` by."""
    known = _table().get(name)
    return name if known is None else known.own


def look_up(entries: Mapping[str, T], name: str) -> T | None:
    """Find an operator by any of MXNet's names for it, where ``entries`` has it by the name in files."""
    entry = entries.get(name)
    return entries.get(own_name(name)) if entry is None else entry


def all_names(entries: Mapping[str, Any]) -> set[str]:
    """Return the names that ``look_up`` knows."""
    return {*entries, *(name for name, signature in _table().items() if signature.own in entries)}


@functools.cache
def _table() -> dict[str, Called]:
    """Read how each of MXNet's operators is called, by each of its names."""
    text = Path(__file__).with_suffix(".txt").read_text("utf-8")
    return dict(map(_read, text.splitlines()))


def _read(line: str) -> tuple[str, Called]:
    names, _, rest = line.partition(":")
    inputs, _, attributes = rest.partition("|")
    words, choices = [], {}
    for word in attributes.split():
        attribute, _, listed = word.partition("{")
        words.append(attribute)
        if listed:
            choices[attribute.rstrip("!")] = frozenset(listed.rstrip("}").split(";"))
    name, _, own = names.partition("=")
    return name, Called(
        own or name,
        tuple(inputs.replace("*", " ").split()),
        tuple(word.rstrip("!") for word in words),
        frozenset(word.rstrip("!") for word in words if word.endswith("!")),
        "*" in inputs,
        choices,
    )
