"""Describes the machine: CPUs behind the NeuronCores, limits, the state directory (SPEC I1, I3, O5)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from neuron_adapters.tools.shared.numa import Nodes
from neuron_adapters.tools.shared.text import ranges
from neuron_rt import Config, choose_ncs, cpus_of_ncs, listed

_MOVE = "form the groups in another order, of other sizes, or of other NEURON_RT_VISIBLE_CORES"
_LINES = 4
_EACH = 4  # NCs on a line
_FLOCK = struct.Struct("@hhqqi")  # struct flock of 64-bit Linux: type, whence, start, length, pid
_UNUSED_BYTE = 1 << 39  # of the lock file, for no NC


@dataclass(frozen=True)
class Limits:
    """Limits of a cgroup: ``cpus`` as a time share, ``memory`` in bytes; None where there is no limit."""

    cpus: float | None
    memory: int | None


def map_of(config: Config) -> list[str]:
    """Say which CPUs are behind which NCs, in a few lines however many there are."""
    cpus = sorted(cpu.index for cpu in config.cpus)
    count = config.instance.nc_count
    if not cpus:
        return ["the CPUs of this machine are not known, so models are not bound to any"]
    if count > len(cpus):
        if len(cpus) == 1:
            return [f"all {count} NeuronCores share CPU {cpus[0]}"]
        shares = f"NC0, NC{len(cpus)}, NC{2 * len(cpus)}, ..." if count > 2 * len(cpus) else f"NC0 and NC{len(cpus)}"
        return [f"{count} NeuronCores on {len(cpus)} CPUs ({ranges(cpus)}) in turn: {shares} share CPU {cpus[0]}"]
    behind = cpus_of_ncs(count, config.cpus)
    cells = [f"NC{nc}: {ranges(sorted(own))}" for nc, own in enumerate(behind)]
    if len(cells) > _EACH * _LINES:
        cells = [*cells[: _EACH * 2 - 1], "...", *cells[-_EACH:]]
    width = max(map(len, cells)) + 2
    rows = [cells[first : first + _EACH] for first in range(0, len(cells), _EACH)]
    lines = ["CPU " + "".join(cell.ljust(width) for cell in row).rstrip() for row in rows]
    left = sorted(set(cpus) - frozenset[int]().union(*behind))
    return [*lines, *([f"CPU {ranges(left)}: not used, since the CPUs do not divide evenly"] if left else [])]


def nodes_of(config: Config) -> Nodes:
    """The NUMA nodes behind the NCs of the instance; none where models are bound to no CPUs."""
    return Nodes(cpus_of_ncs(config.instance.nc_count, config.cpus) if config.affinity else (), config.cpus)


def spans_of(nodes: Nodes, config: Config) -> list[str]:
    """Say which NCs, and which groups of a process of this environment, have CPUs of several NUMA nodes."""
    # NCs themselves span nodes only where they are fewer than the nodes.
    spans = [nodes.explain(f"NC{nc}", [nc], "") for nc in range(len(nodes.of)) if nodes.span([nc])]
    if spans:
        return spans
    visible = choose_ncs(config) or ()
    for index, group in enumerate(config.groups if nodes.of else ()):
        ncs = visible[group.start : group.start + group.size]
        if nodes.span(ncs):
            spans.append(nodes.explain(f"group {index} ({listed(ncs)})", ncs, _MOVE))
    return spans


def limits_of(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> Limits:
    """Read the tightest limits of the cgroups that this process is in, version 1 or 2."""
    cpus: list[float] = []
    memory: list[int] = []
    for folder in _cgroups(root, membership):
        quota, _, period = _word(folder / "cpu.max").partition(" ")
        if not quota:
            quota, period = _word(folder / "cpu.cfs_quota_us"), _word(folder / "cpu.cfs_period_us")
        with contextlib.suppress(ValueError, ZeroDivisionError):
            cpus.append(int(quota) / int(period))
        with contextlib.suppress(ValueError):
            memory.append(int(_word(folder / "memory.max") or _word(folder / "memory.limit_in_bytes")))
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Limits(
        min((share for share in cpus if share > 0), default=None),
        min((size for size in memory if size < machine), default=None),
    )


def _cgroups(root: Path, membership: Path) -> list[Path]:
    """List the folders that may hold limits: each cgroup of this process, up to its root."""
    folders = [root, root / "cpu", root / "cpu,cpuacct", root / "memory"]
    with contextlib.suppress(OSError):
        for line in membership.read_text().splitlines()[:64]:
            _number, _, rest = line.partition(":")
            kinds, _, path = rest.partition(":")
            parts = [part for part in path.split("/") if part and part != ".."]
            own = root / kinds if kinds else root
            folders += [own.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1)]
    return folders


def _word(path: Path) -> str:
    try:
        with open(path) as file:
            return file.read(64).strip()
    except (OSError, ValueError):
        return ""


@dataclass(frozen=True)
class StateDirectory:
    """``mode``: its rights as ``ls`` shows them, empty where it does not exist. ``locks``: whether its file system
    takes locks, None where that cannot be told. ``problem``: why it cannot be used."""

    path: str
    mode: str
    owner: int | None
    locks: bool | None
    problem: str


def state_of(path: Path) -> StateDirectory:
    """Look at the state directory. Nothing is left behind, and no NC is taken, not even for a moment."""
    try:
        info = os.lstat(path)
    except OSError as error:
        parent = path.parent
        problem = ""
        if error.errno != errno.ENOENT:
            problem = f"cannot be read ({error.strerror})"
        elif not os.access(parent, os.W_OK | os.X_OK):
            problem = f"cannot be made: {parent} " + ("is not writable" if parent.exists() else "does not exist")
        return StateDirectory(str(path), "", None, _takes_locks(parent), problem)
    return StateDirectory(str(path), stat.filemode(info.st_mode), info.st_uid, _takes_locks(path), "")


def _takes_locks(directory: Path) -> bool | None:
    """Try to lock an unused byte of the lock file or, where there is none, of a file without a name."""
    for opened, flags, kind in (
        (directory / "ncs.lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, fcntl.F_RDLCK),
        (directory, getattr(os, "O_TMPFILE", 0) | os.O_RDWR | os.O_NOFOLLOW, fcntl.F_WRLCK),
    ):
        try:
            fd = os.open(opened, flags | os.O_CLOEXEC, 0o600)
        except OSError:
            continue
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, _UNUSED_BYTE, 1, 0))
        except OSError as error:
            return False if error.errno not in {errno.EAGAIN, errno.EACCES} else None
        else:
            return True
        finally:
            os.close(fd)
    return None
