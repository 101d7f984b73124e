"""SPEC T1: what a process counts, as others read it while it runs, and whatever becomes of it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from neuron_rt import Model, Observer, Owner, Place, PlainFramework, Runtime, telemetry
from neuron_rt.snapshot import Counters, Snapshot, bucket_limit, percentile
from neuron_rt.telemetry import BUCKET_COUNT, ROWS, Board, bucket
from neuron_rt.undo import Undo

Start = Callable[..., "subprocess.Popen[str]"]


def look(state_dir: Path) -> tuple[Owner, ...]:
    observer = Observer(state_dir)
    try:
        return observer.read()
    finally:
        observer.close()


def only(state_dir: Path) -> Snapshot:
    (owner,) = look(state_dir)
    assert owner.snapshot is not None
    return owner.snapshot


def make(nc_count: int = 1) -> Model:
    return Model("m", nc_count, PlainFramework(), kind="python")


def boards(state_dir: Path) -> list[Path]:
    return sorted(state_dir.glob("*.board"))


# -- what is read is what was counted --------------------------------------------------------------------------------


def test_a_reader_sees_what_the_process_counted(start: Start, state_dir: Path) -> None:
    process = start("telemetry_serve.py")
    assert process.stdout is not None
    said = [tuple(map(int, process.stdout.readline().split())) for _model in range(2)]
    snapshot = only(state_dir)
    assert snapshot.pid == process.pid
    assert [(row.calls, row.errors) for row in snapshot.rows] == said == [(150, 0), (157, 7)]
    assert [(row.start_nc, row.nc_count, row.replica) for row in snapshot.rows] == [(0, 2, 0), (2, 1, 0)]
    for row in snapshot.rows:
        assert sum(row.buckets) == sum(row.totals) == row.calls
        assert 150 * 0.0002 <= row.busy * 1e-9 < 60
        assert percentile(row.buckets, 90) >= 0.0002
    assert snapshot.busy[0] == snapshot.busy[1] == snapshot.rows[0].busy
    assert snapshot.busy[3:] == (0,) * 13


def test_a_model_that_runs_is_busy_before_it_ends(make_runtime: Callable[..., Runtime], state_dir: Path) -> None:
    runtime, model, inside, go_on = make_runtime(), make(), threading.Event(), threading.Event()
    runtime.place(model)
    thread = threading.Thread(target=model.run, args=(lambda: (inside.set(), go_on.wait()),))
    thread.start()
    assert inside.wait(60)
    first, second = only(state_dir), only(state_dir)
    go_on.set()
    thread.join()
    assert first.rows[0].running
    assert 0 < first.busy[0] < second.busy[0]
    assert second.busy[0] - first.busy[0] == second.at - first.at
    after = only(state_dir).rows[0]
    assert (after.running, after.calls) == (False, 1)
    assert after.busy >= second.rows[0].busy


def test_who_waits_for_an_nc_is_counted_apart(make_runtime: Callable[..., Runtime], state_dir: Path) -> None:
    runtime = make_runtime(NEURON_RT_NUM_CORES="1")
    running, waiting = make(), make()
    runtime.place(running)
    runtime.place(waiting)
    inside, go_on = threading.Event(), threading.Event()
    first = threading.Thread(target=running.run, args=(lambda: (inside.set(), go_on.wait()),))
    second = threading.Thread(target=waiting.run, args=(lambda: None,))
    first.start()
    assert inside.wait(60)
    second.start()
    while not runtime._lanes.waiters:
        time.sleep(0.001)
    time.sleep(0.05)
    go_on.set()
    first.join()
    second.join()
    rows = only(state_dir).rows
    assert rows[0].waited == 0
    assert rows[1].waited * 1e-9 >= 0.05
    assert percentile(rows[1].totals, 50) >= 0.04 > percentile(rows[1].buckets, 50)
    assert rows[1].switches == 1
    assert sum(rows[1].totals) == 1


def test_time_outs_are_counted(make_runtime: Callable[..., Runtime], state_dir: Path) -> None:
    runtime, model, go_on = make_runtime(NEURON_RT_EXEC_TIMEOUT="0.05"), make(), threading.Event()
    runtime.place(model)
    with pytest.raises(TimeoutError):
        model.run(go_on.wait)
    assert only(state_dir).rows[0].timeouts == 1
    go_on.set()


def test_a_call_within_a_call_leaves_the_outer_one_running(
    make_runtime: Callable[..., Runtime], state_dir: Path
) -> None:
    """X4: as a signal handler may do."""
    runtime, model = make_runtime(), make()
    runtime.place(model)

    def outer() -> bool:
        model.run(lambda: None)
        return only(state_dir).rows[0].running

    assert model.run(outer)
    row = only(state_dir).rows[0]
    assert (row.running, row.calls) == (False, 2)


def test_an_unloaded_model_is_gone_and_its_time_is_not(make_runtime: Callable[..., Runtime], state_dir: Path) -> None:
    runtime = make_runtime()
    for _turn in range(3):
        model = make()
        runtime.place(model, Place(start=0))
        model.run(time.sleep, 0.01)
        model.release()
        del model
        assert only(state_dir).rows == ()
    assert only(state_dir).busy[0] * 1e-9 >= 0.03
    kept = make()
    runtime.place(kept, Place(start=0))
    assert [row.calls for row in only(state_dir).rows] == [0]
    assert only(state_dir).busy[0] * 1e-9 >= 0.03


def test_a_row_is_given_back_when_modules_are_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC X4: what lives to the very end of Python goes when the names in modules are None."""
    table = Board(1)
    row = table.row(1, 0, range(1))
    words, gone = row.words, telemetry.GONE
    for name in vars(telemetry).copy():
        if not name.startswith("__"):
            monkeypatch.setattr(telemetry, name, None)
    del row
    monkeypatch.undo()
    assert words[gone] == 1
    table.collect()
    assert words[telemetry.NUMBER] == 0


def test_more_replicas_than_rows_run_all_the_same(make_runtime: Callable[..., Runtime], state_dir: Path) -> None:
    runtime = make_runtime()
    models = [make() for _ in range(ROWS + 5)]
    for model in models:
        runtime.place(model)
    for model in models:
        assert model.run(lambda: 3) == 3
        assert model.slots[0].calls == 1
    rows = only(state_dir).rows
    assert len(rows) == ROWS
    assert {row.calls for row in rows} == {1}
    for model in models:
        model.release()
    again = make()
    runtime.place(again)
    assert [row.number for row in only(state_dir).rows] == [again.number]


def test_a_reader_never_sees_half_a_call(start: Start, state_dir: Path) -> None:
    """The process counts as fast as it can while it is read."""
    process = start("a_reader_never_sees_half_a_call.py")
    assert process.stdout is not None
    assert process.stdout.readline()
    observer, calls, busy = Observer(state_dir), 0, 0
    whole = reads = 0
    end = time.monotonic() + 60
    while reads < 2000 and time.monotonic() < end:
        (owner,) = observer.read()
        assert owner.snapshot is not None
        (row,) = owner.snapshot.rows
        assert row.calls >= calls
        assert owner.snapshot.busy[0] == row.busy
        assert abs(sum(row.buckets) - row.calls) <= 1
        whole += sum(row.buckets) == row.calls
        reads += 1
        calls, busy = row.calls, max(busy, row.busy)
    observer.close()
    assert calls > 1000
    assert whole > reads / 2  # a process that the scheduler stops in mid-count is read as it is, and not waited for


# -- whatever becomes of the process ---------------------------------------------------------------------------------


def test_a_killed_process_is_not_read_and_cleared_away(start: Start, state_dir: Path) -> None:
    process = start("telemetry_serve.py")
    assert process.stdout is not None
    process.stdout.readline()
    assert len(look(state_dir)) == len(boards(state_dir)) == 1
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    left = boards(state_dir)
    assert look(state_dir) == ()
    assert left
    other = start("import neuron_rt; neuron_rt.init(); print('ready', flush=True); input()")
    assert other.stdout is not None
    assert other.stdout.readline()
    assert len(boards(state_dir)) == 1
    assert boards(state_dir) != left
    other.communicate("\n", timeout=60)
    assert [path.name for path in state_dir.iterdir()] == ["ncs.lock"], "who ends leaves nothing"


def test_a_forked_child_counts_for_itself(start: Start, state_dir: Path) -> None:
    """O4: not even what was running when it was made, nor what ends in it."""
    process = start("a_forked_child_counts_for_itself.py")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert [(row.calls, row.running) for row in only(state_dir).rows] == [(1, False), (0, False)]


def test_without_room_on_the_disk_models_run_uncounted(start: Start, state_dir: Path) -> None:
    process = start("without_room_on_the_disk_models_run_uncounted.py")
    assert process.stdout is not None
    assert process.stdout.readline() == "42 1\n"
    (owner,) = look(state_dir)
    assert (owner.pid, owner.snapshot) == (process.pid, None)


# -- files of others are believed no further than they make sense ----------------------------------------------------


@pytest.fixture
def board(tmp_path: Path) -> Path:
    path = tmp_path / "one.board"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    table = Board(4, Undo(os.close, fd))
    rows = [table.row(number, 0, range(number - 1, number)) for number in range(1, 4)]
    for row in rows:
        for spent in (10, 2_000, 3_000_000, 5_000_000_000):
            row.words[telemetry.STARTED] = row.calls + 1
            row.count(spent, spent)
    assert len(read(path).rows) == 3  # type: ignore[union-attr]
    table.close()
    return path


def read(path: Path) -> Snapshot | None:
    fd = os.open(path, os.O_RDONLY)
    try:
        return Snapshot.read(fd)
    finally:
        os.close(fd)


def test_damaged_boards_are_read_as_far_as_they_make_sense(board: Path, tmp_path: Path) -> None:
    good = board.read_bytes()[: 8 * (16 + 4 + 4 * 120)]
    draw = random.Random(7)
    damaged = tmp_path / "damaged.board"
    outcomes = set()
    for _turn in range(3000):
        body = bytearray(good)
        for _hit in range(draw.choice((1, 1, 3, 20))):
            at = draw.choice((draw.randrange(160), draw.randrange(len(body))))
            body[at] = draw.randrange(256)
        damaged.write_bytes(body[: draw.choice((len(body), draw.randrange(len(body))))])
        snapshot = read(damaged)
        outcomes.add(snapshot is None)
        for row in snapshot.rows if snapshot else ():
            assert isinstance(row, Counters)
            assert 0 <= row.start_nc < row.start_nc + row.nc_count <= len(snapshot.busy)  # type: ignore[union-attr]
            assert percentile(row.buckets, 99) >= 0
    assert outcomes == {True, False}


@pytest.mark.parametrize("word", [1, 2, 4, 7])
def test_a_board_of_another_layout_is_ignored(board: Path, word: int) -> None:
    """A newer version, more NCs than there can be, wider rows, more rows than there can be."""
    body = bytearray(board.read_bytes())
    body[8 * word : 8 * word + 8] = (1 << 40).to_bytes(8, sys.byteorder)
    board.write_bytes(body)
    assert read(board) is None


def test_links_and_pipes_are_not_opened(start: Start, state_dir: Path, tmp_path: Path) -> None:
    process = start("telemetry_serve.py")
    assert process.stdout is not None
    process.stdout.readline()
    (path,) = boards(state_dir)
    secret = tmp_path / "secret"
    secret.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(secret)
    assert look(state_dir)[0].snapshot is None
    path.unlink()
    os.mkfifo(path)
    assert look(state_dir)[0].snapshot is None


def test_a_record_of_a_newer_version_is_ignored(start: Start, state_dir: Path) -> None:
    process = start("telemetry_serve.py")
    assert process.stdout is not None
    process.stdout.readline()
    observer = Observer(state_dir)
    assert [owner.pid for owner in observer.read()] == [process.pid]
    (path,) = state_dir.glob("*.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "version": 2}))
    assert observer.read() == ()
    path.write_text(json.dumps({**record, "of_tomorrow": [1]}))
    assert [owner.pid for owner in observer.read()] == [process.pid], "what is added is no new version"
    observer.close()


def test_an_observer_follows_its_directory(start: Start, state_dir: Path) -> None:
    """It need not exist yet, and may be removed and made again."""
    observer = Observer(state_dir / "later")
    assert observer.read() == ()
    for _turn in range(2):
        process = start("telemetry_serve.py", NEURON_ADAPTERS_STATE_DIR=str(state_dir / "later"))
        assert process.stdout is not None
        process.stdout.readline()
        assert [owner.pid for owner in observer.read()] == [process.pid]
        for path in (state_dir / "later").iterdir():
            path.unlink()
        (state_dir / "later").rmdir()
        assert observer.read() == ()
        process.communicate("", timeout=60)
    observer.close()


# -- durations -------------------------------------------------------------------------------------------------------


def test_every_duration_has_its_bucket() -> None:
    for place in range(BUCKET_COUNT - 1):
        limit = round(bucket_limit(place) * 1e9)
        assert (bucket(limit - 1), bucket(limit)) == (place, place + 1)
    assert bucket(0) == 0
    assert bucket(1 << 62) == BUCKET_COUNT - 1
    assert bucket_limit(BUCKET_COUNT - 1) == float("inf")


def test_percentiles_are_as_exact_as_buckets_are_wide() -> None:
    draw = random.Random(3)
    spent = sorted(int(draw.lognormvariate(13, 1.5)) for _ in range(5000))
    buckets = [0] * BUCKET_COUNT
    for nanoseconds in spent:
        buckets[bucket(nanoseconds)] += 1
    for percent in (1, 25, 50, 75, 99):
        exact = spent[int(len(spent) * percent / 100)] * 1e-9
        assert exact / 1.5 < percentile(buckets, percent) < exact * 1.5
    assert percentile(buckets, 0) <= spent[0] * 1e-9 * 1.5
    assert percentile(buckets, 100) >= spent[-1] * 1e-9
    assert percentile([0] * BUCKET_COUNT, 50) == 0.0
