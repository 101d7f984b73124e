"""Ways to damage a file, seeded."""

from __future__ import annotations

import random
import struct


def damaged(data: bytes, rng: random.Random) -> bytes:
    """``data`` with one to three things wrong with it."""
    copy = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not copy:
            break
        kind, at = rng.randrange(9), rng.randrange(len(copy))
        if kind == 0:
            del copy[at:]
        elif kind in (1, 2):
            copy[at] ^= 1 << rng.randrange(8)
        elif kind == 3:
            copy[at : at + 8] = rng.randbytes(8)
        elif kind == 4:
            copy[at : at + 8] = b"\xff" * 8
        elif kind == 5:
            copy[at:at] = copy[: rng.randrange(60)]
        elif kind == 6:
            del copy[at : at + rng.randrange(1, 40)]
        elif kind == 7:
            copy[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, len(copy), len(copy) * 2)))
        else:
            end = min(len(copy), at + rng.randrange(1, 30))
            copy[at:end] = copy[at:end] * rng.randrange(2, 20)
    return bytes(copy)
