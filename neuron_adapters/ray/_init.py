"""``neuron_adapters.ray.init``: ``ray.init``, where a node that it starts declares this machine's NeuronCores."""

from __future__ import annotations

import contextlib
import os
import socket
import warnings
from collections.abc import Iterator
from typing import Any

import psutil  # Ray brings it
import ray
from ray._private.utils import read_ray_address

from neuron_adapters.ray import offer
from neuron_rt import VISIBLE_CORES, Config


def init(address: str | None = None, **options: Any) -> Any:
    """``ray.init(address, **options)``. Without an address it connects to RAY_ADDRESS or to a node of this machine, as
    Ray does; where there is none, it starts one, which declares the NeuronCores of this machine's instance that no
    process owns and no other node has declared (SPEC M1).

    Returns what ``ray.init`` returns. Raises as it does, and NeuronConfigError, StateDirectoryError.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    if ray.is_initialized() or address not in (None, "", "local"):
        return ray.init(address, **options)
    if not address and not _is_gone():
        with contextlib.suppress(ConnectionError):
            return ray.init("auto", **options)
    with offer.alone(Config.read().state_dir):
        own = offer.read()
        resources = {offer.RESOURCE: len(own.ncs), **(options.pop("resources", None) or {})}
        if not own.ncs:
            warnings.warn(
                "every NeuronCore of this machine is owned, or declared by another Ray node: this node declares none",
                RuntimeWarning,
                stacklevel=2,
            )
        with _variable(VISIBLE_CORES, own.variable):  # the node's processes inherit it
            try:
                return ray.init("local", resources=resources, **options)
            except BaseException:  # Ctrl-C in a notebook, say
                _end_node()
                raise


def _is_gone() -> bool:
    """Whether the cluster whose address Ray has noted on this machine has ended: Ray would wait for it for minutes."""
    host, _, port = (read_ray_address() or "").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:  # a machine that does not answer may be there: let Ray say it
        return isinstance(error, ConnectionRefusedError)
    return False


def _end_node() -> None:
    """End a node that has not started to the end, which Ray would end with this process: it declares NeuronCores."""
    ray.shutdown()
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if child.name() in {"raylet", "gcs_server"}:
                child.kill()
                child.wait()


@contextlib.contextmanager
def _variable(name: str, value: str | None) -> Iterator[None]:
    """Set a variable, or remove it where ``value`` is None, for the time of the block."""
    before = os.environ.pop(name, None)
    try:
        if value is not None:
            os.environ[name] = value
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before
