"""SPEC T1: the screens of neuron-top, made from recorded readings, and what its keys and its mouse do.

The screens are kept as text in ``screens/``; ``UPDATE_SCREENS=1 pytest tests/tools/test_top.py`` writes them anew.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from neuron_adapters.tools.shared.samples import Look, Usage
from neuron_adapters.tools.top import _cores, _frame, _json, _table, _text
from neuron_adapters.tools.top._app import TopApp
from neuron_adapters.tools.top._model import History, Picture
from neuron_adapters.tools.top._nodes import Key, program_of
from neuron_adapters.tools.top._reading import Sight, System
from neuron_adapters.tools.top._text import ASCII, UNICODE, Glyphs
from neuron_rt import Config, Owner
from neuron_rt.instance import Cpu
from neuron_rt.snapshot import Counters, Snapshot
from neuron_rt.telemetry import BUCKET_COUNT, bucket

SCREENS = Path(__file__).parent / "screens"
MIB = 1 << 20
SECOND = 10**9
WHERE = "/run/neuron"


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


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
    busy = [sum(one.busy for one in rows if one.start_nc <= nc < one.start_nc + one.nc_count) for nc in range(len(ncs))]
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


def machine(at: float, found: tuple[Owner, ...], usage: dict[str, Usage], error: str = "") -> Sight:
    system = System(
        user=100 + 3.2 * at, system=20 + 0.4 * at, total=8 * (1000 + at), memory_used=12 << 30, memory_total=32 << 30
    )
    return Sight(1_700_000_000 + at, Look(at, found, usage), system, error)


def sights(count: int = 5) -> list[Sight]:
    """Three processes on 16 NCs, once a second: replicas, a pipeline, two models that take turns on an NC."""
    found = []
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
        found.append(machine(turn, (blue, green, other), usage))
    return found


def crowd(turn: int) -> Sight:
    """64 NCs, 100 processes with three models each."""
    found, usage = [], {}
    for index in range(100):
        ncs = range(index, index + 1) if index < 64 else range(0)
        rows = [row(n, 0, calls=(index % 9) * turn * n, took=0.01) for n in (1, 2, 3)] if ncs else []
        key = f"{index:015x}"
        found.append(owner(key, 5000 + index, ncs, rows, {n: (f"net{n}.pt", MIB) for n in (1, 2, 3)}, turn,
                           command=f"python worker{index}.py", instance="inf1.24xlarge"))  # fmt: skip
        usage[key] = Usage(turn * 0.1, 0.0, 20 * MIB)
    return machine(turn, tuple(found), usage)


def picture(found: list[Sight], instance: str = "inf1.6xlarge") -> Picture:
    history = History(config(instance))
    for sight in found:
        last = history.add(sight)
    return last


# -- driving the real screen -------------------------------------------------------------------------------------


def drive(
    steps: Callable[[TopApp, Pilot[None]], Coroutine[Any, Any, None]], *, size: tuple[int, int] = (80, 24),
    instance: str = "inf1.6xlarge", glyphs: Glyphs = UNICODE, coloured: bool = True, found: list[Sight] | None = None,
) -> None:  # fmt: skip
    """Run the screen without a terminal, show the readings, then do ``steps``."""
    app = TopApp(config(instance), None, glyphs=glyphs, coloured=coloured)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            for sight in sights() if found is None else found:
                app.take(sight)
            await pilot.pause()
            await steps(app, pilot)

    asyncio.run(run())


def lines(app: TopApp) -> list[str]:
    """What stands on the screen."""
    return ["".join(segment.text for segment in strip).rstrip() for strip in app.screen._compositor.render_strips()]


def text(app: TopApp) -> str:
    return "\n".join(lines(app)) + "\n"


def tree(app: TopApp) -> list[str]:
    """The names in the rows of the tree, as far as they are seen."""
    seen = lines(app)
    first = next(y for y, line in enumerate(seen) if "PROCESS / MODEL" in line) + 1
    return [" ".join(line[1:26].split()) for line in seen[first:-2] if line[:26].strip()]


def compare(name: str, shown: str) -> None:
    path = SCREENS / f"{name}.txt"
    if os.environ.get("UPDATE_SCREENS"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


SIZES = [(80, 24), (120, 40), (200, 60), (40, 10)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_screen(size: tuple[int, int]) -> None:
    async def steps(app: TopApp, _pilot: Pilot[None]) -> None:
        assert max(map(_text.cells, lines(app))) <= size[0]
        compare(f"all-{size[0]}x{size[1]}", text(app))

    drive(steps, size=size)


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
def test_screen_of_64_ncs(size: tuple[int, int]) -> None:
    async def steps(app: TopApp, _pilot: Pilot[None]) -> None:
        compare(f"crowd-{size[0]}x{size[1]}", text(app))

    drive(steps, size=size, instance="inf1.24xlarge", found=[crowd(turn) for turn in (1, 2, 3)])


def test_screen_without_colour_or_unicode() -> None:
    """Nothing but ASCII, no colour in any cell, and the same things said."""

    async def steps(app: TopApp, _pilot: Pilot[None]) -> None:
        compare("ascii-80x24", text(app))
        assert text(app).isascii()
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                assert segment.style is None or all(
                    colour is None or colour.is_default for colour in (segment.style.color, segment.style.bgcolor)
                )

    os.environ["NO_COLOR"] = "1"
    drive(steps, glyphs=ASCII, coloured=False)


def test_frame_as_text() -> None:
    for width in (80, 132):
        shown = _frame.text(picture(sights(2)), width, UNICODE, WHERE)
        assert max(map(_text.cells, shown.splitlines())) <= width
        compare(f"once-{width}", shown + "\n")
    assert _frame.text(picture(sights(2)), 80, ASCII, WHERE).isascii()


# -- keys --------------------------------------------------------------------------------------------------------


def test_tabs() -> None:
    """1 to 9, a and d, as documented; the marks too."""

    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        bar = lambda: lines(app)[-2].split()
        assert bar() == [">1:all<", "2:blue", "3:green", "4:mx_batch.py"]
        await pilot.press("3")
        assert bar() == ["1:all", "2:blue", ">3:green<", "4:mx_batch.py"]
        assert tree(app) == ["▾ 3 green 4102", "mobilenet.keras", "densenet121.keras", "efficientnet.keras"]
        compare("green-80x24", text(app))
        await pilot.press("9")  # there is none
        assert ">3:green<" in bar()
        await pilot.press("d")
        assert ">4:mx_batch.py<" in bar()
        await pilot.press("d")
        assert ">1:all<" in bar()
        await pilot.press("a", "a")
        assert ">3:green<" in bar()
        await pilot.press("1")
        assert len(tree(app)) > 4

    drive(steps)


def test_tree_opens_and_closes() -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        whole = tree(app)
        assert whole[:3] == ["▾ 2 blue 4101", "▸ resnet50.pt", "bert-base.pt"]
        await pilot.press("down", "down", "enter")
        assert tree(app)[1:4] == ["▾ resnet50.pt", "replica 0", "replica 1"]
        await pilot.press("down", "left")  # from the replica to its model
        await pilot.press("left")
        assert tree(app) == whole
        await pilot.press("left", "left")  # to its process, which closes
        assert tree(app)[:2] == ["▸ 2 blue 4101", "▾ 3 green 4102"]
        await pilot.press("right")
        assert tree(app) == whole
        await pilot.press("x")
        assert "replica 0" in tree(app)
        await pilot.press("x")
        assert tree(app) == ["▸ 2 blue 4101", "▸ 3 green 4102", "▸ 4 mx_batch.py 4103"]

    drive(steps, size=(80, 40))


def test_chosen_line_stays_with_its_model() -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        chosen = lambda: next(line for line in lines(app) if line.startswith("›"))
        await pilot.press("end")
        assert "yolo3" in chosen()
        await pilot.press("s")  # by how busy
        assert "yolo3" in chosen()
        app.take(machine(6, sights()[-1].look.owners[:1], {}))
        await pilot.pause()
        assert "blue 4101" in chosen()

    drive(steps)


def test_sort() -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        processes = lambda: [line.split()[2] for line in tree(app) if line.startswith("▾ ")]
        for order in ("busy", "calls/s", "p99", "sw/s", "err", "mem", "name", "ncs"):
            await pilot.press("s")
            assert f"sort: {order}" in lines(app)[-1]
            expected = {
                "busy": ["mx_batch.py", "blue", "green"], "calls/s": ["blue", "green", "mx_batch.py"],
                "p99": ["mx_batch.py", "blue", "green"], "sw/s": ["green", "blue", "mx_batch.py"],
                "err": ["green", "blue", "mx_batch.py"], "mem": ["blue", "green", "mx_batch.py"],
                "name": ["blue", "green", "mx_batch.py"], "ncs": ["blue", "green", "mx_batch.py"],
            }[order]  # fmt: skip
            assert processes() == expected, order
        await pilot.press("r")
        assert processes() == ["mx_batch.py", "green", "blue"]

    drive(steps, size=(120, 40))


def test_filter() -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        whole = tree(app)
        await pilot.press("slash", *"net")
        await pilot.press("enter")
        await pilot.pause()
        assert tree(app) == [
            "▾ 2 blue 4101", "▸ resnet50.pt", "▾ 3 green 4102", "mobilenet.keras", "densenet121.keras",
            "efficientnet.keras", "▾ 4 mx_batch.py 4103", "yolo3_darknet53",
        ]  # fmt: skip
        assert lines(app)[-1].startswith(" only net")
        await pilot.press("3")  # a tab: it is not typed into the filter any more
        assert tree(app)[0] == "▾ 3 green 4102"
        await pilot.press("1", "escape")
        assert tree(app) == whole
        await pilot.press("slash", *"4103", "enter")
        assert tree(app) == ["▾ 4 mx_batch.py 4103", "yolo3_darknet53"]
        await pilot.press("slash", *"zzz")
        assert "nothing has that text" in text(app)

    drive(steps, size=(80, 40))


def test_help_hold_and_levels() -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        assert "models took turns on it" in text(app)
        await pilot.press("2")  # leaves, and does nothing else
        assert "models took turns on it" not in text(app)
        assert ">1:all<" in text(app)
        await pilot.press("space")
        before = text(app)
        assert "HELD" in before
        app.take(sights(9)[-1])
        await pilot.pause()
        assert text(app) == before
        await pilot.press("space")
        assert "HELD" not in text(app)
        assert text(app) != before
        heights = []
        for _ in _cores.LEVELS:
            await pilot.press("c")
            await pilot.pause()
            heights.append(app._parts["cores"].size.height)
        assert heights == [10, 2, 1]

    drive(steps)


def test_mouse() -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.click("#tabs", offset=(lines(app)[-2].index("3:green"), 0))
        assert ">3:green<" in lines(app)[-2]
        await pilot.click("#tabs", offset=(2, 0))
        assert ">1:all<" in lines(app)[-2]
        x, y = next((line.index("yolo3"), y) for y, line in enumerate(lines(app)) if "yolo3" in line)
        await pilot.click("#cores", offset=(x, y - 1))
        assert ">4:mx_batch.py<" in lines(app)[-2]
        await pilot.click("#cores", offset=(x, y - 1))
        assert ">1:all<" in lines(app)[-2]
        await pilot.click("#tree", offset=(3, 1))  # the sign before resnet50
        assert "replica 0" in text(app)
        head = next(line for line in lines(app) if "PROCESS / MODEL" in line)
        await pilot.click("#head", offset=(head.index("P99"), 0))
        assert "sort: p99" in lines(app)[-1]
        assert "P99▾" in text(app)
        await pilot.click("#head", offset=(head.index("P99"), 0))
        assert "P99▴" in text(app)

    drive(steps, size=(100, 24))


# -- what may go wrong -------------------------------------------------------------------------------------------


def test_processes_come_and_go() -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("3")
        blue, _green, other = sights(6)[-1].look.owners
        app.take(machine(6, (blue, other), {}))
        await pilot.pause()
        assert ">1:all<" in text(app)
        assert "that process has ended" in lines(app)[-1]
        assert "green" not in text(app)
        assert "  7 " in text(app)
        app.take(machine(7, (), {}))
        await pilot.pause()
        assert "No process has loaded a model" in text(app)
        assert "0 processes" in text(app)
        app.take(machine(8, (), {}, error="The state directory /run/neuron belongs to user 1."))
        await pilot.pause()
        assert "belongs to user 1" in text(app)
        app.take(sights(9)[-1])
        await pilot.pause()
        assert "resnet50.pt" in text(app)
        assert "belongs to" not in text(app)

    drive(steps)


def test_every_size() -> None:
    """Smaller and larger than anything sensible; no line is longer than the screen is wide."""

    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        for width, height in ((40, 10), (20, 5), (1, 1), (300, 90), (80, 24), (60, 14)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            app.take(sights()[-1])
            await pilot.pause()
            assert len(lines(app)) == height
            assert max(map(_text.cells, lines(app))) <= width

    drive(steps)


def hostile() -> Sight:
    """What no honest process would publish: huge counts, strange names, NCs that nobody has."""
    huge = (1 << 63) - 1
    full = (huge,) * BUCKET_COUNT
    rows = tuple(
        Counters(number, replica, 0, 1, huge, huge, huge, huge, huge, huge, running=True, buckets=full, totals=full)
        for number in (1, huge) for replica in (0, huge)
    )  # fmt: skip
    names = ["\u4e2d\u6587\u6a21\u578b" * 40, "e\u0301" * 200]
    one = Owner(
        key="f" * 15, pid=10**40, command="\U0001f680" * 200, tag="\u4e2d" * 64, ncs=(3, -5, 10**30, 4000, 3),
        record={"instance": "64", "models": [
            {"number": 1, "name": names[0], "file": "\ud800\x1b[2J", "weights": 10**60, "framework": [], "engine": {}},
            {"number": huge, "name": names[1], "weights": -1}, {"number": True}, None, 7,
        ]},
        snapshot=Snapshot(1, -5, 10**30, (huge, huge), rows),
    )  # fmt: skip
    two = replace(
        one, key="e" * 15, ncs=(), snapshot=None, record={"instance": 5, "models": {"a": 1}}, command="", tag=""
    )
    return machine(9, (one, two), {"f" * 15: Usage(1e300, -1e300, 1 << 200)})


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_hostile_records(glyphs: Glyphs) -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        for width in (80, 33, 200):
            await pilot.resize_terminal(width, 30)
            for key in ("x", "s", "s", "s", "d", "d", "d"):
                await pilot.press(key)
                assert all(_text.cells(line) <= width and "\x1b" not in line for line in lines(app))

    drive(steps, glyphs=glyphs, found=[*sights(1), hostile(), hostile()])
    shown = picture([*sights(1), hostile()])
    assert all(_text.cells(line) <= 80 for line in _frame.text(shown, 80, glyphs, WHERE).splitlines())
    json.loads(_json.text(shown))


def test_numbers_fit_their_columns() -> None:
    for value in (0, 0.04, 1.25, 9.96, 12, 99_999, 99_999.6, 123_456, 10**7, 999_600_000, 10**18, 10**40):
        assert len(_text.number(value)) <= 6
        assert len(_text.size(value)) <= 6
    for seconds in (0.0, 1e-9, 3.04e-6, 9.996e-4, 0.0123, 0.9996, 1.5, 12.34, 3600, 1e9):
        assert len(_text.duration(seconds)) <= 6
    assert [_text.number(v) for v in (0, 0.5, 1234, 123_456, 12.7)] == ["0", "0.5", "1,234", "123K", "13"]
    assert [_text.size(v) for v in (0, 5, 98 * MIB, int(1.5 * 2**30))] == ["0", "5B", "98M", "1.5G"]
    assert [_text.duration(v) for v in (2e-6, 0.0123, 1.5)] == ["2.0us", "12.3ms", "1.5s"]


def test_text_fits_its_cells() -> None:
    assert _text.fit("resnet", 4, UNICODE) == "res…"
    assert _text.fit("résnet", 8, ASCII) == "r?snet  "
    wide = _text.fit("中文模型", 6, UNICODE)
    assert wide == "中文… "
    assert _text.cells(wide) == 6
    assert _text.cells("e\u0301") == 1
    for share in (0.0, 0.001, 0.5, 1.0, 7.0):
        assert _text.cells(_text.plain(_text.bar(share, 10, "", UNICODE))) <= 10
    assert _text.plain(_text.bar(0.01, 10, "", UNICODE)).startswith("╸")  # anything above nothing shows


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python serve.py 2", "serve.py"), ("/usr/bin/python3.11 -W error -u /srv/app.py", "app.py"),
        ("python -m http.server", "http.server"), ("python -c pass", "python"), ("/opt/server --fast", "server"), ("", ""),
    ],
)  # fmt: skip
def test_label_of_a_command(command: str, name: str) -> None:
    assert program_of(command) == name


# -- numbers -----------------------------------------------------------------------------------------------------


def test_numbers_of_a_frame() -> None:
    """Rates, shares and latencies are those of the recorded counters."""
    shown = picture(sights(5))
    blue, green, other = shown.processes
    assert (blue.number, blue.label, green.number, other.label) == (2, "blue", 3, "mx_batch.py")
    assert blue.node.calls == pytest.approx(4 * 50 + 12 + 6 + 1)
    resnet = blue.node.children[0]
    assert (resnet.ncs, resnet.total_calls, len(resnet.children)) == ((0, 1, 2, 3), 4 * 250 + 6, 4)
    assert shown.cores[0].share == pytest.approx(0.55)
    assert shown.cores[7].models == ["densenet121.keras", "mobilenet.keras"]
    assert shown.cores[7].switching
    assert shown.cores[7].share == pytest.approx(66 * 0.015)
    assert (shown.cores[8].process, shown.cores[8].models) == (green, [])
    assert shown.cores[15].process is None
    assert green.node.switches == pytest.approx(119)
    assert green.node.total_switches == 595
    assert (green.node.errors, green.node.fresh_errors) == (2, 1)  # an error and a time-out, the last of them new
    assert green.node.waiting == pytest.approx(60 * 0.009 + 60 * 0.005)
    p50, p99 = shown.latency(Key("0" * 15, 1)) or (0, 0)
    assert 0.006 < p50 < 0.013 < p99 < 0.026
    assert shown.latency(Key("0" * 15, 1, 2)) is not None
    assert shown.latency(Key("0" * 15, 77)) is None
    p50, _p99 = shown.latency(Key("1" * 15, 1)) or (0, 0)
    assert p50 > 0.009  # the wait is in it
    assert (shown.user, shown.system) == (pytest.approx(0.4), pytest.approx(0.05))
    assert blue.change.user == pytest.approx(2.6)
    assert shown.series(0)[1:] == pytest.approx([0.55] * 4)


def test_latency_looks_ten_seconds_back() -> None:
    """A model that was called once stays known for a while, then nothing is said of it."""
    history = History(config())
    models = {1: ("slow.pt", MIB)}
    seen = []
    for turn in range(30):
        rows = [row(1, 0, calls=0 if turn < 2 else 1, took=1.5)]
        shown = history.add(machine(turn, (owner("0" * 15, 1, range(1), rows, models, turn + 1),), {}))
        seen.append(shown.latency(Key("0" * 15, 1)) is not None)
    assert seen.index(True) == 2
    assert 10 <= seen.count(True) <= 12
    assert not seen[-1]


def test_rows_of_a_view() -> None:
    shown = picture(sights())
    names = lambda view: [one.node.name for one in _table.rows(shown, view)]
    assert len(names(_table.View(whole=True))) == 14
    assert names(_table.View(whole=False)) == ["blue 4101", "green 4102", "mx_batch.py 4103"]
    assert names(_table.View(only="2" * 15)) == ["mx_batch.py 4103", "yolo3_darknet53"]
    assert names(_table.View(words="PHOTOS")) == [  # of the command: all its models
        "green 4102", "mobilenet.keras", "densenet121.keras", "efficientnet.keras",
    ]  # fmt: skip
    assert names(_table.View(words="bert")) == ["blue 4101", "bert-base.pt"]


def test_only_what_has_changed_is_drawn() -> None:
    """After a second like the ones before, that is the clock alone."""

    def steady(turn: int) -> Sight:
        rows = [row(1, nc, replica=nc, calls=50 * turn, took=0.010) for nc in range(4)]
        one = owner("0" * 15, 4101, range(4), rows, {1: ("resnet50.pt", MIB)}, turn)
        return machine(turn, (one,), {"0" * 15: Usage(2.0 * turn, 0.0, MIB)})

    async def steps(app: TopApp, _pilot: Pilot[None]) -> None:
        drawn = []
        for part in app._parts.values():
            part.refresh = lambda *regions, part=part: drawn.extend((part.id, one.y) for one in regions)  # type: ignore[method-assign,misc]
        app.take(steady(20))
        assert drawn == [("title", 0)]

    drive(steps, found=[steady(turn) for turn in range(1, 20)])
