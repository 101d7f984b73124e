"""Who owns which NeuronCore: kernel-held locks on one file, so that a death frees everything at once (SPEC O).

The state directory holds ``ncs.lock`` and one ``<key>.json`` a process. Open-file-description locks on byte ranges of
the lock file are the only truth; the file stays empty:

* byte ``i``: NeuronCore ``i`` of the instance is owned.
* byte ``_MUTEX``: somebody is choosing. Held for well under a millisecond.
* bytes from ``_TICKETS``: the queue of NEURON_ADAPTERS_WAIT, a byte a waiter, in order of arrival.
* byte ``_ALIVE + key``: the process that publishes ``<key>.json`` lives.

The JSON beside it is for people and tools. Whoever reads it holds no lock, and believes it only as far as the locks
bear it out.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import secrets
import stat
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuron_rt.config import Config
from neuron_rt.errors import NeuronCoresNotAvailableError, StateDirectoryError
from neuron_rt.placement import listed

log = logging.getLogger("neuron_rt")

LOCK_NAME = "ncs.lock"
RECORD_VERSION = 1

_MUTEX = 1 << 40
_TICKETS = 1 << 41
_TICKETS_END = (1 << 42) - 1
_ALIVE = 1 << 42
_KEY_BITS = 60
_MUTEX_PATIENCE = 10.0  # seconds; a holder needs far less, unless it was stopped with SIGSTOP
_LARGEST_RECORD = 1 << 20
_MOST_RECORDS = 8192
_FLOCK = struct.Struct("@hhqqi")  # struct flock of 64-bit Linux: type, whence, start, length, pid


@dataclass(frozen=True)
class Owner:
    """What one living process publishes. Everything but ``key`` is that process's own word."""

    key: str
    pid: int
    command: str
    tag: str
    ncs: tuple[int, ...]
    record: Mapping[str, Any] = field(repr=False)

    def __str__(self) -> str:
        tag = f" [{self.tag}]" if self.tag else ""
        return f"pid {self.pid}{tag} owns {listed(self.ncs)}: {self.command}"


#: What this process has open; a forked child must let go of all of it.
_open_here: set[_LockFile] = set()


class _LockFile:
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
        while not self.take(_MUTEX):
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
            self.give(_MUTEX)

    def is_current(self) -> bool:
        """Whether the path still leads to the file that is locked (nobody removed the directory meanwhile)."""
        try:
            mine, there = os.fstat(self.fd), os.stat(self.path / LOCK_NAME, follow_symlinks=False)
        except OSError:
            return False
        return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)

    def close(self) -> None:
        _open_here.discard(self)
        for fd in (self.fd, self.dir_fd):
            with contextlib.suppress(OSError):
                os.close(fd)


class Ownership:
    """The NeuronCores of this process. Made by :func:`acquire`; ``ncs`` are instance indexes in visible order."""

    def __init__(self, lock: _LockFile, ncs: tuple[int, ...], key: int) -> None:
        self.ncs = ncs
        self._lock = lock
        self._key = key

    def publish(self, record: Mapping[str, Any]) -> None:
        """Replace what this process says of itself. Never raises: a full disk must not stop a model."""
        name = f"{self._key:015x}.json"
        body = json.dumps({"version": RECORD_VERSION, "ncs": self.ncs, **record}).encode()
        fresh = f".{name}.{secrets.token_hex(4)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(fresh, flags, 0o644, dir_fd=self._lock.dir_fd)
            try:
                with open(fd, "wb") as file:
                    file.write(body)
                os.replace(fresh, name, src_dir_fd=self._lock.dir_fd, dst_dir_fd=self._lock.dir_fd)
            except OSError:
                os.unlink(fresh, dir_fd=self._lock.dir_fd)
                raise
        except OSError as error:
            log.debug("cannot publish %s: %s", name, error)

    def withdraw(self) -> None:
        """Take back what was published; the NCs stay owned."""
        with contextlib.suppress(OSError):
            os.unlink(f"{self._key:015x}.json", dir_fd=self._lock.dir_fd)

    def release(self) -> None:
        """Give everything back (SPEC O1)."""
        self.withdraw()
        self._lock.close()


def acquire(config: Config) -> Ownership:
    """Take the configured NeuronCores, all or none (SPEC O1-O3, C2, C3).

    Raises NeuronCoresNotAvailableError, at once or after NEURON_ADAPTERS_WAIT, and StateDirectoryError.
    """
    deadline = time.monotonic() + config.wait
    for _attempt in range(3):
        lock = _LockFile(config.state_dir, shared=config.shared_state)
        try:
            ncs = _take(lock, config, deadline)
            if lock.is_current():
                return Ownership(lock, ncs, _come_alive(lock))
        except BaseException:
            lock.close()
            raise
        lock.close()  # the directory was removed under our feet: once more, in the new one
    raise StateDirectoryError(
        f"{config.state_dir}: the directory is removed again and again while it is in use. "
        "Find what clears it, or set NEURON_ADAPTERS_STATE_DIR.",
        path=str(config.state_dir),
    )


def owners(directory: Path, *, shared: bool = True) -> tuple[Owner, ...]:
    """Every living process that publishes here, ordered by its first NC. Locks nobody out and waits for nobody."""
    try:
        lock = _LockFile(directory, shared=shared, create=False)
    except FileNotFoundError:
        return ()
    try:
        return _read_owners(lock)
    finally:
        lock.close()


def _take(lock: _LockFile, config: Config, deadline: float) -> tuple[int, ...]:
    total = config.instance.nc_count
    exact = config.visible

    def attempt() -> tuple[int, ...] | None:
        with lock.choosing():
            if exact is not None:
                for done, nc in enumerate(exact):
                    if not lock.take(nc):
                        for taken in exact[:done]:
                            lock.give(taken)
                        return None
                return exact
            for start in range(total - config.count + 1):
                if lock.take(start, config.count):
                    return tuple(range(start, start + config.count))
        return None

    # Who waits does not overtake those who wait already.
    queued = config.wait > 0 and lock.holder(_TICKETS, _TICKETS_END - _TICKETS) is not None
    got = None if queued else attempt()
    if got is None and config.wait > 0:
        log.info("waiting up to %g s for NeuronCores", config.wait)
        got = _wait(lock, deadline, attempt)
    if got is None:
        raise _not_available(lock, config)
    return got


def _wait(lock: _LockFile, deadline: float, attempt: Any) -> tuple[int, ...] | None:
    """Queue up: a ticket is a locked byte above all others, so a dead waiter leaves the queue by dying."""
    with lock.choosing():
        ticket = max(lock.held(_TICKETS, _TICKETS_END - _TICKETS), default=_TICKETS - 1) + 1
        lock.take(ticket)
    try:
        while time.monotonic() < deadline:
            first = ticket == _TICKETS or lock.holder(_TICKETS, ticket - _TICKETS) is None
            if first:
                got: tuple[int, ...] | None = attempt()
                if got is not None:
                    return got
            far = not first and lock.holder(_TICKETS, max(1, ticket - _TICKETS - 8)) is not None
            time.sleep(min(0.02 if far else 0.002 if first else 0.004, max(0.0, deadline - time.monotonic())))
        return None
    finally:
        lock.give(ticket)


def _not_available(lock: _LockFile, config: Config) -> NeuronCoresNotAvailableError:
    taken = set(lock.held(0, config.instance.nc_count))
    if config.visible is not None:
        free = len(set(config.visible) - taken)
        run = config.visible == tuple(range(config.visible[0], config.visible[0] + len(config.visible)))
        asked = f"nc{config.visible[0]}-nc{config.visible[-1]}" if run else ",".join(f"nc{n}" for n in config.visible)
        concerned = set(config.visible)
        requested: tuple[int, ...] | int = config.visible
    else:
        free = config.instance.nc_count - len(taken)
        concerned = set(range(config.instance.nc_count))
        requested, asked = config.count, str(config.count)
    who = tuple(owner for owner in _read_owners(lock) if concerned & set(owner.ncs))
    # An owner that was killed in mid-sentence, or has not published yet, is still an owner.
    silent = (taken & concerned) - {nc for owner in who for nc in owner.ncs}
    lines = [str(owner) for owner in who]
    if silent:
        lines.append(f"{listed(tuple(sorted(silent)))}: owner has not published itself yet")
    apart = f" (free, but no run of {config.count})" if config.visible is None and free >= config.count else ""
    return NeuronCoresNotAvailableError(
        f"NeuronCore(s) not available - Requested:{asked} Available:{free}{apart}. "
        + "; ".join(lines or ["no owner is left by now"])
        + ". End those processes, ask for others or fewer, or set NEURON_ADAPTERS_WAIT=SECONDS to wait.",
        requested=requested,
        available=free,
        owners=who,
    )


def _come_alive(lock: _LockFile) -> int:
    """Lock a byte of our own and clear away what the dead left behind."""
    with lock.choosing():
        key = secrets.randbits(_KEY_BITS)
        while not lock.take(_ALIVE + key):
            key = secrets.randbits(_KEY_BITS)
        for name in _record_names(lock.dir_fd):
            other = int(name.lstrip(".")[:15], 16)
            if other != key and lock.holder(_ALIVE + other) is None:
                with contextlib.suppress(OSError):  # another user's file in a sticky directory
                    os.unlink(name, dir_fd=lock.dir_fd)
    return key


def _record_names(dir_fd: int) -> list[str]:
    names = []
    with os.scandir(dir_fd) as entries:
        for entry in entries:
            stem = entry.name.lstrip(".")[:15]
            if ".json" in entry.name and len(stem) == 15 and set(stem) <= set("0123456789abcdef"):
                names.append(entry.name)
            if len(names) >= _MOST_RECORDS:
                break
    return names


def _read_owners(lock: _LockFile) -> tuple[Owner, ...]:
    found = []
    for name in _record_names(lock.dir_fd):
        if name.startswith(".") or lock.holder(_ALIVE + int(name[:15], 16)) is None:
            continue
        owner = _read_record(lock.dir_fd, name)
        if owner:
            found.append(owner)
    return tuple(sorted(found, key=lambda owner: (owner.ncs, owner.key)))


def _read_record(dir_fd: int, name: str) -> Owner | None:
    """One record, or None for anything that does not look like one: it is another process's word."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=dir_fd)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
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
        command=_plain(record.get("command"), 200),
        tag=_plain(record.get("tag"), 64),
        ncs=tuple(ncs[:4096]),
        record=record,
    )


def _plain(value: object, limit: int) -> str:
    """Text that cannot move a terminal's cursor."""
    text = value if isinstance(value, str) else ""
    return "".join(char if char.isprintable() else "?" for char in text[:limit])


def command_line() -> str:
    """This process's command line as ``ps`` shows it."""
    try:
        return Path("/proc/self/cmdline").read_bytes()[:4096].replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return " ".join(sys.argv)


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
