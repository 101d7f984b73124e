"""SPEC T1: the screens of neuron-top, made from recorded readings, and what its keys and its mouse do.

The screens are kept as text in ``screens/``; ``UPDATE_SCREENS=1 pytest tests/tools/test_top.py`` writes them anew.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from top_pictures import drive, lines, machine, owner, picture, row, sights, text

from neuron_adapters.tools.shared.samples import Usage
from neuron_adapters.tools.top import _cores, _frame, _text
from neuron_adapters.tools.top._app import TopApp
from neuron_adapters.tools.top._reading import Sight
from neuron_adapters.tools.top._text import ASCII, UNICODE

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


def crowd(turn: int) -> Sight:
    """64 NCs, 100 processes with three models each."""
    owners, usage = [], {}
    for index in range(100):
        ncs = range(index, index + 1) if index < 64 else range(0)
        rows = [row(n, 0, calls=(index % 9) * turn * n, took=0.01) for n in (1, 2, 3)] if ncs else []
        key = f"{index:015x}"
        owners.append(owner(key, 5000 + index, ncs, rows, {n: (f"net{n}.pt", MIB) for n in (1, 2, 3)}, turn,
                           command=f"python worker{index}.py", instance="inf1.24xlarge"))  # fmt: skip
        usage[key] = Usage(turn * 0.1, 0.0, 20 * MIB)
    return machine(turn, tuple(owners), usage)


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

    drive(steps, size=size, instance="inf1.24xlarge", seconds=[crowd(turn) for turn in (1, 2, 3)])


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


@pytest.mark.parametrize("width", [40, 80])
def test_frame_of_an_idle_machine(width: int) -> None:
    """What is said instead of rows is as wide as they would be."""
    shown = _frame.text(picture([machine(turn, (), {}) for turn in (1, 2)]), width, UNICODE, WHERE)
    assert " ".join(_frame.nothing(WHERE).split()) in " ".join(shown.split())
    assert max(map(_text.cells, shown.splitlines())) <= width


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
