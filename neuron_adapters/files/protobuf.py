"""Reads protocol buffers in place: without a framework, without copies, and with every length checked.

A reader asks for the fields of a message, and for those of the messages in it. Other fields are skipped by their
length, whatever their size or depth.
"""

from __future__ import annotations

from collections.abc import Iterator

#: No number has more bytes.
_LONGEST_NUMBER = 10
_FIXED = {1: 8, 5: 4}


class WireError(ValueError):
    """The bytes are not a protocol buffer."""


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a message, in the order of the bytes. The value is a number for numbers
    (the raw little-endian one for those of a fixed width), a view of the bytes for texts, messages and packed lists.
    Raises WireError."""
    at, end = 0, len(data)
    while at < end:
        key, at = _number(data, at)
        number, kind = key >> 3, key & 7
        if not number:
            raise WireError(f"a field has the number 0 at byte {at}")
        if kind == 0:
            value, at = _number(data, at)
            yield number, value
        elif kind == 2:
            size, at = _number(data, at)
            if size > end - at:
                raise WireError(f"field {number} has {size} bytes, and {end - at} are left")
            yield number, data[at : at + size]
            at += size
        elif kind in _FIXED:
            size = _FIXED[kind]
            if size > end - at:
                raise WireError(f"field {number} ends too early")
            yield number, int.from_bytes(data[at : at + size], "little")
            at += size
        else:
            raise WireError(f"field {number} is of kind {kind}")


def each(data: memoryview, number: int) -> Iterator[int | memoryview]:
    """Yield the values of a message's fields of that number. Raises WireError."""
    return (value for other, value in fields(data) if other == number)


def last(data: memoryview, number: int) -> memoryview:
    """Read a field of bytes: the last one of that number counts, and there may be none. Raises WireError."""
    content = memoryview(b"")
    for value in each(data, number):
        content = view(value)
    return content


def _number(data: memoryview, at: int) -> tuple[int, int]:
    """Read a number of variable width, and where it ends."""
    value = 0
    for index, byte in enumerate(data[at : at + _LONGEST_NUMBER]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value & (1 << 64) - 1, at + index + 1
    raise WireError(f"the number at byte {at} does not end")


def view(value: int | memoryview) -> memoryview:
    """Take ``value`` as bytes. Raises WireError for a number."""
    if isinstance(value, int):
        raise WireError("there is a number where there should be bytes")
    return value


def text(value: int | memoryview) -> str:
    """Take ``value`` as text; bytes that are not UTF-8 become escapes."""
    return bytes(view(value)).decode(errors="backslashreplace")


def integer(value: int | memoryview) -> int:
    """Take ``value`` as a whole number with a sign. Raises WireError for bytes."""
    if isinstance(value, memoryview):
        raise WireError("there are bytes where there should be a number")
    return value - (1 << 64) if value >> 63 else value


def integers(value: int | memoryview, most: int) -> list[int]:
    """Read a field of a list of at most ``most`` whole numbers, packed or single. Raises WireError for more."""
    if isinstance(value, int):
        return [integer(value)]
    numbers: list[int] = []
    at = 0
    while at < len(value):
        if len(numbers) >= most:
            raise WireError(f"a list has more than {most} numbers")
        number, at = _number(value, at)
        numbers.append(integer(number))
    return numbers
