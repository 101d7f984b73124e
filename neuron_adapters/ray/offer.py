"""Which NeuronCores a Ray node of this machine may declare: those that no process owns and no other node has (SPEC M1).

What another node has declared is read from its raylet, a process that ends with the node: its command line says how
many NeuronCores, its environment which ones. So a node that is killed has declared nothing any more, and nothing needs
to be cleaned up.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil  # Ray brings it

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
    """Keep others of this machine that use this state directory from making an offer until the block, which starts a
    node, has ended. Raises StateDirectoryError where somebody else takes too long."""
    name = hashlib.sha256(os.path.realpath(directory).encode()).hexdigest()
    end = time.monotonic() + _PATIENCE
    with socket.socket(socket.AF_UNIX) as lock:  # an abstract name: the kernel frees it, however this process ends
        while True:
            try:
                lock.bind(f"\0neuron-adapters {name}")
                break
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                if time.monotonic() > end:
                    raise StateDirectoryError(
                        f"{directory}: another process has been starting a Ray node for {_PATIENCE:.0f} s; it may be "
                        "stopped (SIGSTOP). Continue or end it, then try again.",
                        path=str(directory),
                    ) from None
            time.sleep(0.1)
        yield


def _declared(config: Config) -> frozenset[int]:
    """The NeuronCores that raylets of this machine have declared in the same state directory."""
    ncs: set[int] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it has ended
            if process.name() == "raylet":
                ncs.update(_of_raylet(process, config))
    return frozenset(ncs)


def _of_raylet(process: psutil.Process, config: Config) -> list[int]:
    pairs = next((word.removeprefix(_LIST) for word in process.cmdline() if word.startswith(_LIST)), "").split(",")
    said = dict(zip(pairs[::2], pairs[1::2])).get(RESOURCE, "").partition(".")[0]
    count = min(int(said), config.instance.nc_count) if said.isdecimal() else 0
    try:
        environment = process.environ()
    except psutil.AccessDenied:  # another user's: it is of this state directory only where users share one
        return list(range(count)) if config.shared_state else []
    directory = environment.get(STATE_DIR) or f"/tmp/neuron-adapters-{process.uids().effective}"  # noqa: S108
    if os.path.realpath(directory) != os.path.realpath(config.state_dir):
        return []
    visible = environment.get(VISIBLE_CORES)
    return list(range(count)) if visible is None else [int(nc) for nc in visible.split(",") if nc.isdecimal()][:count]
