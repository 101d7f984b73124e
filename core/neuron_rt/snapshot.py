"""Reading what a process has counted (``telemetry``) while it goes on counting (SPEC T1).

A reader copies, since it would crash if it mapped a file that is then truncated, and checks every length in the file.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from neuron_rt import telemetry as board
from neuron_rt.instance import MOST_NCS
from neuron_rt.telemetry import BUCKETS, HEADER, LAST_BUCKET, ROW_WORDS, WAITS, WORD, clock

_ATTEMPTS = 20  # at a row in the middle of an update; a thread that was stopped there is not waited for
_AT_ONCE = HEADER + 16 + 8 * ROW_WORDS  # words: all there is of most boards, in one system call


@dataclass(frozen=True)
class Counters:
    """What a row said.

    ``busy``: ns for which its NCs were taken, by a call that runs now too; ``running``: whether one does. ``waited``:
    ns that calls waited for the NCs. ``buckets``: calls by their time on the NCs, ``totals``: by that and the wait (see
    ``bucket_limit``).
    """

    number: int
    replica: int
    start_nc: int
    nc_count: int
    calls: int
    errors: int
    timeouts: int
    switches: int
    busy: int
    waited: int
    running: bool
    buckets: tuple[int, ...]
    totals: tuple[int, ...]


@dataclass(frozen=True)
class Snapshot:
    """A board as it was at ``at`` (ns of ``clock``). ``busy``: ns for each visible NC since ``began``."""

    pid: int
    began: int
    at: int
    busy: tuple[int, ...]
    rows: tuple[Counters, ...]

    @classmethod
    def read(cls, file: int) -> Snapshot | None:
        """Read the board of an open file; None for anything else, a board of a newer version included."""
        words = _copy(file)
        if words is None:
            return None
        at = clock()
        starts = range(HEADER + words[board.H_NCS], len(words), ROW_WORDS)
        busy = words[HEADER : HEADER + words[board.H_NCS]].tolist()
        rows = []
        for start in starts:
            row = _whole(file, words, start)
            first, size = row[board.START_NC], row[board.NC_COUNT]
            if row[board.NUMBER] <= 0 or first < 0 or size < 1 or first + size > len(busy):
                continue
            since = row[board.SINCE]
            taken = row[board.BUSY] + (at - since if 0 < since <= at else 0)
            for nc in range(first, first + size):
                busy[nc] += taken
            if row[board.GONE]:
                continue
            counted = tuple([max(0, calls) for calls in row[BUCKETS:WAITS]])
            rows.append(
                Counters(
                    number=row[board.NUMBER],
                    replica=row[board.REPLICA],
                    start_nc=first,
                    nc_count=size,
                    calls=row[board.CALLS],
                    errors=row[board.ERRORS],
                    timeouts=row[board.TIMEOUTS],
                    switches=row[board.SWITCHES],
                    busy=taken,
                    waited=row[board.WAITED],
                    running=since != 0,
                    buckets=counted,
                    totals=_with_waits(counted, row[WAITS : board.STARTED]) if row[board.WAITED] else counted,
                )
            )
        return cls(words[board.H_PID], words[board.H_BEGAN], at, tuple(busy), tuple(rows))


def bucket_limit(place: int) -> float:
    """Seconds that no call in a bucket exceeds: 1.024 us, 1.536, 2.048, 3.072, ... Infinity for the last."""
    if place >= LAST_BUCKET:
        return float("inf")
    octave, upper = divmod(place, 2)
    return (1024 << octave) * (1.5 if upper else 1.0) * 1e-9


def percentile(buckets: Sequence[int], percent: float) -> float:
    """Seconds that ``percent`` of the calls in ``buckets`` took at most; 0.0 where there are none.

    As exact as a bucket is wide: within its calls time is taken to be spread evenly, the last bucket to be as wide as
    the one before.
    """
    total = sum(buckets)
    wanted = total * percent / 100
    passed = 0
    for place, calls in enumerate(buckets):
        if calls and passed + calls >= wanted:
            low = bucket_limit(place - 1) if place else 0.0
            high = bucket_limit(place) if place < LAST_BUCKET else low * 1.5
            return low + (high - low) * max(0.0, (wanted - passed) / calls)
        passed += calls
    return 0.0


def _with_waits(counted: Sequence[int], waits: Sequence[int]) -> tuple[int, ...]:
    return tuple([both if (both := call + wait) > 0 else 0 for call, wait in zip(counted, waits)])


def _copy(file: int) -> array[int] | None:
    """The header, the words of the NCs and the rows that were ever used; None for anything but a board."""
    words = _words(file, 0, _AT_ONCE)
    kind = (board.MAGIC, board.VERSION, ROW_WORDS)
    if len(words) < HEADER or (words[board.H_MAGIC], words[board.H_VERSION], words[board.H_WIDTH]) != kind:
        return None
    ncs, used = words[board.H_NCS], words[board.H_USED]
    if not (0 <= ncs <= MOST_NCS and 0 <= used <= board.ROWS):
        return None
    size = HEADER + ncs + used * ROW_WORDS
    if len(words) < size:
        words += _words(file, len(words), size - len(words))
    return words[:size] if len(words) >= size else None


def _whole(file: int, words: array[int], start: int) -> array[int]:
    """A row, copied again while an update is under way in it."""
    row = words[start : start + ROW_WORDS]
    for _attempt in range(_ATTEMPTS):
        if row[board.CALLS] == row[board.STARTED]:
            break
        again = _words(file, start, ROW_WORDS)
        if len(again) == ROW_WORDS:
            row = again
    return row


def _words(file: int, start: int, size: int) -> array[int]:
    words = array("q")
    data = os.pread(file, size * WORD, start * WORD)
    words.frombytes(data[: len(data) // WORD * WORD])
    return words
