"""What the processes of a state directory publish, for people and tools: read without a lock (SPEC O5, T1)."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuron_rt.instance import MOST_NCS
from neuron_rt.locks import ALIVE, LockFile
from neuron_rt.placement import listed

if TYPE_CHECKING:
    from neuron_rt.snapshot import Snapshot

RECORD_VERSION = 1
_LARGEST_RECORD = 1 << 20
_MOST_RECORDS = 16384
_LONGEST_COMMAND = 4096  # characters, as many as a process publishes
_LONGEST_TAG = 255  # characters, as documented
#: A record, the beginning of one, or a board.
_NAME = re.compile(r"[0-9a-f]{15}\.(json|board)|\.[0-9a-f]{15}\.json\.[0-9a-f]{8}")
_SHORT = 200  # characters of a command in an error


@dataclass(frozen=True)
class Owner:
    """What one living process publishes. Everything but ``key`` is as the process itself wrote it."""

    key: str
    pid: int
    command: str
    tag: str
    ncs: tuple[int, ...]
    record: Mapping[str, Any] = field(repr=False)
    snapshot: Snapshot | None = field(default=None, repr=False)
    """What it has counted; None where that was not asked for or cannot be read."""

    def __str__(self) -> str:
        tag = f" [{self.tag}]" if self.tag else ""
        command = self.command if len(self.command) <= _SHORT else f"{self.command[:_SHORT]}..."
        return f"pid {self.pid}{tag} owns {listed(self.ncs)}: {command}"

    @property
    def runtime_version(self) -> str:
        """The version of this package that it runs; empty where it does not say."""
        return _plain(self.record.get("runtime_version"), 64)


class Observer:
    """Reads what the processes of one state directory publish, again and again. Neither takes locks nor waits."""

    def __init__(self, directory: Path, *, shared: bool = True) -> None:
        """``shared``: whether NEURON_ADAPTERS_STATE_DIR chose the directory. It need not exist yet."""
        self._directory = directory
        self._shared = shared
        self._lock: LockFile | None = None
        self._records: dict[str, tuple[object, Owner | None]] = {}

    def read(self, *, counters: bool = True) -> tuple[Owner, ...]:
        """Every living process that publishes here, ordered by its first NC; with what it has counted.

        Raises StateDirectoryError where the directory cannot be used.
        """
        if self._lock is None or not self._lock.is_current():
            self.close()
            try:
                self._lock = LockFile(self._directory, shared=self._shared, create=False)
            except FileNotFoundError:
                return ()
        return self.read_through(self._lock, counters=counters)

    def close(self) -> None:
        """Let go of the directory."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def read_through(self, lock: LockFile, *, counters: bool) -> tuple[Owner, ...]:
        """The same through a lock file that is open already. NCs that no process has locked are left out."""
        owners, seen = [], {}
        locked = set(lock.held_by_others(0, MOST_NCS))
        for name in file_names(lock.dir_fd):
            if not name.endswith(".json") or name.startswith("."):
                continue
            if lock.holder(ALIVE + key_of(name)) is None:
                continue
            seen[name] = self._record(lock.dir_fd, name)
            owner = seen[name][1]
            if owner is None:
                continue
            if not locked.issuperset(owner.ncs):
                owner = replace(owner, ncs=tuple(nc for nc in owner.ncs if nc in locked))
            owners.append(replace(owner, snapshot=_read_board(lock.dir_fd, owner.key)) if counters else owner)
        self._records = seen
        return tuple(sorted(owners, key=lambda owner: (owner.ncs, owner.key)))

    def _record(self, dir_fd: int, name: str) -> tuple[object, Owner | None]:
        """A record, and the stamp of its file; it is read again only when the stamp has changed."""
        known = self._records.get(name)
        try:
            info = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        except OSError:  # withdrawn meanwhile
            return None, None
        stamp = (info.st_ino, info.st_mtime_ns, info.st_size)
        return known if known is not None and known[0] == stamp else (stamp, _read_record(dir_fd, name))


def owners(directory: Path, *, shared: bool = True) -> tuple[Owner, ...]:
    """Every living process that publishes here, ordered by its first NC. Neither takes locks nor waits."""
    return Observer(directory, shared=shared).read(counters=False)


def file_names(dir_fd: int) -> list[str]:
    """Files that processes have published, half-written and dead ones too; ``key_of`` tells whose each is."""
    return [name for name in os.listdir(dir_fd) if _NAME.fullmatch(name)][:_MOST_RECORDS]


def key_of(name: str) -> int:
    """The key of the process that published the file ``name``."""
    return int(name.lstrip(".")[:15], 16)


def _open_plain(dir_fd: int, name: str) -> int:
    """Open another process's file for reading; OSError for anything but a plain file."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=dir_fd)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "not a plain file", name)


def _read_board(dir_fd: int, key: str) -> Snapshot | None:
    from neuron_rt.snapshot import Snapshot  # for readers alone: importing the runtime is to be quick

    try:
        with open(_open_plain(dir_fd, f"{key}.board"), "rb", buffering=0) as file:
            return Snapshot.read(file.fileno())
    except OSError:
        return None


def _read_record(dir_fd: int, name: str) -> Owner | None:
    """One record, or None for anything that does not look like one: another process wrote it."""
    try:
        with open(_open_plain(dir_fd, name), "rb") as file:
            body = file.read(_LARGEST_RECORD + 1)
        record = json.loads(body) if len(body) <= _LARGEST_RECORD else None
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("version") != RECORD_VERSION:
        return None
    pid, ncs = record.get("pid"), record.get("ncs")
    if not isinstance(pid, int) or not isinstance(ncs, list) or not all(type(nc) is int for nc in ncs):
        return None
    return Owner(
        key=name[:15],
        pid=pid,
        command=_plain(_one_line(record.get("command")), _LONGEST_COMMAND),
        tag=_plain(record.get("tag"), _LONGEST_TAG),
        ncs=tuple(ncs[:MOST_NCS]),
        record=record,
    )


def _one_line(value: object) -> object:
    """Text whose line breaks and tabs, as ``python -c`` has them, are spaces."""
    return " ".join(value[:_LARGEST_RECORD].split()) if isinstance(value, str) else value


def _plain(value: object, limit: int) -> str:
    """Text that cannot move a terminal's cursor."""
    text = value if isinstance(value, str) else ""
    return "".join(char if char.isprintable() else "?" for char in text[:limit])
