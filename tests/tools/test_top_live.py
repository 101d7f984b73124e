"""SPEC T1: neuron-top as a user calls it, on processes that really run: its numbers, its terminal, its browser page."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
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

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
PATIENCE = 60
TOP = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.top"]


class Process:
    """One that serves."""

    def __init__(self, folder: Path, env: dict[str, str], script: str = "top_serve.py") -> None:
        path = folder / "serve.py"
        if not path.exists():  # another process may be reading it
            shutil.copy(SCRIPTS / script, path)
        self.process = subprocess.Popen(
            [sys.executable, str(path)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self.process.pid
        self.started = self._answer()

    def do(self, word: str, times: int = 1) -> dict[str, Any]:
        """Have it do something; what it has counted after that."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word} {times}\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NEURON", "COLUMNS", "NO_COLOR", "TEXTUAL"))}
    return {
        **kept, "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT)]), "PYTHONIOENCODING": "utf-8",
        "NEURON_ADAPTERS_STATE_DIR": str(tmp_path / "state"), "TERM": "xterm-256color",
    }  # fmt: skip


@pytest.fixture
def serve(tmp_path: Path, env: dict[str, str]) -> Iterator[Callable[..., Process]]:
    running: list[Process] = []

    def start(script: str = "top_serve.py", **variables: str) -> Process:
        running.append(Process(tmp_path, {**env, "NEURON_RT_NUM_CORES": "3", **variables}, script))
        return running[-1]

    yield start
    for one in running:
        one.process.kill()
        one.process.communicate()


@pytest.fixture
def top(env: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*words: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*TOP, *words], env={**env, **variables}, capture_output=True, timeout=PATIENCE, encoding="utf-8",
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert bool(done.stderr) == bool(code)
        return done

    return run


Serve = Callable[..., Process]
Top = Callable[..., "subprocess.CompletedProcess[str]"]


def models(process: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in process["models"]}


# -- numbers -----------------------------------------------------------------------------------------------------


def test_counts_are_the_process_s_own(serve: Serve, top: Top) -> None:
    one = serve(NEURON_PROCESS_TAG="blue")
    one.do("turns", 25)
    one.do("many", 31)
    own = one.do("fail", 7)
    record = json.loads(top("--json", "--interval", "0.1").stdout)
    (process,) = record["processes"]
    assert (process["pid"], process["tag"], process["neuroncores"]) == (one.pid, "blue", [0, 1, 2])
    found = models(process)
    for name in ("one", "two", "many"):
        said = [found[name][what] for what in ("calls", "errors", "timeouts", "switches")]
        assert said == own[name]
        assert [sum(each[what] for each in found[name]["replicas"]) for what in ("calls", "errors")] == said[:2]
    assert own["one"] == [25, 0, 0, 24]
    assert own["two"] == [25, 0, 0, 25]
    assert own["many"] == [38, 7, 0, 0]
    assert [each["neuroncores"] for each in found["many"]["replicas"]] == [[1], [2]]
    assert found["many"]["weights_bytes"] == 1 << 20
    assert found["many"]["file"] == "/models/many"
    assert found["many"]["latency_seconds"] is None  # none in this tenth of a second
    assert record["neuroncores"][1] == {
        "neuroncore": 1, "neuron_device": 0, "utilization": 0.0, "pid": one.pid, "models": ["many"], "switching": False,
    }  # fmt: skip
    assert record["instance"] == {
        "name": "inf1.6xlarge",
        "device_count": 4,
        "nc_count": 16,
        "cpu_count": record["instance"]["cpu_count"],
    }
    text = top("--once", "--interval", "0.1").stdout
    assert re.search(r"two +0 ", text)
    assert "blue" in text
    assert max(map(len, text.splitlines())) <= 80


def test_rates_under_load(serve: Serve, top: Top) -> None:
    """What is said of an interval lies within what the process counted around it."""
    one = serve()
    one.do("load", 2)
    before = one.do("many")
    record = json.loads(top("-j", "-i", "0.3").stdout)
    after = one.do("rest")
    (process,) = record["processes"]
    many = models(process)["many"]
    assert before["many"][0] < many["calls"] < after["many"][0]
    calls = many["calls_per_second"] * record["seconds"]
    assert 0 < calls <= after["many"][0] - before["many"][0]
    busy = sum(core["utilization"] for core in record["neuroncores"]) * record["seconds"]
    assert (
        0 < busy <= (after["spent"] - before["spent"]) * 1e-9 * 1.05 + 0.2
    )  # binding, counting and what the scheduler gives to others are in it
    assert all(core["utilization"] <= 1 for core in record["neuroncores"])
    assert many["latency_seconds"]["p99"] >= many["latency_seconds"]["p50"] >= 0.0003 / 1.5  # half a bucket's width
    assert process["vcpu"]["user"] > 0
    assert process["memory_bytes"] > 1 << 20


def test_torch(serve: Serve, top: Top) -> None:
    one = serve("top_torch.py")
    own = one.do("call", 12)
    (process,) = json.loads(top("-j", "-i", "0.1").stdout)["processes"]
    (model,) = process["models"]
    assert model["name"] == own["name"]
    assert model["framework"] == "torch"
    assert [each["calls"] for each in model["replicas"]] == own["calls"]
    assert sum(own["calls"]) == 12


def test_killed_process_disappears(serve: Serve, top: Top) -> None:
    first, second = serve(), serve()
    pids = lambda: [one["pid"] for one in json.loads(top("-j", "-i", "0.1").stdout)["processes"]]
    assert pids() == [first.pid, second.pid]
    first.process.kill()
    first.process.wait()
    assert pids() == [second.pid]


def test_newer_version(serve: Serve, top: Top) -> None:
    """Counters of another version are not believed, and what the record says stays; a record of another version is
    left out. The process goes on."""
    one = serve()
    one.do("newer", 99)
    (process,) = json.loads(top("-j", "-i", "0.1").stdout)["processes"]
    assert (process["counted"], sorted(models(process))) == (False, ["many", "one", "two"])
    assert all(model["replicas"] == [] for model in process["models"])
    assert "its counters cannot be read" in top("-o", "-i", "0.1", COLUMNS="200").stdout
    one.do("record", 99)
    assert json.loads(top("-j", "-i", "0.1").stdout)["processes"] == []
    assert one.do("many", 3)["many"][0] == 3


# -- arguments and outputs ---------------------------------------------------------------------------------------


def test_nobody_ever_ran(top: Top, tmp_path: Path) -> None:
    """No directory afterwards, either. Without a terminal it is one frame."""
    text = top("--interval", "0.1").stdout
    assert "No process has loaded a model." in text
    assert "0 processes" in text
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "words", [["-i", "0"], ["-i", "nan"], ["-i", "1e9"], ["-p", "70000"], ["-o", "-j"], ["--on"], ["x"]]
)
def test_wrong_arguments(top: Top, words: list[str]) -> None:
    assert "neuron-top: error: " in top(*words, code=2).stderr


def test_unusable_state_directory(top: Top, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for words in (["-o"], ["-j"], []):
        said = top(*words, "-i", "0.1", code=1, NEURON_ADAPTERS_STATE_DIR=str(tmp_path / "file")).stderr
        assert said.count("\n") == 1
        assert "NEURON_ADAPTERS_STATE_DIR" in said
        assert "no directory" in said
    assert "NEURON_ADAPTERS_INSTANCE" in top("-o", code=1, NEURON_ADAPTERS_INSTANCE="none").stderr


def test_output_that_is_closed_or_full(env: dict[str, str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*TOP, "-o", "-i", "0.1"], env=env, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "neuron-top: [Errno 28] No space left on device\n"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*TOP, "-o", "-i", "0.1"], env=env, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_locale_without_unicode(top: Top) -> None:
    assert top("-o", "-i", "0.1", PYTHONIOENCODING="latin-1").stdout.isascii()
    assert top("-o", "-i", "0.1", "--ascii").stdout.isascii()
    assert not top("-o", "-i", "0.1").stdout.isascii()


WITHOUT = (
    "import sys; sys.modules[{missing!r}] = None; from neuron_adapters.tools.top import main; sys.exit(main({words!r}))"
)


@pytest.mark.parametrize(
    ("missing", "words"),
    [("psutil", ["--once"]), ("psutil", ["--json"]), ("textual_serve", ["--web"]), ("aiohttp", ["-w"])],
)
def test_missing_extra(env: dict[str, str], missing: str, words: list[str]) -> None:
    script = WITHOUT.format(missing=missing, words=words)
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"neuron-top: it needs the package {missing}, which is not installed: pip install 'neuron-adapters[tools]'\n"
    )


def test_what_needs_no_extra(env: dict[str, str]) -> None:
    """Help needs nothing, and a frame no Textual."""
    for missing, words in (("psutil", ["--help"]), ("textual", ["--once", "-i", "0.1"])):
        script = WITHOUT.format(missing=missing, words=words)
        done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=PATIENCE)
        assert (done.returncode, done.stderr) == (0, "")
        assert "neuron-top" in done.stdout


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
def terminal(env: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(command: Sequence[str] = TOP, **variables: str) -> Terminal:
        opened.append(Terminal({**env, **variables}, command))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


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


def test_live_screen_follows_processes(terminal: Callable[..., Terminal], serve: Serve) -> None:
    """Those that come, are killed, and load; sizes that change."""
    screen = terminal([*TOP, "--interval", "0.2"])
    screen.until(b"No process has loaded")
    one = serve(NEURON_PROCESS_TAG="blue")
    one.do("load", 1)
    screen.until(b"2:blue")
    screen.resize(40, 10)
    screen.until(b"PROCESS / MODEL")
    screen.resize(160, 50)
    screen.until(b"SWITCHES")
    two = serve(NEURON_PROCESS_TAG="green")
    screen.until(b"3:green")
    two.process.kill()
    screen.until(b"1 process ")
    screen.type(b"q")
    assert screen.end() == 0
    assert one.do("rest")["many"][0] > 0


def test_killed_reader_harms_nobody(terminal: Callable[..., Terminal], serve: Serve, top: Top) -> None:
    one = serve()
    screen = terminal()
    screen.until(b"many")
    os.kill(screen.pid, signal.SIGKILL)
    assert screen.end() == -signal.SIGKILL
    assert one.do("many", 5)["many"][0] == 5
    two = serve()
    found = json.loads(top("-j", "-i", "0.1").stdout)["processes"]
    assert [process["pid"] for process in found] == [one.pid, two.pid]
    assert [process["neuroncores"] for process in found] == [[0, 1, 2], [3, 4, 5]]


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


def listening(env: dict[str, str]) -> tuple[subprocess.Popen[str], str]:
    server = subprocess.Popen([*TOP, "--web", "--port", "0"], env=env, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
    assert found
    return server, found.group()


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(one) for one in file.read().split()]


def has_ended(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=str)
def test_web_page(env: dict[str, str], serve: Serve, number: signal.Signals) -> None:
    """The page and all it needs come from here, the screen is in it, and nothing is left when the server ends."""
    serve(NEURON_PROCESS_TAG="blue")
    server, url = listening({**env, "TERM": "dumb", "NO_COLOR": "1"})

    async def visit() -> list[int]:
        async with aiohttp.ClientSession() as session:
            page = await (await session.get(url)).text()
            assert "https://" not in page
            assert "http://" not in page
            assets = re.findall(r"static/[\w./-]+", page)
            assert {one.rpartition(".")[2] for one in assets} == {"css", "js", "ttf"}
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


def test_closed_page_ends_its_screen(env: dict[str, str]) -> None:
    server, url = listening(env)

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


def test_port_that_is_taken(env: dict[str, str], top: Top) -> None:
    server, url = listening(env)
    try:
        port = url.rpartition(":")[2].rstrip("/")
        said = top("--web", "--port", port, code=1).stderr
        assert (
            said
            == f"neuron-top: port {port} of 127.0.0.1 cannot be had (Address already in use); choose another one with --port\n"
        )
    finally:
        server.kill()
        server.communicate()
