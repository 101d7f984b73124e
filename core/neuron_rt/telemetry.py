"""What a process counts while it runs models, in a file that tools read and nobody waits for (SPEC T1, X5).

The file is a table of 64-bit words in native byte order, mapped by its process: a header, a word for each visible NC,
and a row for each replica. One thread at a time writes a row, the one that holds the replica's NCs. Nothing is locked:
a row ends with the number of updates that were started and begins with the number of those that were finished. Whoever
copies it from begin to end and finds both the same has no update in it that was not whole. What is told in words, names
and files, stands in the JSON record beside it (``ownership``).
"""

from __future__ import annotations

import logging
import mmap
import os
import time
from collections import deque
from collections.abc import Callable

log = logging.getLogger("neuron_rt")

#: "NRTboard" as a little-endian word: what is no board, or of the other byte order, is ignored.
MAGIC = int.from_bytes(b"NRTboard", "little")
VERSION = 1
#: Replicas that are counted for others to see; more than so many count for their process alone.
ROWS = 1024
_CHUNK = 64  # rows whose room on the disk is taken at a time
WORD = 8  # bytes

# Words of the header. USED: rows up to the last that was ever used.
H_MAGIC, H_VERSION, H_NCS, H_ROWS, H_WIDTH, H_PID, H_BEGAN, H_USED = range(8)
HEADER = 16  # words, some to spare

# Words of a row. FINISHED, STARTED: updates. SINCE: when the call began that runs now, 0 where none does.
(FINISHED, NUMBER, REPLICA, START_NC, NC_COUNT, CALLS, ERRORS, TIMEOUTS, SWITCHES, BUSY, SINCE, WAITED, GONE) = range(
    13
)
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
    """The counters of one replica. ``words`` is written to by whoever holds its NCs."""

    __slots__ = ("_leave", "index", "words")

    def __init__(
        self, words: memoryview | None = None, index: int = -1, leave: Callable[[Row], None] | None = None
    ) -> None:
        """Without ``words``, a row that nobody else sees."""
        self.words = memoryview(bytearray(WORD * ROW_WORDS)).cast("q") if words is None else words
        self.index = index
        self._leave = leave

    def leave(self, gone: int = GONE) -> None:
        """Give the row back. Safe from a destructor, which may run anywhere: it only leaves a note, and needs no name
        of this module, which may be empty by then."""
        self.words[gone] = 1
        if self._leave is not None:
            self._leave(self)

    def detach(self) -> None:
        """Count for this process alone from now on."""
        self.words = memoryview(bytearray(self.words)).cast("q")
        self._leave = None


def count(words: memoryview, spent: int, waited: int, since: int, failed: bool = False) -> None:
    """Count a call that held its NCs for ``spent`` ns after it had waited ``waited`` ns for them. ``since``: what
    SINCE was before it: another call's, where one of the same thread runs within the other. ``failed``: it raised."""
    words[STARTED] = update = words[STARTED] + 1
    words[SINCE] = since
    words[CALLS] += 1
    if failed:
        words[ERRORS] += 1
    words[BUSY] += spent
    place = bucket(spent)
    words[BUCKETS + place] += 1
    if waited:
        words[WAITED] += waited
        words[WAITS + place] -= 1
        words[WAITS + bucket(spent + waited)] += 1
    words[FINISHED] = update


def bucket(spent: int) -> int:
    """The bucket of a duration in ns."""
    octave = (spent >> 10).bit_length()  # 1 from 1024 ns on
    if not octave:
        return 0
    place = 2 * octave - 1 + (spent >> (octave + 8) & 1)
    return place if place < LAST_BUCKET else LAST_BUCKET  # noqa: FURB136 - a call to min() takes twice as long


class Board:
    """The table of this process. Rows are given out and taken back by one thread at a time."""

    def __init__(self, nc_count: int, file: int | None = None) -> None:
        """``file``: a descriptor of a new, empty file, which the board keeps. None counts in memory of the process
        alone, and so do rows for which the disk has no room."""
        self._nc_count = nc_count
        self._file = file
        self._rows: dict[int, Row] = {}
        self._free: list[int] = []
        self._used = self._room = 0
        self._left: deque[Row] = deque()
        self._words = self._mapped()
        for place, word in ((H_VERSION, VERSION), (H_NCS, nc_count), (H_ROWS, ROWS), (H_WIDTH, ROW_WORDS)):
            self._words[place] = word
        self._words[H_PID], self._words[H_BEGAN] = os.getpid(), clock()
        self._words[H_MAGIC] = MAGIC  # last: now it is one

    def row(self, number: int, replica: int, start_nc: int, nc_count: int) -> Row:
        """A row for a replica of model ``number`` on those visible NCs."""
        self.collect()
        index = self._take()
        if index < 0:
            row = Row()
        else:
            start = self._start(index)
            row = self._rows[index] = Row(self._words[start : start + ROW_WORDS], index, self._left.append)
        words = row.words
        words[REPLICA], words[START_NC], words[NC_COUNT] = replica, start_nc, nc_count
        words[NUMBER] = number
        return row

    def collect(self) -> None:
        """Take back rows that were left. How long their NCs were busy stays counted."""
        while self._left:
            row = self._left.popleft()
            words = row.words
            words[STARTED] = update = words[STARTED] + 1
            for nc in range(words[START_NC], words[START_NC] + words[NC_COUNT]):
                self._words[HEADER + nc] += words[BUSY]
            for place in range(NUMBER, STARTED):
                words[place] = 0
            words[FINISHED] = update
            del self._rows[row.index]
            self._free.append(row.index)

    def detach(self) -> None:
        """In a forked child: the file is the parent's, and so are its rows."""
        for row in self._rows.values():
            row.detach()
        self._rows.clear()
        self._left = deque()
        self._used, self._free, self._room = ROWS, [], ROWS  # nothing is given out any more
        self.close()

    def close(self) -> None:
        """Let go of the file. Rows count on, for their process alone once it is removed."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _start(self, index: int) -> int:
        return HEADER + self._nc_count + index * ROW_WORDS

    def _take(self) -> int:
        """The index of a free row, -1 where there is none."""
        if self._free:
            return self._free.pop()
        if self._used == ROWS:
            return -1
        if self._used == self._room:
            if not self._allocate(self._start(self._room), _CHUNK * ROW_WORDS):
                return -1
            self._room += _CHUNK
        self._used += 1
        self._words[H_USED] = self._used
        return self._used - 1

    def _allocate(self, start: int, words: int) -> bool:
        """Take room on the disk: one that is full later would end the process at a write."""
        if self._file is None:
            return True
        try:
            os.posix_fallocate(self._file, start * WORD, words * WORD)
        except OSError as error:
            log.debug("no room to count for the tools: %s", error)
            return False
        return True

    def _mapped(self) -> memoryview:
        size = WORD * self._start(ROWS)
        if self._file is not None:
            try:
                os.ftruncate(self._file, size)
                if self._allocate(0, self._start(0)):
                    return memoryview(mmap.mmap(self._file, size)).cast("q")
            except OSError as error:
                log.debug("cannot count for the tools: %s", error)
            self.close()
        return memoryview(mmap.mmap(-1, size)).cast("q")
