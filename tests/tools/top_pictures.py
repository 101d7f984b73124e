"""Recorded readings for neuron-top, and its real screen, driven without a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from textual.pilot import Pilot

from neuron_adapters.tools.shared.samples import Look, Usage
from neuron_adapters.tools.top._app import TopApp
from neuron_adapters.tools.top._model import History, Picture
from neuron_adapters.tools.top._reading import Sight, System
from neuron_adapters.tools.top._text import UNICODE, Glyphs
from neuron_rt import Config, Owner
from neuron_rt.instance import Cpu
from neuron_rt.snapshot import Counters, Snapshot
from neuron_rt.telemetry import BUCKET_COUNT, bucket

MIB = 1 << 20
SECOND = 10**9
WHERE = "/run/neuron"


# -- recorded readings -------------------------------------------------------------------------------------------


def config(instance: str = "inf1.6xlarge") -> Config:
    environ = {"NEURON_ADAPTERS_INSTANCE": instance, "NEURON_ADAPTERS_STATE_DIR": WHERE}
    return Config.read(environ, cpus=tuple(Cpu(index) for index in range(8)))


def row(
    number: int, start: int, count: int = 1, *, replica: int = 0, calls: int, took: float, waited: float = 0.0,
    errors: int = 0, switches: int = 0, timeouts: int = 0,
) -> Counters:  # fmt: skip
    """A replica after ``calls`` calls of ``took`` seconds each, nine in ten; the tenth took twice as long."""
    buckets, totals = [0] * BUCKET_COUNT, [0] * BUCKET_COUNT
    slow = calls // 10
    for calls_of, seconds in ((calls - slow, took), (slow, 2 * took)):
        buckets[bucket(int(seconds * SECOND))] += calls_of
        totals[bucket(int((seconds + waited) * SECOND))] += calls_of
    busy = int((calls + slow) * took * SECOND)
    return Counters(
        number=number, replica=replica, start_nc=start, nc_count=count, calls=calls, errors=errors, timeouts=timeouts,
        switches=switches, busy=busy, waited=int(calls * waited * SECOND), running=True, buckets=tuple(buckets),
        totals=tuple(totals),
    )  # fmt: skip


def owner(
    key: str, pid: int, ncs: range, rows: list[Counters], models: dict[int, tuple[str, int]], at: float, *,
    tag: str = "", command: str = "python serve.py", instance: str = "inf1.6xlarge",
) -> Owner:  # fmt: skip
    busy = [
        sum(counters.busy for counters in rows if counters.start_nc <= nc < counters.start_nc + counters.nc_count)
        for nc in range(len(ncs))
    ]
    said = [
        {"number": number, "name": name, "file": f"/models/{name}", "framework": "torch", "engine": "openvino",
         "nc_count": 1, "weights": weights}
        for number, (name, weights) in models.items()
    ]  # fmt: skip
    return Owner(
        key=key, pid=pid, command=command, tag=tag, ncs=tuple(ncs),
        record={"instance": instance, "models": said},
        snapshot=Snapshot(pid, 0, int(at * SECOND), tuple(busy), tuple(rows)),
    )  # fmt: skip


def machine(at: float, owners: tuple[Owner, ...], usage: dict[str, Usage], error: str = "") -> Sight:
    system = System(
        user=100 + 3.2 * at, system=20 + 0.4 * at, total=8 * (1000 + at), memory_used=12 << 30, memory_total=32 << 30
    )
    return Sight(1_700_000_000 + at, Look(at, owners, usage), system, error)


def sights(count: int = 5) -> list[Sight]:
    """Three processes on 16 NCs, once a second: replicas, a pipeline, two models that take turns on an NC."""
    seconds = []
    for turn in range(1, count + 1):
        blue = owner(
            "0" * 15,
            4101,
            range(7),
            [
                *(row(1, nc, replica=nc, calls=50 * turn + nc, took=0.010) for nc in range(4)),
                row(2, 4, 2, calls=12 * turn, took=0.040),
                row(3, 6, calls=6 * turn + turn % 2, took=0.008),
            ],
            {1: ("resnet50.pt", 98 * MIB), 2: ("bert-base.pt", 438 * MIB), 3: ("ssd300.pt", 95 * MIB)},
            turn,
            tag="blue",
        )
        green = owner(
            "1" * 15,
            4102,
            range(7, 11),
            [
                row(1, 0, calls=60 * turn, took=0.005, waited=0.009, switches=59 * turn),
                row(2, 0, calls=60 * turn, took=0.010, waited=0.005, switches=60 * turn),
                row(3, 2, 2, calls=10 * turn, took=0.030, errors=turn // 3, timeouts=turn // 5),
            ],
            {1: ("mobilenet.keras", 14 * MIB), 2: ("densenet121.keras", 32 * MIB), 3: ("efficientnet.keras", 49 * MIB)},
            turn,
            tag="green",
            command="python -m worker --queue photos",
        )
        other = owner(
            "2" * 15,
            4103,
            range(11, 14),
            [row(1, 0, 3, calls=4 * turn, took=0.2)],
            {1: ("yolo3_darknet53", 247 * MIB)},
            turn,
            command="/usr/bin/python3 -W error jobs/mx_batch.py 24",
        )
        usage = {
            "0" * 15: Usage(2.6 * turn, 0.1 * turn, 810 * MIB), "1" * 15: Usage(1.3 * turn, 0.2 * turn, 640 * MIB),
            "2" * 15: Usage(2.4 * turn, 0.0, 500 * MIB),
        }  # fmt: skip
        seconds.append(machine(turn, (blue, green, other), usage))
    return seconds


def picture(seconds: list[Sight], instance: str = "inf1.6xlarge") -> Picture:
    history = History(config(instance))
    for sight in seconds:
        last = history.add(sight)
    return last


# -- driving the real screen -------------------------------------------------------------------------------------


def drive(
    steps: Callable[[TopApp, Pilot[None]], Coroutine[Any, Any, None]], *, size: tuple[int, int] = (80, 24),
    instance: str = "inf1.6xlarge", glyphs: Glyphs = UNICODE, coloured: bool = True, seconds: list[Sight] | None = None,
) -> None:  # fmt: skip
    """Run the screen without a terminal, show the readings, then do ``steps``."""
    app = TopApp(config(instance), None, glyphs=glyphs, coloured=coloured)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            for sight in sights() if seconds is None else seconds:
                app.take(sight)
            await pilot.pause()
            await steps(app, pilot)

    asyncio.run(run())


def lines(app: TopApp) -> list[str]:
    """What stands on the screen."""
    return ["".join(segment.text for segment in strip).rstrip() for strip in app.screen._compositor.render_strips()]


def text(app: TopApp) -> str:
    return "\n".join(lines(app)) + "\n"
