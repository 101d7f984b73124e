"""Reads a pickle in a TorchScript archive without unpickling it: nothing is imported or called.

An object becomes a ``PickledObject``: the name of its class, its arguments and its state. Only the opcodes that PyTorch
writes are accepted. Each byte is read once, and becomes at most a small object. Objects, lists, dicts and tuples, which
are larger, are counted (SPEC F2).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")


class PickleError(ValueError):
    """The bytes are not a pickle as PyTorch writes them."""


@dataclass(eq=False, slots=True)
class PickledObject:
    """An object that is not made: its class or function by name, its arguments, and its state."""

    name: str
    arguments: Any = ()
    state: Any = None


class _Mark:
    """Where a list, dict or tuple begins on the stack."""


_MARK = _Mark()
#: Objects, lists, dicts, tuples, and entries of the memo. An opcode of a byte makes one of 60 to 250 bytes.
_MOST_OBJECTS = 1 << 20
#: TorchScript's numbers have 8 bytes. Longer ones could be chosen to collide in a dict, which takes quadratic time.
_LONGEST_NUMBER = 8
_LONGEST_NAME = 1 << 10


def read(data: bytes | memoryview) -> Any:
    """The value of a pickle: texts as bytes, objects as PickledObject. Its size is bounded by that of ``data``, but its
    parts may be shared, and hold each other. Raises PickleError."""
    try:
        return _Reader(bytes(data)).run()
    except (IndexError, struct.error, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise PickleError(f"it is not a pickle as PyTorch writes them ({type(error).__name__})") from error


class _Reader:
    """The stack and the memo of a pickle while it is read. Its methods do what opcodes say."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._objects = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value on top of the stack where the pickle stops."""
        while True:
            code = self._data[self._at]
            self._at += 1
            if code == _STOP:
                return self._stack.pop()
            if code not in _OPCODES:
                raise PickleError(f"it has the opcode {code:#x}, which PyTorch does not write")
            action, operand = _OPCODES[code]
            action(self, operand)

    def push(self, value: Any) -> None:
        """Put a constant on the stack."""
        self._stack.append(value)

    def push_number(self, form: str) -> None:
        """Put a number on the stack that is written in the form of ``struct``."""
        self._stack.append(self._unpack(form))

    def push_long(self, _operand: None) -> None:
        """Put a number on the stack that is written with its size."""
        size = self._unpack("<B")
        if size > _LONGEST_NUMBER:
            raise PickleError(f"a number in it has {size} bytes")
        self._stack.append(int.from_bytes(self._bytes(size), "little", signed=True))

    def push_text(self, form: str) -> None:
        """Put a text on the stack, as bytes. ``form``: of its length."""
        self._stack.append(self._bytes(self._unpack(form)))

    def push_new(self, container: type) -> None:
        """Put an empty list or dict on the stack."""
        self._stack.append(self._counted(container()))

    def push_class(self, _operand: None) -> None:
        """Put a class or function on the stack, by name."""
        self._stack.append(self._counted(PickledObject(f"{self._line()}.{self._line()}")))

    def tuple_of(self, size: int) -> None:
        """Make a tuple of the topmost items."""
        if len(self._stack) < size:
            raise PickleError("a tuple in it has too few items")
        self._stack[-size:] = [self._counted(tuple(self._stack[-size:]))]

    def tuple_from_mark(self, _operand: None) -> None:
        """Make a tuple of the items from the mark on."""
        self._stack.append(self._counted(tuple(self._marked())))

    def call(self, _operand: None) -> None:
        """Note a call of a class or function with a tuple of arguments."""
        arguments = self._stack.pop()
        self._stack.append(self._counted(PickledObject(self._stack.pop().name, arguments)))

    def set_state(self, _operand: None) -> None:
        """Note the state of an object."""
        state = self._stack.pop()
        self._stack[-1].state = state

    def persistent(self, _operand: None) -> None:
        """Note an object that lies in another member of the archive."""
        self._stack.append(self._counted(PickledObject("persistent", self._stack.pop())))

    def append(self, _operand: None) -> None:
        """Append the topmost item to the list below it."""
        item = self._stack.pop()
        self._stack[-1].append(item)

    def extend(self, _operand: None) -> None:
        """Append the items from the mark on to the list below it."""
        items = self._marked()
        self._stack[-1].extend(items)

    def set_item(self, _operand: None) -> None:
        """Put a key and its value into the dict below them."""
        self._put([self._stack.pop(-2), self._stack.pop()])

    def set_items(self, _operand: None) -> None:
        """Put the keys and values from the mark on into the dict below it."""
        self._put(self._marked())

    def store(self, form: str) -> None:
        """Keep the topmost item in the memo. ``form``: of its number there."""
        item = self._stack[-1]
        self._memo[self._counted(self._unpack(form))] = item

    def fetch(self, form: str) -> None:
        """Put an item of the memo on the stack. ``form``: of its number there."""
        self._stack.append(self._memo[self._unpack(form)])

    def skip(self, form: str) -> None:
        """Step over a number."""
        self._unpack(form)

    def _put(self, items: Sequence[Any]) -> None:
        for key, value in zip(items[::2], items[1::2]):
            self._stack[-1][key if isinstance(key, (bytes, int, float, bool)) else id(key)] = value

    def _marked(self) -> list[Any]:
        """Take the items from the last mark on off the stack."""
        at = next(index for index in range(len(self._stack) - 1, -2, -1) if index < 0 or self._stack[index] is _MARK)
        if at < 0:
            raise PickleError("a list in it has no beginning")
        items = self._stack[at + 1 :]
        del self._stack[at:]
        return items

    def _unpack(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return value

    def _counted(self, item: Item) -> Item:
        self._objects += 1
        if self._objects > _MOST_OBJECTS:
            raise PickleError(f"it makes more than {_MOST_OBJECTS} objects")
        return item

    def _bytes(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise PickleError(f"a text in it has {size} bytes, and {len(self._data) - self._at} are left")
        self._at += size
        return self._data[self._at - size : self._at]

    def _line(self) -> str:
        end = self._data.find(b"\n", self._at, self._at + _LONGEST_NAME)
        if end < 0:
            raise PickleError("a name in it does not end")
        start, self._at = self._at, end + 1
        return self._data[start:end].decode()


_STOP = ord(".")
#: What the reader does for each opcode of PyTorch's, and with which operand.
_OPCODES: dict[int, tuple[Callable[[_Reader, Any], None], Any]] = {
    0x80: (_Reader.skip, "<B"),  # the version of the protocol
    ord("N"): (_Reader.push, None),
    0x88: (_Reader.push, True),
    0x89: (_Reader.push, False),
    ord("("): (_Reader.push, _MARK),
    ord(")"): (_Reader.push, ()),
    ord("]"): (_Reader.push_new, list),
    ord("}"): (_Reader.push_new, dict),
    ord("c"): (_Reader.push_class, None),
    ord("J"): (_Reader.push_number, "<i"),
    ord("K"): (_Reader.push_number, "<B"),
    ord("M"): (_Reader.push_number, "<H"),
    ord("G"): (_Reader.push_number, ">d"),
    0x8A: (_Reader.push_long, None),
    ord("X"): (_Reader.push_text, "<I"),
    0x8D: (_Reader.push_text, "<Q"),
    ord("T"): (_Reader.push_text, "<I"),
    ord("U"): (_Reader.push_text, "<B"),
    0x8C: (_Reader.push_text, "<B"),
    ord("B"): (_Reader.push_text, "<I"),
    ord("C"): (_Reader.push_text, "<B"),
    ord("t"): (_Reader.tuple_from_mark, None),
    0x85: (_Reader.tuple_of, 1),
    0x86: (_Reader.tuple_of, 2),
    0x87: (_Reader.tuple_of, 3),
    0x81: (_Reader.call, None),
    ord("R"): (_Reader.call, None),
    ord("b"): (_Reader.set_state, None),
    ord("Q"): (_Reader.persistent, None),
    ord("a"): (_Reader.append, None),
    ord("e"): (_Reader.extend, None),
    ord("s"): (_Reader.set_item, None),
    ord("u"): (_Reader.set_items, None),
    ord("q"): (_Reader.store, "<B"),
    ord("r"): (_Reader.store, "<I"),
    ord("h"): (_Reader.fetch, "<B"),
    ord("j"): (_Reader.fetch, "<I"),
}
