"""Kernel-held locks on the bytes of one file, so that a death frees everything at once (SPEC O).

The state directory holds ``ncs.lock`` and, for each process, ``<key>.json`` and ``<key>.board`` (``telemetry``).
Open-file-description locks on byte ranges of the lock file are the only truth; the file stays empty:

* byte ``i``: NeuronCore ``i`` of the instance is owned.
* byte ``MUTEX``: somebody is choosing. Held for well under a millisecond.
* bytes from ``TICKETS``: the queue of NEURON_ADAPTERS_WAIT, a byte a waiter, in order of arrival.
* byte ``ALIVE + key``: the process that publishes ``<key>.json`` lives.

The files beside it are for people and tools. Whoever reads them holds no lock, and believes them only as far as the
locks bear them out.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from neuron_rt.errors import StateDirectoryError

LOCK_NAME = "ncs.lock"

MUTEX = 1 << 40
TICKETS = 1 << 41
TICKETS_END = (1 << 42) - 1
ALIVE = 1 << 42
KEY_BITS = 60
_MUTEX_PATIENCE = 10.0  # seconds; a holder needs far less, unless it was stopped with SIGSTOP
_FLOCK = struct.Struct("@hhqqi")  # struct flock of 64-bit Linux: type, whence, start, length, pid

#: What this process has open; a forked child must let go of all of it.
_open_here: set[LockFile] = set()


class LockFile:
    """Byte locks on the lock file of one state directory."""

    def __init__(self, directory: Path, *, shared: bool, create: bool = True) -> None:
        self.path = directory
        self.dir_fd = _open_directory(directory, shared=shared, create=create)
        try:
            self.fd = _open_lock(self.dir_fd, directory, create=create)
        except BaseException:
            os.close(self.dir_fd)
            raise
        _open_here.add(self)
        # A shared flock keeps systemd-tmpfiles from clearing an old directory that is in use.
        with contextlib.suppress(OSError):
            fcntl.flock(self.dir_fd, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def take(self, start: int, length: int = 1) -> bool:
        """Lock a range if all of it is free; the kernel does it in one step."""
        try:
            fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0))
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
        fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, start, length, 0))

    def holder(self, start: int, length: int = 1) -> tuple[int, int] | None:
        """Some range in here that another process has locked: (start, length); None where all is free."""
        query = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
        kind, _whence, at, size, _pid = _FLOCK.unpack(fcntl.fcntl(self.fd, fcntl.F_OFD_GETLK, query)[: _FLOCK.size])
        return None if kind == fcntl.F_UNLCK else (at, size)

    def held(self, start: int, length: int) -> Iterator[int]:
        """Every byte of the range that other processes have locked."""
        seen: set[int] = set()
        pending = [(start, start + length)]
        while pending:
            low, high = pending.pop()
            found = self.holder(low, high - low) if low < high else None
            if found is None:
                continue
            first, end = max(found[0], low), min(found[0] + found[1], high)
            seen.update(range(first, end))
            pending += [(low, first), (end, high)]
        yield from sorted(seen)

    @contextlib.contextmanager
    def choosing(self) -> Iterator[None]:
        """The short mutex round first fit."""
        deadline = time.monotonic() + _MUTEX_PATIENCE
        while not self.take(MUTEX):
            if time.monotonic() > deadline:
                raise StateDirectoryError(
                    f"{self.path / LOCK_NAME}: another process has been choosing its NeuronCores for "
                    f"{_MUTEX_PATIENCE:.0f} s; it may be stopped (SIGSTOP). Continue or end it, then try again.",
                    path=str(self.path),
                )
            time.sleep(0.0005 + secrets.randbelow(1000) / 1e6)
        try:
            yield
        finally:
            self.give(MUTEX)

    def is_current(self) -> bool:
        """Whether the path still leads to the file that is locked (nobody removed the directory meanwhile)."""
        try:
            mine, there = os.fstat(self.fd), os.stat(self.path / LOCK_NAME, follow_symlinks=False)
        except OSError:
            return False
        return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)

    def close(self) -> None:
        """Let go of every lock."""
        _open_here.discard(self)
        for fd in (self.fd, self.dir_fd):
            with contextlib.suppress(OSError):
                os.close(fd)


def _open_directory(path: Path, *, shared: bool, create: bool) -> int:
    """Open the state directory and make sure of O5: nobody else can write to it, or it is sticky and chosen."""
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
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        if create:
            raise _unusable(path, "was removed while it was being opened") from None
        raise
    except OSError as error:
        why = "is a link or no directory" if error.errno in {errno.ELOOP, errno.ENOTDIR} else f"{error.strerror}"
        raise _unusable(path, why) from error
    info = os.fstat(fd)
    mine = info.st_uid == os.geteuid()
    others = info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    problem = None
    if others and not (shared and info.st_mode & stat.S_ISVTX):
        problem = "can be written to by other users" + (
            " and has no sticky bit (chmod +t makes it safe to share)" if shared else ""
        )
    elif not mine and not (shared and (info.st_uid == 0 or info.st_mode & stat.S_ISVTX)):
        problem = f"belongs to user {info.st_uid}"
    if problem:
        os.close(fd)
        raise _unusable(path, problem)
    return fd


def _open_lock(dir_fd: int, directory: Path, *, create: bool) -> int:
    """Open the lock file, made on first use, refusing links and anything that is no plain file."""
    access = os.O_RDWR if create else os.O_RDONLY
    flags = access | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    writable_by = stat.S_IMODE(os.fstat(dir_fd).st_mode) & 0o022
    for _attempt in range(100):
        try:
            fd = os.open(LOCK_NAME, flags, dir_fd=dir_fd)
        except FileNotFoundError:
            if not create:
                raise
            try:
                fd = os.open(LOCK_NAME, flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=dir_fd)
                # Whoever may write to the directory shares the instance, whatever our umask says.
                os.fchmod(fd, 0o600 | writable_by | (writable_by << 1))
                with contextlib.suppress(OSError):  # we are not in the directory's group: then others can't be either
                    os.fchown(fd, -1, os.fstat(dir_fd).st_gid)
            except FileExistsError:
                continue
            except OSError as error:
                raise _unusable(directory, f"does not take a file ({error.strerror})") from error
        except OSError as error:
            raise _unusable(directory, f"holds a {LOCK_NAME} that cannot be opened ({error.strerror})") from error
        info = os.fstat(fd)
        if stat.S_ISREG(info.st_mode) and info.st_nlink <= 1:
            return fd
        os.close(fd)
        raise _unusable(directory, f"holds a {LOCK_NAME} that is not a plain file")
    raise _unusable(directory, f"has a {LOCK_NAME} that comes and goes")


def _in_child() -> None:
    """O4: close the parent's open files, its half-made ones of other threads too. Closing a copy releases nothing of
    the parent's; keeping it would hold the parent's NCs after its death."""
    for lock in list(_open_here):
        lock.close()


os.register_at_fork(after_in_child=_in_child)


def _unusable(path: Path, why: str) -> StateDirectoryError:
    return StateDirectoryError(
        f"The state directory {path} {why}. "
        "Remove or repair it, or set NEURON_ADAPTERS_STATE_DIR to a directory of your own.",
        path=str(path),
    )
