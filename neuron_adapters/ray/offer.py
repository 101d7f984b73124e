"""Which NeuronCores a Ray node of this machine may declare: those that no process owns and no other node has (SPEC M1).

What another node has declared is read from its raylet, a process that ends with the node: its command line says how
many NeuronCores, its environment which ones. So a node that is killed has declared nothing any more, and nothing needs
to be cleaned up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from neuron_rt import INSTANCE, NUM_CORES, STATE_DIR, VISIBLE_CORES, Config, owned

RESOURCE = "neuron_cores"
_LIST = "--static_resource_list="


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
    """Keep others of this machine from making an offer until the block, which starts a node, has ended."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    descriptor = os.open(directory / "ray.lock", os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


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
