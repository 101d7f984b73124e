"""Serves the screen to browsers: textual-serve starts a neuron-top for each page, and passes on what it draws.

Everything, fonts included, is served from this machine to this machine. Other sites that a browser has open can reach
the port, so their requests are refused.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.server import Server

HOST = "127.0.0.1"
_NAMES = {"127.0.0.1", "localhost", "::1"}
_TEMPLATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "web")
#: Describe the terminal of the server, not the pages.
_NOT_OURS = ("NO_COLOR", "TERM", "COLORTERM", "COLUMNS", "LINES", "PYTHONIOENCODING")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve(port: int, interval: float, say: Callable[[str], None]) -> int:
    """Serve until SIGINT or SIGTERM; the exit code. Raises OSError where the port cannot be used."""
    with _listener(port) as listener:
        for name in _NOT_OURS:
            os.environ.pop(name, None)
        os.environ["TERM"] = "xterm-256color"
        command = [sys.executable, "-m", "neuron_adapters.tools.top", "--interval", f"{interval:g}"]
        port = listener.getsockname()[1]
        server = _Server(f"exec {shlex.join(command)}", HOST, port, title="neuron-top", templates_path=_TEMPLATES)
        logging.getLogger("textual-serve").setLevel(logging.ERROR)
        say(f"neuron-top is at {server.public_url}/ for browsers of this machine; Ctrl-C ends it")
        web.run_app(server.application(), sock=listener, print=None, access_log=None, shutdown_timeout=0.3)
    return 0


def _listener(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise OSError(
            f"port {port} of {HOST} cannot be used ({os.strerror(error.errno or 0)}); choose another with --port"
        ) from error


class _Server(Server):
    async def application(self) -> web.Application:
        """Make the application, which only this machine's pages may use."""
        application = await self._make_app()
        application.middlewares.append(_only_here)
        return application

    async def on_startup(self, app: web.Application) -> None:  # noqa: ARG002 - as in the class above
        """Say nothing more; end as on SIGTERM where the terminal is closed."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.request_exit)


@web.middleware
async def _only_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other host names, which DNS rebinding could lead here, and pages of other sites."""
    host = request.headers.get("Host", "")
    origin = request.headers.get("Origin")
    if urlsplit(f"//{host}").hostname not in _NAMES or (origin is not None and urlsplit(origin).netloc != host):
        raise web.HTTPForbidden(text="neuron-top answers pages of this machine only\n")
    return await handler(request)
