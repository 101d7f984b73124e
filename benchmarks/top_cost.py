"""What neuron-top costs on a full machine: 64 NeuronCores, 100 processes.

The processes are real and cheap: neuron_rt alone, no framework. Each of the first 64 owns an NC and calls its four models
in turn, once a second, so that all of them change from frame to frame; the others publish and own none, for there are no more NCs.

Two figures: the time of a frame, from the first file read to the last character for the terminal, in Textual's own
headless terminal of 120 by 40; and the CPU time of a real neuron-top in a pseudo-terminal of that size, at a frame a
second, as a share of one CPU, without its start. Nothing is pinned, and the processes hardly compute.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time

from _children import TICKS, environment, scratch
from _files import BenchmarkError
from _measure import Spread, progress
from _report import Report, parser, settings, table

INSTANCE, NCS, MODELS = "inf1.24xlarge", 64, 4
WIDTH, HEIGHT = 120, 40
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = os.pathsep.join([os.path.join(ROOT, "core"), ROOT])
START = 120.0  # seconds for all processes to start
CHILD = """
import sys, threading, time, neuron_rt
runtime = neuron_rt.init()
models = [neuron_rt.Model(f"network-{n}.pt", 1, neuron_rt.PlainFramework(), kind="torch", file=f"/models/network-{n}.pt")
          for n in range(int(sys.argv[1]) if runtime.instance_ncs else 0)]
for model in models:
    runtime.place(model)
print("ready", flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), __import__("os")._exit(0)), daemon=True).start()
while True:
    for model in models:
        model.run(time.sleep, 0.002)
    time.sleep(1)
"""


class Fleet:
    """The processes. All of them end with this one: their input ends."""

    def __init__(self, count: int) -> None:
        self.state = scratch()
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-S", "-c", CHILD, str(MODELS)],  # -S: without the packages that a site starts
                env=environment(
                    self.state, NEURON_ADAPTERS_INSTANCE=INSTANCE, NEURON_ADAPTERS_AFFINITY="off", PYTHONPATH=PATH,
                    NEURON_RT_VISIBLE_CORES=str(index) if index < NCS else "",
                ),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for index in range(count)
        ]  # fmt: skip

    def ready(self) -> None:
        """Wait until all of them publish."""
        watch = threading.Timer(START, lambda: [process.kill() for process in self._processes])
        watch.start()
        said = [process.stdout.readline().strip() for process in self._processes]
        watch.cancel()
        if set(said) != {"ready"}:
            raise BenchmarkError(f"{said.count('ready')} of {len(said)} processes started")

    def stop(self) -> None:
        """End them."""
        for process in self._processes:
            process.kill()
            process.communicate()


def frames(state: str, rounds: int) -> list[float]:
    """Milliseconds of each frame."""
    from neuron_adapters.tools.top._app import TopApp
    from neuron_adapters.tools.top._reading import Reader
    from neuron_adapters.tools.top._text import UNICODE
    from neuron_rt import Config

    config = Config.read({"NEURON_ADAPTERS_STATE_DIR": state, "NEURON_ADAPTERS_INSTANCE": INSTANCE})
    reader = Reader(config)
    app = TopApp(config, None, glyphs=UNICODE)
    times = []

    async def run() -> None:
        async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
            for turn in range(rounds + 3):
                await asyncio.sleep(0.25)
                began = time.perf_counter()
                app.take(reader.read())
                await pilot.pause()
                if turn > 2:  # the first ones find their places
                    times.append((time.perf_counter() - began) * 1e3)

    asyncio.run(run())
    return times


def share(state: str, rounds: int, seconds: float) -> list[float]:
    """Per cent of one CPU that the live screen takes, for each window of so many seconds."""
    env = environment(state, NEURON_ADAPTERS_INSTANCE=INSTANCE, PYTHONPATH=PATH, TERM="xterm-256color")
    pid, screen = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "neuron_adapters.tools.top"], env)
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    written = [0]

    def watch() -> None:
        while True:
            try:
                written[0] += len(os.read(screen, 1 << 16))
            except OSError:  # it has ended
                return

    threading.Thread(target=watch, daemon=True).start()
    shares = []
    try:
        time.sleep(4.0)  # the start
        for _ in range(rounds):
            before, began, wrote = _ticks(pid), time.monotonic(), written[0]
            time.sleep(seconds)
            if written[0] == wrote:
                raise BenchmarkError("neuron-top draws nothing")
            shares.append(100 * (_ticks(pid) - before) / TICKS / (time.monotonic() - began))
        os.write(screen, b"q")
        for _ in range(100):
            if os.waitpid(pid, os.WNOHANG)[0]:
                pid = 0
                break
            time.sleep(0.05)
    finally:
        if pid:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        os.close(screen)
    return shares


def _ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def main() -> None:
    """Measure."""
    make = parser(__doc__, rounds=5, seconds=10.0)
    make.add_argument("--processes", type=int, metavar="N", help="how many publish; default 100, quick 8")
    options = make.parse_args()
    rounds, seconds = settings(options)
    seconds = options.seconds or (2.0 if options.quick else seconds)
    count = options.processes or (8 if options.quick else 100)
    report = Report("top_cost", options)
    sys.path[:0] = PATH.split(os.pathsep)
    fleet = Fleet(count)
    try:
        fleet.ready()
        progress(f"{count} processes publish")
        taken = frames(fleet.state, 4 * rounds)
        shares = share(fleet.state, rounds, seconds)
    finally:
        fleet.stop()
    ordered = sorted(taken)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    rows = [
        ["a frame, ms", Spread.of(taken).text(1)],
        ["the same, p95, ms", f"{p95:.1f}"],
        ["the live screen, % of one CPU", Spread.of(shares).text(2)],
    ]
    table(f"neuron-top, {NCS} NCs, {count} processes", ["", "median (quartiles)"], rows)
    report.data = {"frames": taken, "p95": p95, "shares": shares, "processes": count}
    report.goal("a frame", 100, taken, at_least=False, unit="ms")
    report.goal("a frame, p95", 100, [p95], at_least=False, unit="ms")
    report.goal("the live screen, a frame a second", 3, shares, at_least=False, unit="% of one CPU")
    report.finish()


if __name__ == "__main__":
    main()
