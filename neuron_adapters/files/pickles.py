"""What a pickle in a TorchScript archive says, without unpickling it: nothing is imported, called or made.

Objects come as ``Made``, with the name of their class and what they would be made of. Only the opcodes that PyTorch
writes are known. Each byte is read once, and becomes a small object at most; objects, lists, dicts and tuples, which
are larger, are counted (SPEC F2).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")


class PickleError(ValueError):
    """The bytes are no pickle as PyTorch writes them."""


@dataclass(eq=False, slots=True)
class Made:
    """An object: its class or function by name, its arguments, and its state."""

    name: str
    arguments: Any = ()
    state: Any = None


class _Mark:
    pass


_MARK = _Mark()
_FIXED: dict[int, tuple[str, Any]] = {
    ord("J"): ("<i", None), ord("K"): ("<B", None), ord("M"): ("<H", None), ord("G"): (">d", None),
}  # fmt: skip
_CONSTANTS = {ord("N"): None, 0x88: True, 0x89: False}
#: Opcodes with a text: how its length is written.
_TEXTS = {ord("X"): "<I", 0x8D: "<Q", ord("T"): "<I", ord("U"): "<B", 0x8C: "<B", ord("B"): "<I", ord("C"): "<B"}
_STORES = {ord("q"): "<B", ord("r"): "<I"}
_FETCHES = {ord("h"): "<B", ord("j"): "<I"}
_TUPLES = {0x85: 1, 0x86: 2, 0x87: 3}
#: Objects, lists, dicts, tuples, and what is stored for later. An opcode of a byte makes one of 60 to 250 bytes.
_MOST_OBJECTS = 1 << 20
#: TorchScript's numbers have 8 bytes. Longer ones could be chosen to collide in a dict, which takes quadratic time.
_LONGEST_NUMBER = 8
_LONGEST_NAME = 1 << 10


def read(data: bytes | memoryview) -> Any:
    """The value of a pickle: texts as bytes, objects as Made. Its size is bounded by that of ``data``, but its parts
    may be shared, and hold each other. Raises PickleError."""
    try:
        return _Reader(bytes(data)).run()
    except (IndexError, struct.error, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise PickleError(f"it is no pickle as PyTorch writes them ({type(error).__name__})") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._objects = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        stack = self._stack
        while True:
            code = self._data[self._at]
            self._at += 1
            if code == ord("."):
                return stack.pop()
            if code in _TEXTS:
                stack.append(self._bytes(self._unpack(_TEXTS[code])))
            elif code in _STORES:
                self._memo[self._counted(self._unpack(_STORES[code]))] = stack[-1]
            elif code in _FETCHES:
                stack.append(self._memo[self._unpack(_FETCHES[code])])
            elif code in _FIXED:
                stack.append(self._unpack(_FIXED[code][0]))
            elif code in _CONSTANTS:
                stack.append(_CONSTANTS[code])
            elif code in _TUPLES:
                if len(stack) < _TUPLES[code]:
                    raise PickleError("a tuple in it has too few items")
                stack[-_TUPLES[code] :] = [self._counted(tuple(stack[-_TUPLES[code] :]))]
            else:
                self._other(code)

    def _other(self, code: int) -> None:
        stack = self._stack
        if code == 0x80:
            self._unpack("<B")
        elif code == ord("c"):
            stack.append(self._counted(Made(f"{self._line()}.{self._line()}")))
        elif code == ord("("):
            stack.append(_MARK)
        elif code == ord(")"):
            stack.append(())
        elif code == ord("]"):
            stack.append(self._counted([]))
        elif code == ord("}"):
            stack.append(self._counted({}))
        elif code == ord("t"):
            stack.append(self._counted(tuple(self._marked())))
        elif code in (0x81, ord("R")):
            arguments = stack.pop()
            stack.append(self._counted(Made(stack.pop().name, arguments)))
        elif code == ord("b"):
            state = stack.pop()
            stack[-1].state = state
        elif code == ord("Q"):
            stack.append(self._counted(Made("persistent", stack.pop())))
        elif code == 0x8A:
            size = self._unpack("<B")
            if size > _LONGEST_NUMBER:
                raise PickleError(f"a number in it has {size} bytes")
            stack.append(int.from_bytes(self._bytes(size), "little", signed=True))
        elif code in (ord("a"), ord("e")):
            items = [stack.pop()] if code == ord("a") else self._marked()
            stack[-1].extend(items)
        elif code in (ord("s"), ord("u")):
            items = [stack.pop(-2), stack.pop()] if code == ord("s") else self._marked()
            for key, value in zip(items[::2], items[1::2]):
                stack[-1][key if isinstance(key, (bytes, int, float, bool)) else id(key)] = value
        else:
            raise PickleError(f"it has the opcode {code:#x}, which PyTorch does not write")

    def _marked(self) -> list[Any]:
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
