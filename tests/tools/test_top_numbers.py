"""SPEC T1: what may go wrong in what neuron-top reads, and its numbers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from textual.pilot import Pilot
from top_pictures import config, drive, lines, machine, owner, picture, row, sights, text

from neuron_adapters.tools.shared.samples import Usage
from neuron_adapters.tools.shared.text import size
from neuron_adapters.tools.top import _frame, _json, _table, _text
from neuron_adapters.tools.top._app import TopApp
from neuron_adapters.tools.top._model import History
from neuron_adapters.tools.top._nodes import Key, program_of
from neuron_adapters.tools.top._reading import Sight
from neuron_adapters.tools.top._text import ASCII, UNICODE, Glyphs
from neuron_rt import Owner
from neuron_rt.snapshot import Counters, Snapshot
from neuron_rt.telemetry import BUCKET_COUNT

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
    liar = Owner(
        key="f" * 15, pid=10**40, command="\U0001f680" * 200, tag="\u4e2d" * 64, ncs=(3, -5, 10**30, 4000, 3),
        record={"instance": "64", "models": [
            {"number": 1, "name": names[0], "file": "\ud800\x1b[2J", "weights": 10**60, "framework": [], "engine": {}},
            {"number": huge, "name": names[1], "weights": -1}, {"number": True}, None, 7,
        ]},
        snapshot=Snapshot(1, -5, 10**30, (huge, huge), rows),
    )  # fmt: skip
    other = replace(
        liar, key="e" * 15, ncs=(), snapshot=None, record={"instance": 5, "models": {"a": 1}}, command="", tag=""
    )
    return machine(9, (liar, other), {"f" * 15: Usage(1e300, -1e300, 1 << 200)})


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_hostile_records(glyphs: Glyphs) -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        for width in (80, 33, 200):
            await pilot.resize_terminal(width, 30)
            for key in ("x", "s", "s", "s", "d", "d", "d"):
                await pilot.press(key)
                assert all(_text.cells(line) <= width and "\x1b" not in line for line in lines(app))

    drive(steps, glyphs=glyphs, seconds=[*sights(1), hostile(), hostile()])
    shown = picture([*sights(1), hostile()])
    assert all(_text.cells(line) <= 80 for line in _frame.text(shown, 80, glyphs, WHERE).splitlines())
    json.loads(_json.text(shown))


def test_numbers_fit_their_columns() -> None:
    for value in (0, 0.04, 1.25, 9.96, 12, 99_999, 99_999.6, 123_456, 10**7, 999_600_000, 10**18, 10**40):
        assert len(_text.number(value)) <= 6
        assert len(size(value, short=True)) <= 6
    for seconds in (0.0, 1e-9, 3.04e-6, 9.996e-4, 0.0123, 0.9996, 1.5, 12.34, 3600, 1e9):
        assert len(_text.duration(seconds)) <= 6
    assert [_text.number(v) for v in (0, 0.5, 1234, 123_456, 12.7)] == ["0", "0.5", "1,234", "123K", "13"]
    assert [size(v, short=True) for v in (0, 5, 98 * MIB, int(1.5 * 2**30))] == ["0B", "5B", "98M", "1.5G"]
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
    names = lambda view: [line.node.name for line in _table.rows(shown, view)]
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
        process = owner("0" * 15, 4101, range(4), rows, {1: ("resnet50.pt", MIB)}, turn)
        return machine(turn, (process,), {"0" * 15: Usage(2.0 * turn, 0.0, MIB)})

    async def steps(app: TopApp, _pilot: Pilot[None]) -> None:
        drawn = []
        for part in app._parts.values():
            part.refresh = lambda *regions, part=part: drawn.extend((part.id, region.y) for region in regions)  # type: ignore[method-assign,misc]
        app.take(steady(20))
        assert drawn == [("title", 0)]

    drive(steps, seconds=[steady(turn) for turn in range(1, 20)])
