"""What a pickle in a TorchScript archive says, without unpickling it: nothing is imported, called or made.

Objects come as ``Made``, with the name of their class and what they would be made of. Only the opcodes that PyTorch
writes are known.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any


class PickleError(ValueError):
    """The bytes are no pickle as PyTorch writes them."""


@dataclass(eq=False)
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


def read(data: bytes | memoryview) -> Any:
    """The value of a pickle: texts as bytes, objects as Made. Its size is bounded by that of ``data``, but its parts
    may be shared, and hold each other. Raises PickleError."""
    try:
        return _Reader(memoryview(data)).run()
    except (IndexError, struct.error, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise PickleError(f"it is no pickle as PyTorch writes them ({type(error).__name__})") from error


class _Reader:
    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0
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
                self._memo[self._unpack(_STORES[code])] = stack[-1]
            elif code in _FETCHES:
                stack.append(self._memo[self._unpack(_FETCHES[code])])
            elif code in _FIXED:
                stack.append(self._unpack(_FIXED[code][0]))
            elif code in _CONSTANTS:
                stack.append(_CONSTANTS[code])
            elif code in _TUPLES:
                stack[-_TUPLES[code] :] = [tuple(stack[-_TUPLES[code] :])]
            else:
                self._other(code)

    def _other(self, code: int) -> None:
        stack = self._stack
        if code == 0x80:
            self._unpack("<B")
        elif code == ord("c"):
            stack.append(Made(f"{self._line()}.{self._line()}"))
        elif code == ord("("):
            stack.append(_MARK)
        elif code == ord(")"):
            stack.append(())
        elif code == ord("]"):
            stack.append([])
        elif code == ord("}"):
            stack.append({})
        elif code == ord("t"):
            stack.append(tuple(self._marked()))
        elif code in (0x81, ord("R")):
            arguments = stack.pop()
            stack.append(Made(stack.pop().name, arguments))
        elif code == ord("b"):
            state = stack.pop()
            stack[-1].state = state
        elif code == ord("Q"):
            stack.append(Made("persistent", stack.pop()))
        elif code == 0x8A:
            stack.append(int.from_bytes(self._bytes(self._unpack("<B")), "little", signed=True))
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

    def _bytes(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise PickleError(f"a text in it has {size} bytes, and {len(self._data) - self._at} are left")
        self._at += size
        return bytes(self._data[self._at - size : self._at])

    def _line(self) -> str:
        piece = bytes(self._data[self._at : self._at + 1024])
        end = piece.index(b"\n") if b"\n" in piece else -1
        if end < 0:
            raise PickleError("a name in it does not end")
        self._at += end + 1
        return piece[:end].decode()
