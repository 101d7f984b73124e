"""Which NeuronCores a Ray node of this machine may declare: those that no process owns and no other node has (SPEC M1).

What another node has declared is read from its raylet, a process that ends with the node: its command line says how
many NeuronCores, its environment which ones. So a node that is killed has declared nothing any more, and nothing needs
to be cleaned up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from neuron_rt import INSTANCE, NUM_CORES, STATE_DIR, VISIBLE_CORES, Config, StateDirectoryError, owned

RESOURCE = "neuron_cores"
_LIST = "--static_resource_list="
_PATIENCE = 120.0  # seconds; a node starts in some ten


@dataclass(frozen=True)
class Offer:
    """NeuronCores that a node started now may declare, as instance indexes in visible order."""

    ncs: tuple[int, ...]
    variable: str | None
    """What NEURON_RT_VISIBLE_CORES has to be where the node starts, so that Ray hands out just these; None: not set.
    Ray reads a list of numbers, no ranges, and counts from 0 where the variable is not set."""
    environment: str | None
    """What it is."""


def read() -> Offer:
    """Make the offer of this environment. Takes nothing. Raises NeuronConfigError, StateDirectoryError."""
    names = (INSTANCE, NUM_CORES, STATE_DIR, VISIBLE_CORES)
    config = Config.read({name: os.environ[name] for name in names if name in os.environ})
    taken = owned(config.state_dir, config.instance.nc_count, shared=config.shared_state) | _declared(config)
    wanted = range(config.instance.nc_count) if config.visible is None else config.visible
    ncs = tuple(nc for nc in wanted if nc not in taken)[: config.count]
    environment = os.environ.get(VISIBLE_CORES)
    if not ncs:
        return Offer((), environment, environment)
    counted = environment is None and ncs == tuple(range(len(ncs)))
    return Offer(ncs, None if counted else ",".join(map(str, ncs)), environment)


@contextlib.contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Keep others of this machine from making an offer until the block, which starts a node, has ended. Raises
    StateDirectoryError where the directory cannot be used, or somebody else takes too long."""
    path = directory / "ray.lock"
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        descriptor = _opened(path)
    except OSError as error:
        raise StateDirectoryError(
            f"{path}: {error.strerror}. Set NEURON_ADAPTERS_STATE_DIR to a directory of yours, or to a shared one.",
            path=str(path),
        ) from None
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    """Open a lock file, which is made where there is none. Not in one call: Linux makes no file where another user's is
    in a directory that users share. It follows no link, and waits for no pipe."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with contextlib.suppress(FileExistsError):
        made = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
        os.fchmod(made, 0o644)  # whatever the umask: other users lock it too
        return made
    return os.open(path, flags)


def _lock(descriptor: int, path: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise StateDirectoryError(
                    f"{path}: another process has been starting a Ray node for {_PATIENCE:.0f} s; it may be stopped "
                    "(SIGSTOP). Continue or end it, then try again.",
                    path=str(path),
                ) from None
        time.sleep(0.1)


def _declared(config: Config) -> frozenset[int]:
    """The NeuronCores that raylets of this machine have declared in the same state directory."""
    ncs: set[int] = set()
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            if os.path.basename(words[0]) == "raylet":
                ncs.update(_of_raylet(f"/proc/{pid}", words, config))
        except OSError:  # noqa: PERF203 - it has ended
            continue
    return frozenset(ncs)


def _of_raylet(process: str, words: list[str], config: Config) -> list[int]:
    pairs = next((word.removeprefix(_LIST) for word in words if word.startswith(_LIST)), "").split(",")
    count = dict(zip(pairs[::2], pairs[1::2])).get(RESOURCE, "0").partition(".")[0]
    if not count.isdecimal():
        return []
    try:
        raw = Path(f"{process}/environ").read_bytes().decode(errors="replace")
    except PermissionError:  # another user's: it is of this state directory only where users share one
        return list(range(int(count))) if config.shared_state else []
    environment = dict(entry.partition("=")[::2] for entry in raw.split("\0"))
    directory = environment.get(STATE_DIR) or f"/tmp/neuron-adapters-{os.stat(process).st_uid}"  # noqa: S108
    if os.path.realpath(directory) != os.path.realpath(config.state_dir):
        return []
    visible = environment.get(VISIBLE_CORES)
    which = range(int(count)) if visible is None else [int(nc) for nc in visible.split(",") if nc.isdecimal()]
    return list(which)[: int(count)]
