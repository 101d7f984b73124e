"""Kernel-held locks on the bytes of one file, so that a death frees everything at once (SPEC O).

The state directory holds ``ncs.lock`` and, for each process, ``<key>.json`` and ``<key>.board`` (``telemetry``).
Open-file-description locks on byte ranges of the lock file are the only truth; the file stays empty:

* byte ``i``: NeuronCore ``i`` of the instance is owned.
* byte ``MUTEX``: a process is choosing its NeuronCores. Held for well under a millisecond.
* bytes from ``TICKETS``: the queue of NEURON_ADAPTERS_WAIT, a byte a waiter, in order of arrival.
* byte ``ALIVE + key``: the process that publishes ``<key>.json`` lives.

The other files are for people and tools. Readers hold no lock, and believe them only as far as the locks confirm them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from neuron_rt import lifecycle
from neuron_rt.errors import StateDirectoryError
from neuron_rt.lifecycle import Step
from neuron_rt.undo import Undo, opened

LOCK_NAME = "ncs.lock"

MUTEX = 1 << 40
TICKETS = 1 << 41
TICKETS_END = (1 << 42) - 1
ALIVE = 1 << 42
KEY_BITS = 60
_MUTEX_PATIENCE = 10.0  # seconds; a holder needs far less, unless it was stopped with SIGSTOP
_SHARE = "Let its administrator run 'neuron-adapters share {}'"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK
_FLOCK = struct.Struct("@hhqqi")  # struct flock of 64-bit Linux: type, whence, start, length, pid


def flock(kind: int, start: int, length: int = 1) -> bytes:
    """The argument of ``fcntl`` for a lock of ``kind`` (F_WRLCK, F_UNLCK) on a range of bytes."""
    return _FLOCK.pack(kind, os.SEEK_SET, start, length, 0)


_open_here: dict[int, LockFiles] = {}
"""What this process has open, and a forked child must let go of. An entry goes when its ``held`` is emptied."""


class LockFiles(NamedTuple):
    """The files of one LockFile."""

    path: Path
    held: list[Undo]
    """Descriptors; what is emptied is closed."""
    published: list[Undo]
    """What removes the files that were published, when it goes."""


class LockFile:
    """Byte locks on the lock file of one state directory. Once ``close`` or the owner of ``held`` has closed its
    descriptors, every method raises LockFileClosedError."""

    def __init__(self, directory: Path, *, shared: bool, create: bool = True, held: list[Undo] | None = None) -> None:
        """``shared``: whether other users may use the directory. ``held``: a list to keep the descriptors in."""
        self.path = directory
        self.held: list[Undo] = [] if held is None else held
        """Its descriptors, behind its entry among what is open."""
        self.published: list[Undo] = []
        """What removes the files that were published beside it, when it goes."""
        self._closing = Undo(self.held.clear)
        self.held.append(Undo(_open_here.pop, id(self.held), None))
        _open_here[id(self.held)] = LockFiles(directory, self.held, self.published)
        self.held.append(_open_directory(directory, shared=shared, create=create))
        self.held.append(_open_lock(self.dir_fd, directory, create=create))
        # A shared flock keeps systemd-tmpfiles from clearing an old directory that is in use.
        with contextlib.suppress(OSError):
            fcntl.flock(self.dir_fd, fcntl.LOCK_SH | fcntl.LOCK_NB)

    @property
    def dir_fd(self) -> int:
        """The descriptor of the directory."""
        return self._fd(1)

    def fileno(self) -> int:
        """The descriptor of the lock file. To be used at once: a signal handler may close the file at any time, and
        another file may get its number."""
        return self._fd(2)

    @property
    def closed(self) -> bool:
        """Whether it holds no lock any more."""
        return len(self.held) < 3

    def _fd(self, place: int) -> int:
        try:
            fd: int = self.held[place].args[0]
        except IndexError:
            raise LockFileClosedError(str(self.path)) from None
        return fd

    def take(self, start: int, length: int = 1) -> bool:
        """Lock a range if all of it is free; the kernel does it in one step."""
        try:
            fcntl.fcntl(self, fcntl.F_OFD_SETLK, flock(fcntl.F_WRLCK, start, length))
        except OSError as error:
            if error.errno in {errno.EAGAIN, errno.EACCES}:
                return False
            raise StateDirectoryError(
                f"{self.path / LOCK_NAME}: the file system refuses locks ({error.strerror}). "
                "Set NEURON_ADAPTERS_STATE_DIR to a directory on a local file system.",
                path=str(self.path),
            ) from error
        return True

    def give(self, start: int, length: int = 1) -> None:
        """Unlock a range."""
        fcntl.fcntl(self, fcntl.F_OFD_SETLK, flock(fcntl.F_UNLCK, start, length))

    def holder(self, start: int, length: int = 1) -> tuple[int, int] | None:
        """A part of the range that another process has locked, (start, length); None where all is free."""
        query = flock(fcntl.F_WRLCK, start, length)
        kind, _whence, at, size, _pid = _FLOCK.unpack(fcntl.fcntl(self, fcntl.F_OFD_GETLK, query)[: _FLOCK.size])
        return None if kind == fcntl.F_UNLCK else (at, size)

    def held_by_others(self, start: int, length: int) -> Iterator[int]:
        """Every byte of the range that other processes have locked."""
        seen: set[int] = set()
        pending = [(start, start + length)]
        while pending:
            low, high = pending.pop()
            held = self.holder(low, high - low) if low < high else None
            if held is None:
                continue
            first, end = max(held[0], low), min(held[0] + held[1], high)
            seen.update(range(first, end))
            pending += [(low, first), (end, high)]
        yield from sorted(seen)

    def choose(self) -> None:
        """Take the mutex, so that one process at a time chooses NCs. ``chosen`` gives it back, and so does closing."""
        deadline = time.monotonic() + _MUTEX_PATIENCE
        while not self.take(MUTEX):
            if time.monotonic() > deadline:
                raise StateDirectoryError(
                    f"{self.path / LOCK_NAME}: another process has been choosing its NeuronCores for "
                    f"{_MUTEX_PATIENCE:.0f} s; it may be stopped (SIGSTOP). Continue or end it, then try again.",
                    path=str(self.path),
                )
            time.sleep(0.0005 + os.urandom(1)[0] / 256e3)

    def chosen(self) -> None:
        """Give the mutex back."""
        self.give(MUTEX)

    def is_current(self) -> bool:
        """Whether the path still leads to the file that is locked: neither it nor the directory was removed."""
        try:
            mine, there = os.fstat(self.fileno()), os.stat(self.path / LOCK_NAME, follow_symlinks=False)
        except OSError:
            return False
        return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)

    def close(self) -> None:
        """Remove what was published, and let go of every lock. Each is one step in C, which nothing interrupts."""
        self.published.clear()
        self.held.clear()


class LockFileClosedError(Exception):
    """The lock file was closed, by a signal handler for instance, in the middle of what used it."""


def _open_directory(path: Path, *, shared: bool, create: bool) -> Undo:
    """Open the state directory and check it (O5): no other user can write to it, or it is ``shared``, sticky, and
    root's or this user's."""
    if not hasattr(fcntl, "F_OFD_SETLK"):
        raise StateDirectoryError(
            "Owning NeuronCores needs open-file-description locks, which this platform lacks: "
            "neuron_adapters runs on Linux.",
            path=str(path),
        )
    if create:
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass
        except OSError as error:
            raise _unusable(path, f"cannot be made ({error.strerror})") from error
    try:
        folder = opened(path, _DIRECTORY)
    except FileNotFoundError:
        if create:
            raise _unusable(path, "was removed while it was being opened") from None
        raise
    except OSError as error:
        why = "is a link or not a directory" if error.errno in {errno.ELOOP, errno.ENOTDIR} else f"{error.strerror}"
        raise _unusable(path, why) from error
    info = os.fstat(folder.args[0])
    mine = info.st_uid == os.geteuid()
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        if not shared:
            raise _unusable(path, "can be written to by other users")
        if not info.st_mode & stat.S_ISVTX:
            raise _unusable(path, "can be written to by other users and has no sticky bit", _SHARE.format(path))
    if not mine and not (shared and info.st_uid == 0):
        raise _unusable(path, f"belongs to user {info.st_uid}, who could remove what is in it")
    return folder


def _open_lock(dir_fd: int, directory: Path, *, create: bool) -> Undo:
    """Open the lock file, which is made on first use; in a shared directory only the directory's owner makes it (O5).

    Raises StateDirectoryError for anything but a plain file, and for a file that another user could remove or close to
    others.
    """
    flags = _FILE | (os.O_RDWR if create else os.O_RDONLY)
    there = os.fstat(dir_fd)
    writable_by = stat.S_IMODE(there.st_mode) & 0o022
    for _attempt in range(100):
        try:
            file = opened(LOCK_NAME, flags, dir_fd=dir_fd)
        except FileNotFoundError:
            if not create:
                raise
            if writable_by and there.st_uid != os.geteuid():
                why = f"is shared, but its administrator has not made a {LOCK_NAME} in it"
                raise _unusable(directory, why, _SHARE.format(directory)) from None
            try:
                file = opened(LOCK_NAME, flags | os.O_CREAT | os.O_EXCL, dir_fd=dir_fd)
            except FileExistsError:
                continue
            except OSError as error:
                raise _unusable(directory, f"refuses a new file ({error.strerror})") from error
            open_to_users(file.args[0], dir_fd)
        except OSError as error:
            why = f"holds a {LOCK_NAME} that cannot be opened ({error.strerror})"
            raise _unusable(directory, why, *([_SHARE.format(directory)] if writable_by else [])) from error
        owner = _plain(file, directory).st_uid
        if owner not in {0, there.st_uid}:
            why = f"holds a {LOCK_NAME} of user {owner}, who could remove it"
            raise _unusable(directory, why, _SHARE.format(directory))
        return file
    raise _unusable(directory, f"has a {LOCK_NAME} that is removed again and again")


def _plain(file: Undo, directory: Path) -> os.stat_result:
    """What is known of the lock file; raises StateDirectoryError where it is not a plain file with a single name."""
    info = os.fstat(file.args[0])
    if not stat.S_ISREG(info.st_mode) or info.st_nlink > 1:
        raise _unusable(directory, f"holds a {LOCK_NAME} that is not a plain file")
    return info


def open_to_users(fd: int, dir_fd: int) -> None:
    """Let all who may write to the directory lock bytes of its lock file, whatever the umask."""
    there = os.fstat(dir_fd)
    with contextlib.suppress(OSError):  # this user is not in the directory's group
        os.fchown(fd, -1, there.st_gid)
    writable_by = stat.S_IMODE(there.st_mode) & 0o022
    os.fchmod(fd, 0o600 | writable_by | (writable_by << 1))


def share(directory: Path, group: int | None = None) -> None:
    """Make ``directory`` one that all users, or those of ``group``, share: it and its lock file belong to the caller,
    the administrator, who alone can remove them (O5). Changes no lock that is held.

    Raises StateDirectoryError, and PermissionError where the caller is not allowed to.
    """
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    folder = opened(directory, _DIRECTORY)
    os.fchown(folder.args[0], os.geteuid(), -1 if group is None else group)
    os.fchmod(folder.args[0], 0o1777 if group is None else 0o1770)
    file = opened(LOCK_NAME, _FILE | os.O_RDWR | os.O_CREAT, dir_fd=folder.args[0])
    _plain(file, directory)
    os.fchown(file.args[0], os.geteuid(), -1)
    open_to_users(file.args[0], folder.args[0])


def _in_child() -> None:
    """O4: close the parent's open files, its half-made ones of other threads too. Closing a copy releases nothing of
    the parent's; keeping it would hold the parent's NCs after its death."""
    files = list(_open_here.values())
    # A thread that was opening them may have had a descriptor that was not in ``held`` yet.
    half_made = {path for path, held, _published in files if len(held) < 3}
    for _path, held, published in files:
        for undo in published:
            undo.cancel()
        held.clear()
    for directory in half_made:
        _close_copies(directory)


def _close_copies(directory: Path) -> None:
    """Close every descriptor of this process that leads to the lock file of ``directory``."""
    try:
        wanted = os.stat(directory / LOCK_NAME, follow_symlinks=False)
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                info = os.fstat(int(name))
                if (info.st_dev, info.st_ino) == (wanted.st_dev, wanted.st_ino):
                    os.close(int(name))
    except OSError:
        pass


lifecycle.in_child(Step.LOCKS, _in_child)


def _unusable(path: Path, why: str, remedy: str = "Remove or repair it") -> StateDirectoryError:
    return StateDirectoryError(
        f"The state directory {path} {why}. {remedy}, or set NEURON_ADAPTERS_STATE_DIR to a directory of your own.",
        path=str(path),
    )
