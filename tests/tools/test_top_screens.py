"""SPEC T1: neuron-top in a real terminal, and on a browser's page."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from top_processes import WITHOUT, Process

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
PATIENCE = 60
TOP = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.top"]
Serve = Callable[..., Process]
Top = Callable[..., "subprocess.CompletedProcess[str]"]


# -- a real terminal ---------------------------------------------------------------------------------------------


class Terminal:
    """neuron-top in a pseudo-terminal."""

    def __init__(self, env: dict[str, str], command: Sequence[str] = TOP, size: tuple[int, int] = (80, 24)) -> None:
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, env)
        self.resize(*size)
        self.before = termios.tcgetattr(self._file)
        self.seen = b""

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self._file, keys)

    def until(self, text: bytes) -> bytes:
        """Read until it has written ``text``; what it has written since the last time."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen[-2000:]
            self._read()
        done, self.seen = self.seen, b""
        return done

    def end(self) -> int:
        """Its exit status."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self._file >= 0:
                self._read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("it does not end")

    def attributes(self) -> list[Any]:
        return termios.tcgetattr(self._file)

    def hang_up(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.hang_up()

    def _read(self) -> None:
        if select.select([self._file], [], [], 0.05)[0]:
            with contextlib.suppress(OSError):  # it has ended
                self.seen += os.read(self._file, 1 << 16)


@pytest.fixture
def terminal(top_environment: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(command: Sequence[str] = TOP, **variables: str) -> Terminal:
        opened.append(Terminal({**top_environment, **variables}, command))
        return opened[-1]

    yield start
    for screen in opened:
        screen.close()


@pytest.mark.parametrize(
    ("how", "code"),
    [("q", 0), ("ctrl-c", 0), (signal.SIGTERM, 143), (signal.SIGINT, 0), (signal.SIGHUP, 129)], ids=str,
)  # fmt: skip
def test_ending_restores_the_terminal(terminal: Callable[..., Terminal], how: str | signal.Signals, code: int) -> None:
    screen = terminal()
    screen.until(b"No process has loaded")
    assert screen.attributes() != screen.before
    if isinstance(how, signal.Signals):
        os.kill(screen.pid, how)
    else:
        screen.type({"q": b"q", "ctrl-c": b"\x03"}[how])
    assert screen.end() == code
    assert b"\x1b[?1049l" in screen.seen
    assert b"\x1b[?25h" in screen.seen
    assert b"\x1b[?1000l" in screen.seen  # the mouse
    assert screen.attributes() == screen.before


def test_closed_terminal_leaves_no_process(terminal: Callable[..., Terminal]) -> None:
    screen = terminal()
    screen.until(b"No process has loaded")
    screen.hang_up()
    assert screen.end() in (1, 129)


def test_live_screen_follows_processes(terminal: Callable[..., Terminal], serve_models: Serve) -> None:
    """Those that come, are killed, and load; sizes that change."""
    screen = terminal([*TOP, "--interval", "0.2"])
    screen.until(b"No process has loaded")
    server = serve_models(NEURON_PROCESS_TAG="blue")
    server.do("load", 1)
    screen.until(b"2:blue")
    screen.resize(40, 10)
    screen.until(b"PROCESS / MODEL")
    screen.resize(160, 50)
    screen.until(b"SWITCHES")
    two = serve_models(NEURON_PROCESS_TAG="green")
    screen.until(b"3:green")
    two.process.kill()
    screen.until(b"1 process ")
    screen.type(b"q")
    assert screen.end() == 0
    assert server.do("rest")["many"][0] > 0


def test_killed_reader_harms_nobody(terminal: Callable[..., Terminal], serve_models: Serve, top: Top) -> None:
    first = serve_models()
    screen = terminal()
    screen.until(b"many")
    os.kill(screen.pid, signal.SIGKILL)
    assert screen.end() == -signal.SIGKILL
    assert first.do("many", 5)["many"][0] == 5
    second = serve_models()
    processes = json.loads(top("-j", "-i", "0.1").stdout)["processes"]
    assert [process["pid"] for process in processes] == [first.pid, second.pid]
    assert [process["neuroncores"] for process in processes] == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "xterm-mono"}, {"TERM": "vt100"}], ids=str)
def test_terminal_without_colours(terminal: Callable[..., Terminal], variables: dict[str, str]) -> None:
    screen = terminal(**variables, PYTHONIOENCODING="ascii")
    shown = screen.until(b"No process has loaded")
    screen.type(b"?")
    shown += screen.until(b"models took turns")
    screen.type(b"x")  # leaves the help
    shown += screen.until(b"1:all")
    screen.type(b"/")
    shown += screen.until(b"text in a name")  # what the empty field asks for
    assert shown.isascii()
    colours = {int(code) for codes in re.findall(rb"\x1b\[([0-9;]*)m", shown) for code in codes.split(b";") if code}
    assert colours <= {0, 1, 2, 4, 7, 39, 49}  # bold, dim, underlined, reversed


def test_terminal_that_cannot_move_its_cursor(terminal: Callable[..., Terminal]) -> None:
    """Frames follow each other as text, until Ctrl-C."""
    screen = terminal([*TOP, "--interval", "0.1"], TERM="dumb")
    assert b"\x1b" not in screen.until(b"appear here at once") + screen.until(b"appear here at once")
    screen.type(b"\x03")
    assert screen.end() == 130


def test_missing_textual(terminal: Callable[..., Terminal]) -> None:
    screen = terminal([sys.executable, "-c", WITHOUT.format(missing="textual", words=[])])
    assert b"needs the package textual" in screen.until(b"[tools]'")
    assert screen.end() == 1


# -- a browser's page --------------------------------------------------------------------------------------------


def listening(top_environment: dict[str, str]) -> tuple[subprocess.Popen[str], str]:
    server = subprocess.Popen([*TOP, "--web", "--port", "0"], env=top_environment, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
    assert address
    return server, address.group()


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(pid) for pid in file.read().split()]


def has_ended(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=str)
def test_web_page(top_environment: dict[str, str], serve_models: Serve, number: signal.Signals) -> None:
    """The page and all it needs come from here, the screen is in it, and nothing is left when the server ends."""
    serve_models(NEURON_PROCESS_TAG="blue")
    server, url = listening({**top_environment, "TERM": "dumb", "NO_COLOR": "1"})

    async def visit() -> list[int]:
        async with aiohttp.ClientSession() as session:
            page = await (await session.get(url)).text()
            assert "https://" not in page
            assert "http://" not in page
            assets = re.findall(r"static/[\w./-]+", page)
            assert {asset.rpartition(".")[2] for asset in assets} == {"css", "js", "ttf"}
            for asset in assets:
                async with session.get(url + asset) as answer:
                    body = await answer.read()
                    assert answer.status == 200
                    assert len(body) > 1000
                    assert not re.search(rb"@import|url\(.?http", body) or not asset.endswith("css")
            for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
                for path in ("", "ws"):
                    async with session.get(url + path, headers=headers) as answer:
                        assert answer.status == 403
            origin = url.rstrip("/")
            async with session.ws_connect(f"{url}ws?width=100&height=30", origin=origin, max_msg_size=0) as socket:
                shown = b""
                while b"2:blue" not in shown:
                    shown += (await asyncio.wait_for(socket.receive(), PATIENCE)).data
                assert b"\x1b[38;2;" in shown or b";38;2;" in shown  # colours, whatever the server's own terminal
                await socket.send_json(["stdin", "?"])
                while b"models took turns on it" not in shown:
                    shown += (await asyncio.wait_for(socket.receive(), PATIENCE)).data
                screens = children(server.pid)
                assert len(screens) == 1
                server.send_signal(number)
                await asyncio.to_thread(server.wait, PATIENCE)
                return screens

    try:
        screens = asyncio.run(visit())
        assert server.returncode == (0 if number == signal.SIGTERM else -number)
        deadline = time.monotonic() + PATIENCE
        while not all(map(has_ended, screens)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        server.kill()
        server.communicate()


def test_closed_page_ends_its_screen(top_environment: dict[str, str]) -> None:
    server, url = listening(top_environment)

    async def visit() -> None:
        page = f"{url}ws?width=80&height=24"
        async with aiohttp.ClientSession() as session, session.ws_connect(page) as socket:
            await asyncio.wait_for(socket.receive(), PATIENCE)
            assert len(children(server.pid)) == 1

    try:
        asyncio.run(visit())
        deadline = time.monotonic() + PATIENCE
        while children(server.pid):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.send_signal(signal.SIGINT)
        assert server.wait(PATIENCE) == 0
    finally:
        server.kill()
        server.communicate()


def test_port_that_is_taken(top_environment: dict[str, str], top: Top) -> None:
    server, url = listening(top_environment)
    try:
        port = url.rpartition(":")[2].rstrip("/")
        said = top("--web", "--port", port, code=1).stderr
        assert (
            said
            == f"neuron-top: port {port} of 127.0.0.1 cannot be used (Address already in use); choose another with --port\n"
        )
    finally:
        server.kill()
        server.communicate()
