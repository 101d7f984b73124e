"""What documented scripts take from ``mx.test_utils``."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

from neuron_adapters.mxnet.base import MXNetError

__all__ = ["download"]


def download(
    url: str,
    fname: str | None = None,
    dirname: str | None = None,
    overwrite: bool = False,
    retries: int = 5,  # noqa: ARG001
) -> str:
    """Return the path of the file of ``url`` where it exists. Raises MXNetError otherwise: nothing is downloaded."""
    path = fname or os.path.basename(unquote(urlsplit(url).path))
    path = os.path.join(dirname, path) if dirname else path
    if os.path.exists(path) and not overwrite:
        return path
    raise MXNetError(
        f"{url} is not downloaded: this package does not use the network. Put it at {path!r} by other means."
    )
