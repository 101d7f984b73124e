"""The process that tests run in: its default context, its environment, its files."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from neuron_adapters.mxnet.base import MissingError, MXNetError
from neuron_adapters.mxnet.context import Context, current_context

__all__ = [
    "default_context", "discard_stderr", "download", "download_model", "environment", "get_im2rec_path", "has_tvm_ops",
    "is_aarch64_run", "is_cd_run", "is_op_runnable", "list_gpus", "retry", "set_default_context",
]  # fmt: skip


def default_context() -> Context:
    """Return the context that is current."""
    return current_context()


def set_default_context(ctx: Context) -> None:
    """Let ``ctx`` be current where no ``with`` says otherwise."""
    Context.default_ctx = ctx


def list_gpus() -> list[int]:
    """Return an empty list: there are none."""
    return []


def is_cd_run() -> bool:
    """Whether the environment's CD_JOB is 1."""
    return os.environ.get("CD_JOB") == "1"


def is_aarch64_run() -> bool:
    """Whether the machine is a 64-bit ARM."""
    return platform.machine() == "aarch64"


def has_tvm_ops() -> bool:
    """Return False: there are no operators of TVM's."""
    return False


def is_op_runnable() -> bool:
    """Return True: operators run on any CPU."""
    return True


@contextlib.contextmanager
def environment(*settings: Any) -> Iterator[None]:
    """Set environment variables inside: ``environment(name, value)``, or a dictionary of them. None removes one."""
    if len(settings) == 1 and isinstance(settings[0], Mapping):
        wanted = dict(settings[0])
    elif len(settings) == 2:
        wanted = {settings[0]: settings[1]}
    else:
        raise TypeError(f"environment() takes a name and a value, or a dictionary, got {len(settings)} arguments")
    before = {name: os.environ.get(name) for name in wanted}
    try:
        _set_variables(wanted)
        yield
    finally:
        _set_variables(before)


def _set_variables(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextlib.contextmanager
def discard_stderr() -> Iterator[None]:
    """Drop what is written to standard error inside, by C code too."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    try:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def retry(n: int) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Call the decorated test up to ``n`` times, until it raises no AssertionError."""
    if n < 1:
        raise ValueError(f"retry() takes a number from 1, got {n}")

    def decorate(test: Callable[..., Any]) -> Callable[..., None]:
        @functools.wraps(test)
        def call(*args: Any, **keywords: Any) -> None:
            for _ in range(n - 1):
                with contextlib.suppress(AssertionError):
                    test(*args, **keywords)
                    return
            test(*args, **keywords)

        return call

    return decorate


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


def download_model(
    model_name: str, dst_dir: str = "./", meta_info: Mapping[str, Mapping[str, str]] | None = None
) -> tuple[str | None, int]:
    """Return prefix and epoch of a checkpoint in ``dst_dir``; ``(None, 0)`` where ``meta_info`` does not name it.

    ``meta_info``: the URLs "symbol" and "params" of each model. Raises MXNetError where a file does not exist: nothing
    is downloaded.
    """
    prefix = os.path.join(dst_dir, model_name)
    if meta_info is not None and model_name not in meta_info:
        return None, 0
    urls = (meta_info or {}).get(model_name, {})
    for kind, end in (("symbol", "-symbol.json"), ("params", "-0000.params")):
        download(urls.get(kind, f"http://data.mxnet.io/models/.../{model_name}{end}"), prefix + end)
    return prefix, 0


def get_im2rec_path(home_env: str = "MXNET_HOME") -> str:
    """Return the path of ``tools/im2rec.py`` in MXNet's folder, which the environment's ``home_env`` names. Raises
    MissingError where there is none: this package has no such tool."""
    path = os.path.join(os.environ.get(home_env, ""), "tools", "im2rec.py")
    if home_env in os.environ and os.path.isfile(path):
        return path
    raise MissingError(f"{path} is missing: let {home_env} name a folder of MXNet's sources.")
