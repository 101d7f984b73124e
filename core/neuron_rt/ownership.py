"""Who owns which NeuronCore: taken all or none, given back by the end of the process at the latest (SPEC O1-O3)."""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from neuron_rt.config import Config
from neuron_rt.errors import NeuronCoresNotAvailableError, StateDirectoryError
from neuron_rt.locks import ALIVE, KEY_BITS, TICKETS, TICKETS_END, LockFile, LockFileClosedError
from neuron_rt.observer import RECORD_VERSION, Observer, file_names, key_of
from neuron_rt.placement import first_fit, listed
from neuron_rt.undo import Undo, opened

log = logging.getLogger("neuron_rt")

_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW

#: unlinkat(2), which says nothing of a file that is not there.
_unlinkat = ctypes.PyDLL(None).unlinkat


class Ownership:
    """The NeuronCores of this process. Made by ``acquire``; ``ncs`` are instance indexes in visible order. What
    it holds is given back in C and once, by ``release`` or by the kernel at the end of the process."""

    def __init__(self, lock: LockFile, ncs: tuple[int, ...], key: int) -> None:
        self.ncs = ncs
        self._lock = lock
        self._key = key
        self.held: list[Undo] = lock.held
        """What holds the NCs; empty once they are given back."""
        # Never dropped: an interpreter that shuts down clears its modules while destructors may still run models. The
        # NCs stay owned until they are released or the process is gone, the record until the modules go.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(lock))
        self._unpublishing = Undo(lock.published.clear)
        for kind in ("json", "board"):
            lock.published.append(Undo(_unlinkat, lock.dir_fd, f"{key:015x}.{kind}".encode(), 0))

    def publish(self, record: Mapping[str, Any]) -> None:
        """Replace the record of this process. Never raises: a full disk must not stop a model."""
        name = f"{self._key:015x}.json"
        body = json.dumps({"version": RECORD_VERSION, "ncs": self.ncs, **record}).encode()
        fresh = f".{name}.{os.urandom(4).hex()}"
        try:
            dir_fd = self._lock.dir_fd
            try:
                file = opened(fresh, _NEW_FILE | os.O_WRONLY, 0o644, dir_fd=dir_fd)
                while body:
                    body = body[os.write(file.args[0], body) :]
                os.replace(fresh, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            except OSError:
                os.unlink(fresh, dir_fd=dir_fd)
                raise
        except (OSError, LockFileClosedError) as error:
            log.debug("cannot publish %s: %s", name, error)

    def board_file(self) -> Undo | None:
        """A new, empty file to count in; None where none can be made."""
        name = f"{self._key:015x}.board"
        try:
            return opened(name, _NEW_FILE | os.O_RDWR, 0o644, dir_fd=self._lock.dir_fd)
        except OSError as error:
            log.debug("cannot count for the tools: %s", error)
            return None

    def is_current(self) -> bool:
        """Whether the locks are on the file that other processes lock, too."""
        return self._lock.is_current()

    def release(self) -> None:
        """Give everything back (SPEC O1); nothing where that has happened, or in a forked child."""
        self._lock.close()


def acquire(config: Config, pending: list[list[Undo]] | None = None) -> Ownership:
    """Take the configured NeuronCores, all or none (SPEC O1-O3, C2, C3).

    ``pending``: a list that gets each list of open files, for a caller that closes them where the start is interrupted.
    Raises NeuronCoresNotAvailableError, at once or after NEURON_ADAPTERS_WAIT, and StateDirectoryError.
    """
    deadline = time.monotonic() + config.wait
    for _attempt in range(3):
        held: list[Undo] = []
        if pending is not None:
            pending.append(held)
        try:
            lock = LockFile(config.state_dir, shared=config.shared_state, held=held)
            ncs = _take(lock, config, deadline)
            if lock.is_current():
                return Ownership(lock, ncs, _come_alive(lock))
        except BaseException:
            held.clear()
            raise
        held.clear()  # the directory was removed meanwhile: try again, in the new one
    raise StateDirectoryError(
        f"{config.state_dir}: the directory is removed again and again while it is in use. "
        "Find what clears it, or set NEURON_ADAPTERS_STATE_DIR.",
        path=str(config.state_dir),
    )


def owned(directory: Path, nc_count: int, *, shared: bool = True) -> frozenset[int]:
    """NCs of the first ``nc_count`` that processes own, published or not: what the locks say."""
    try:
        lock = LockFile(directory, shared=shared, create=False)
    except FileNotFoundError:  # no process has ever owned an NC
        return frozenset()
    return frozenset(lock.held_by_others(0, nc_count))


def foresee(config: Config) -> tuple[int, ...]:
    """The NCs that ``acquire`` would take now. Takes nothing, does not wait, and raises as it would."""
    ncs = choose_ncs(config, owned(config.state_dir, config.instance.nc_count, shared=config.shared_state))
    if ncs is None:
        raise _not_available(LockFile(config.state_dir, shared=config.shared_state, create=False), config)
    return ncs


def choose_ncs(config: Config, taken: frozenset[int] = frozenset()) -> tuple[int, ...] | None:
    """The NCs for ``config`` where ``taken`` are owned, in visible order; None where they can't be had (C2, C3)."""
    if config.visible is not None:
        return config.visible if taken.isdisjoint(config.visible) else None
    free = lambda start, count: taken.isdisjoint(range(start, start + count))
    return first_fit(config.instance.nc_count, config.count, free)


def _take(lock: LockFile, config: Config, deadline: float) -> tuple[int, ...]:
    exact = config.visible

    def attempt() -> tuple[int, ...] | None:
        lock.choose()
        got = first_fit(config.instance.nc_count, config.count, lock.take) if exact is None else _exactly(lock, exact)
        lock.chosen()
        return got

    # A process that would wait does not overtake those that wait already.
    queued = config.wait > 0 and lock.holder(TICKETS, TICKETS_END - TICKETS) is not None
    got = None if queued else attempt()
    if got is None and config.wait > 0:
        log.info("waiting up to %g s for NeuronCores", config.wait)
        got = _wait(lock, deadline, attempt)
    if got is None:
        raise _not_available(lock, config)
    return got


def _exactly(lock: LockFile, ncs: tuple[int, ...]) -> tuple[int, ...] | None:
    """Take these NCs, all or none."""
    for index, nc in enumerate(ncs):
        if not lock.take(nc):
            for taken in ncs[:index]:
                lock.give(taken)
            return None
    return ncs


def _wait(lock: LockFile, deadline: float, attempt: Callable[[], tuple[int, ...] | None]) -> tuple[int, ...] | None:
    """Queue up: a ticket is a locked byte above all others, so a process that dies has left the queue."""
    lock.choose()
    ticket = max(lock.held_by_others(TICKETS, TICKETS_END - TICKETS), default=TICKETS - 1) + 1
    lock.take(ticket)
    lock.chosen()
    got = None
    while got is None and time.monotonic() < deadline:
        first = ticket == TICKETS or lock.holder(TICKETS, ticket - TICKETS) is None
        got = attempt() if first else None
        if got is None:
            far = not first and lock.holder(TICKETS, max(1, ticket - TICKETS - 8)) is not None
            time.sleep(min(0.02 if far else 0.002 if first else 0.004, max(0.0, deadline - time.monotonic())))
    lock.give(ticket)
    return got


def _not_available(lock: LockFile, config: Config) -> NeuronCoresNotAvailableError:
    visible, count, every = config.visible, config.count, range(config.instance.nc_count)
    taken = frozenset(lock.held_by_others(0, len(every)))
    asked = str(count)
    if visible is not None:
        run = visible == tuple(range(visible[0], visible[0] + len(visible)))
        asked = f"nc{visible[0]}-nc{visible[-1]}" if run else ",".join(f"nc{nc}" for nc in visible)
    concerned = frozenset(every if visible is None else visible)
    free = len(concerned - taken)
    living = Observer(lock.path).read_through(lock, counters=False)
    who = tuple(owner for owner in living if concerned & set(owner.ncs))
    # A process that has not published yet, or was killed while it did, owns its NCs all the same.
    silent = (taken & concerned) - {nc for owner in who for nc in owner.ncs}
    lines = [str(owner) for owner in who]
    if silent:
        lines.append(f"{listed(tuple(sorted(silent)))}: owner has not published itself yet")
    owners = f"{'; '.join(lines)}. " if lines else ""
    if choose_ncs(config, taken) is not None:
        remark, remedy = " (an owner left meanwhile)", "Try again"
    else:
        remark = f" (free, but not {count} in a row)" if visible is None and free >= count else ""
        remedy = "End those processes, ask for others or fewer"
    return NeuronCoresNotAvailableError(
        f"NeuronCore(s) not available - Requested:{asked} Available:{free}{remark}. {owners}"
        f"{remedy}, or set NEURON_ADAPTERS_WAIT=SECONDS to wait.",
        requested=count if visible is None else visible,
        available=free,
        owners=who,
    )


def _come_alive(lock: LockFile) -> int:
    """Lock a byte for this process, and remove what dead processes have left behind."""
    lock.choose()
    key = _random_key()
    while not lock.take(ALIVE + key):
        key = _random_key()
    for name in file_names(lock.dir_fd):
        other = key_of(name)
        if other != key and lock.holder(ALIVE + other) is None:
            with contextlib.suppress(OSError):  # another user's file in a sticky directory
                os.unlink(name, dir_fd=lock.dir_fd)
    lock.chosen()
    return key


def _random_key() -> int:
    return int.from_bytes(os.urandom(8), "big") % (1 << KEY_BITS)


def command_line() -> str:
    """This process's command line as ``ps`` shows it."""
    try:
        return Path("/proc/self/cmdline").read_bytes()[:4096].replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return " ".join(sys.argv)
