"""Ways to damage a file, seeded."""

from __future__ import annotations

import random
import struct


def damaged(data: bytes, rng: random.Random) -> bytes:
    """``data`` with one to three things wrong with it."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not made:
            break
        kind, at = rng.randrange(9), rng.randrange(len(made))
        if kind == 0:
            del made[at:]
        elif kind in (1, 2):
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 3:
            made[at : at + 8] = rng.randbytes(8)
        elif kind == 4:
            made[at : at + 8] = b"\xff" * 8
        elif kind == 5:
            made[at:at] = made[: rng.randrange(60)]
        elif kind == 6:
            del made[at : at + rng.randrange(1, 40)]
        elif kind == 7:
            made[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, len(made), len(made) * 2)))
        else:
            end = min(len(made), at + rng.randrange(1, 30))
            made[at:end] = made[at:end] * rng.randrange(2, 20)
    return bytes(made)
