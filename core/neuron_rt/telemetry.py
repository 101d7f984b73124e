"""What a process counts while it runs models, in a file that tools read without locks (SPEC T1, X5).

The file is a table of 64-bit words in native byte order, mapped by its process: a header, a word for each visible NC,
and a row for each replica. One thread at a time writes a row, the one that holds the replica's NCs. Nothing is locked:
a row ends with the number of calls that began to be counted and begins with the number of those that were. If both
numbers match in a copy that was made from begin to end, the copy contains no half-written update. What is text, names
and files, stands in the JSON record beside it (``ownership``).
"""

from __future__ import annotations

import logging
import mmap
import os
import sys
import time
import weakref
from array import array
from collections import deque
from operator import setitem

from neuron_rt.undo import Undo

log = logging.getLogger("neuron_rt")

#: "NRTboard" as a little-endian word. Readers ignore all else, such as boards of the other byte order.
MAGIC = int.from_bytes(b"NRTboard", "little")
VERSION = 2
#: Rows of the file. Further replicas are counted for their process alone.
ROWS = 1024
_CHUNK = 64  # rows whose room on the disk is taken at a time
WORD = 8  # bytes

# Words of the header. USED: rows up to the last that was ever used.
H_MAGIC, H_VERSION, H_NCS, H_ROWS, H_WIDTH, H_PID, H_BEGAN, H_USED = range(8)
HEADER = 16  # words, some to spare

# Words of a row. SINCE: when the call began that runs now, 0 where none does. An update begins with STARTED and ends
# with CALLS, which are the same then.
(CALLS, NUMBER, REPLICA, START_NC, NC_COUNT, ERRORS, TIMEOUTS, SWITCHES, BUSY, SINCE, WAITED, GONE) = range(12)
#: Durations in buckets, two an octave, from 1024 ns on: first of the calls on their NCs, then what has to be added to
#: those for the calls with the wait for the NCs in them.
BUCKETS, WAITS = 16, 64
BUCKET_COUNT = WAITS - BUCKETS
LAST_BUCKET = BUCKET_COUNT - 1
STARTED = WAITS + BUCKET_COUNT
ROW_WORDS = STARTED + 8  # whole lines of the processor's cache

#: Nanoseconds of CLOCK_MONOTONIC, the same clock in all processes of the machine.
clock = time.perf_counter_ns


class Row:
    """The counters of one replica. The thread that holds its NCs writes ``words``."""

    __slots__ = ("__weakref__", "_back", "_busy", "calls", "words")

    def __init__(self, words: memoryview[int] | None = None, back: tuple[Undo, ...] = ()) -> None:
        """Without ``words``, a row that no other process sees. ``back`` gives it back when the row is dropped."""
        self.words: memoryview[int] = memoryview(bytearray(WORD * ROW_WORDS)).cast("q") if words is None else words
        self._back = back
        self.calls: int = 0
        self._busy = 0

    def count(self, spent: int, waited: int, failed: bool = False) -> None:
        """Count a call that held its NCs for ``spent`` ns after it had waited ``waited`` ns for them. ``failed``: it
        raised. The update begins with the caller's setting STARTED to ``calls + 1``, and ends here. Numbers are kept
        beside the words, too: reading a word takes as long as writing it."""
        words = self.words
        self.calls += 1
        if failed:
            words[ERRORS] += 1
        words[BUSY] = self._busy = self._busy + spent
        octave = (spent >> 10).bit_length()  # bucket(spent), without the call
        place = 2 * octave - 1 + (spent >> (octave + 8) & 1) if octave else 0
        if place > LAST_BUCKET:  # noqa: PLR1730 - a call to min() takes twice as long
            place = LAST_BUCKET
        words[BUCKETS + place] += 1
        if waited:
            words[WAITED] += waited
            words[WAITS + place] -= 1
            words[WAITS + bucket(spent + waited)] += 1
        words[CALLS] = self.calls  # with those of a signal handler that came in between

    def detach(self) -> None:
        """Count for this process alone from now on."""
        self.words = memoryview(bytearray(self.words)).cast("q")
        for undo in self._back:
            undo.cancel()


def bucket(spent: int) -> int:
    """The bucket of a duration in ns."""
    octave = (spent >> 10).bit_length()  # 1 from 1024 ns on
    if not octave:
        return 0
    place = 2 * octave - 1 + (spent >> (octave + 8) & 1)
    return place if place < LAST_BUCKET else LAST_BUCKET  # noqa: FURB136 - a call to min() takes twice as long


class Board:
    """The table of this process. Rows are given out and taken back by one thread at a time."""

    def __init__(self, nc_count: int, file: Undo | None = None) -> None:
        """``file``: a new, empty file, as ``undo.opened`` opened it. None counts in memory of the process alone, and so
        do rows for which the disk has no room."""
        self._nc_count = nc_count
        self._file = file
        self._rows: dict[int, weakref.ref[Row]] = {}
        self._free: set[int] = set()
        self._used = self._room = 0
        self._left: deque[int] = deque()
        self._words = self._mapped()

    def row(self, number: int, replica: int, ncs: range) -> Row:
        """A row for a replica of model ``number`` on those visible NCs. It is given back when it is dropped."""
        self.collect()
        index = self._next()
        if index < 0:
            row = Row()
        else:
            start = self._start(index)
            words = self._words[start : start + ROW_WORDS]
            row = Row(words, (Undo(self._left.append, index), Undo(setitem, words, GONE, 1)))
            self._rows[index] = weakref.ref(row)
            self._free.discard(index)
            self._used = self._words[H_USED] = max(self._used, index + 1)
        words = row.words
        words[REPLICA], words[START_NC], words[NC_COUNT] = replica, ncs.start, len(ncs)
        words[NUMBER] = number
        return row

    def collect(self) -> None:
        """Take back rows that were dropped. How long their NCs were busy stays counted."""
        while self._left:
            index = self._left[0]
            start = self._start(index)
            words = self._words[start : start + ROW_WORDS]
            words[STARTED] = -1
            for nc in range(words[START_NC], words[START_NC] + words[NC_COUNT]):
                self._words[HEADER + nc] += words[BUSY]
            for place in range(ROW_WORDS):
                words[place] = 0
            self._free.add(index)
            self._left.popleft()

    def detach(self) -> None:
        """In a forked child: the file is the parent's, and so are its rows."""
        for reference in self._rows.values():
            row = reference()
            if row is not None:
                row.detach()
        self._left = deque()
        self._used, self._free, self._room = ROWS, set(), ROWS  # nothing is given out any more
        self.close()

    def close(self) -> None:
        """Let go of the file. Rows count on, for their process alone once it is removed."""
        self._file = None

    def _start(self, index: int) -> int:
        return HEADER + self._nc_count + index * ROW_WORDS

    def _next(self) -> int:
        """The index of a free row, -1 where there is none."""
        if self._free:
            return next(iter(self._free))
        if self._used == ROWS:
            return -1
        if self._used == self._room:
            if not self._allocate(self._start(self._room), _CHUNK * ROW_WORDS):
                return -1
            self._room += _CHUNK
        return self._used

    def _allocate(self, start: int, words: int) -> bool:
        """Take room on the disk: one that is full later would end the process at a write."""
        if self._file is None:
            return True
        try:
            os.posix_fallocate(self._file.args[0], start * WORD, words * WORD)
        except OSError as error:
            log.debug("no room to count for the tools: %s", error)
            return False
        return True

    def _mapped(self) -> memoryview:
        size = WORD * self._start(ROWS)
        header = array("q", bytes(WORD * self._start(0)))
        for place, word in ((H_VERSION, VERSION), (H_NCS, self._nc_count), (H_ROWS, ROWS), (H_WIDTH, ROW_WORDS)):
            header[place] = word
        header[H_PID], header[H_BEGAN] = os.getpid(), clock()
        if self._file is not None:
            try:
                # Written to the file and not to the mapping, of which the first write takes as long as all of this.
                os.ftruncate(self._file.args[0], size)
                if os.pwrite(self._file.args[0], header, 0) == WORD * len(header):
                    os.pwrite(self._file.args[0], MAGIC.to_bytes(WORD, sys.byteorder), WORD * H_MAGIC)  # now it is one
                    return memoryview(mmap.mmap(self._file.args[0], size)).cast("q")
            except OSError as error:
                log.debug("cannot count for the tools: %s", error)
            self.close()
        words = memoryview(mmap.mmap(-1, size)).cast("q")
        words[: len(header)] = memoryview(header)
        return words
