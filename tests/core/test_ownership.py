"""SPEC O: an NC belongs to one process at a time, the kernel keeps the books, and a death frees everything at once."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import neuron_rt
from neuron_rt import Config, NeuronCoresNotAvailableError, Runtime, StateDirectoryError, owners, ownership
from neuron_rt.locks import LOCK_NAME, share
from neuron_rt.ownership import acquire

Start = Callable[..., subprocess.Popen[str]]
MakeRuntime = Callable[..., Runtime]
PATIENCE = 60


def taken_by(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    return [int(nc) for nc in process.stdout.readline().split()]


def config(state_dir: Path, **variables: str) -> Config:
    return Config.read({"NEURON_ADAPTERS_STATE_DIR": str(state_dir), **variables})


def test_first_fit(start: Start) -> None:
    """SPEC O2, P8: each process gets the next free run; the sixth of five times three is told who has what."""
    processes = [start("holder.py", NEURON_RT_NUM_CORES="3") for _ in range(5)]
    runs = sorted(taken_by(process) for process in processes)
    assert runs == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11], [12, 13, 14]]
    sixth = start("holder.py", NEURON_RT_NUM_CORES="3", NEURON_PROCESS_TAG="sixth")
    _out, err = sixth.communicate(timeout=PATIENCE)
    assert err.startswith("NeuronCore(s) not available - Requested:3 Available:1")
    for process in processes:
        assert f"pid {process.pid}" in err


def test_visible_cores_side_by_side(start: Start) -> None:
    """SPEC P8: five processes on 0-2, 3-5, 6-8, 9-11 and 12-14 all run."""
    for first in range(0, 15, 3):
        assert taken_by(start("holder.py", NEURON_RT_VISIBLE_CORES=f"{first}-{first + 2}")) == [
            first,
            first + 1,
            first + 2,
        ]


def test_the_documented_error(start: Start, state_dir: Path) -> None:
    """SPEC O3: the documented words, then the owner by pid, tag, NCs and command."""
    holder = start("holder.py", NEURON_RT_VISIBLE_CORES="0-3", NEURON_PROCESS_TAG="my server")
    taken_by(holder)
    with pytest.raises(NeuronCoresNotAvailableError) as caught:
        acquire(config(state_dir, NEURON_RT_VISIBLE_CORES="1"))
    text = str(caught.value)
    assert text.startswith("NeuronCore(s) not available - Requested:nc1-nc1 Available:0. ")
    assert f"pid {holder.pid} [my server] owns NC0-NC3: " in text
    assert caught.value.owners[0].pid == holder.pid
    with pytest.raises(NeuronCoresNotAvailableError, match=r"Requested:nc3,nc5 Available:1"):
        acquire(config(state_dir, NEURON_RT_VISIBLE_CORES="3,5"))
    still_free = acquire(config(state_dir, NEURON_RT_VISIBLE_CORES="5"))
    still_free.release()


def test_a_killed_owner_is_gone_at_once(start: Start, state_dir: Path) -> None:
    """SPEC O1: SIGKILL leaves neither locks nor a record that anybody believes."""
    holder = start("holder.py")
    assert len(taken_by(holder)) == 16
    assert [owner.pid for owner in owners(state_dir)] == [holder.pid]
    holder.kill()
    holder.wait()
    assert owners(state_dir) == ()
    mine = acquire(config(state_dir))
    assert mine.ncs == tuple(range(16))
    assert not [name for name in os.listdir(state_dir) if name.endswith(".json")], "the dead are cleared away"
    mine.release()


def test_waiting(start: Start, state_dir: Path) -> None:
    """SPEC O3: NEURON_ADAPTERS_WAIT gets what is freed in time, in order of arrival, and gives up when it is not."""
    holder = acquire(config(state_dir))
    with pytest.raises(NeuronCoresNotAvailableError):
        acquire(config(state_dir, NEURON_ADAPTERS_WAIT="0.05"))
    waiters = []
    for ticket in range(3):
        waiters.append(start("holder.py", NEURON_ADAPTERS_WAIT=str(PATIENCE)))
        while len(list(holder._lock.held_by_others(1 << 41, (1 << 41) - 1))) <= ticket:
            time.sleep(0.01)
    holder.release()
    for place, waiter in enumerate(waiters):
        assert len(taken_by(waiter)) == 16
        assert [owner.pid for owner in owners(state_dir)] == [waiter.pid]
        assert all(other.poll() is None for other in waiters[place:])
        waiter.kill()
        waiter.wait()


def test_who_comes_later_does_not_overtake(start: Start, state_dir: Path) -> None:
    """SPEC O3: fairly. A waiter for all is not starved by waiters for few; who does not wait takes what is free."""
    low = acquire(config(state_dir, NEURON_RT_VISIBLE_CORES="0-7"))
    high = acquire(config(state_dir, NEURON_RT_VISIBLE_CORES="8-15"))
    large = start("holder.py", NEURON_ADAPTERS_WAIT=str(PATIENCE))
    while not list(low._lock.held_by_others(1 << 41, (1 << 41) - 1)):
        time.sleep(0.01)
    low.release()
    with pytest.raises(NeuronCoresNotAvailableError, match="Available:8"):
        acquire(config(state_dir, NEURON_RT_NUM_CORES="1", NEURON_ADAPTERS_WAIT="0.3"))
    acquire(config(state_dir, NEURON_RT_NUM_CORES="1")).release()
    high.release()
    assert len(taken_by(large)) == 16


def test_two_hundred_processes_fight(
    environment: Callable[..., dict[str, str]], tmp_path: Path, state_dir: Path
) -> None:
    """SPEC O1-O3: 200 processes for 16 NCs, some killed at any point. A witness, a flock an NC, would see a second
    owner; afterwards one process can take all, so none was lost."""
    chance = random.Random(7)
    script = Path(__file__).parent / "scripts" / "fighter.py"
    witnesses = tmp_path / "witnesses"
    witnesses.mkdir()
    codes: list[int] = []
    for _batch in range(10):
        batch = []
        for _ in range(20):
            env = environment(
                NEURON_RT_NUM_CORES=str(chance.randint(1, 5)),
                NEURON_ADAPTERS_WAIT=chance.choice(["0", "60", "60"]),
            )
            batch.append(subprocess.Popen([sys.executable, "-S", str(script), str(witnesses)], env=env))
        for process in batch[::4]:
            time.sleep(chance.random() * 0.15)
            process.kill()
        codes += [process.wait(timeout=PATIENCE) for process in batch]
    assert len(codes) == 200
    assert 66 not in codes, "an NC had two owners"
    assert set(codes) <= {0, 3, -9}
    assert codes.count(0) > 100
    alone = acquire(config(state_dir))
    assert alone.ncs == tuple(range(16)), "an NC was lost"
    alone.release()


def test_killed_while_choosing(start: Start, state_dir: Path) -> None:
    """SPEC O1: SIGKILL in any line. The deaths are spread over the few milliseconds that taking NCs needs."""
    chance = random.Random(1)
    for _ in range(12):
        process = start("killed_while_choosing.py")
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.random() * 0.01)
        process.kill()
        process.wait()
        mine = acquire(config(state_dir))
        assert len(mine.ncs) == 16
        mine.release()


def test_fork(start: Start, state_dir: Path) -> None:
    """SPEC O4: the child owns nothing, takes its own, and keeps nothing of a parent that dies."""
    parent = start("forked.py", NEURON_RT_NUM_CORES="4")
    assert parent.stdout is not None
    orphan = int(parent.stdout.readline())
    try:
        parent.wait(timeout=PATIENCE)
        mine = acquire(config(state_dir))
        assert len(mine.ncs) == 16
        mine.release()
    finally:
        os.kill(orphan, 9)


def test_fork_while_another_thread_takes_ncs(start: Start, state_dir: Path) -> None:
    """SPEC O4: what the parent was just opening is not kept alive either."""
    parent = start("forked_in_between.py")
    assert parent.stdout is not None
    orphan = int(parent.stdout.readline())
    try:
        parent.wait(timeout=PATIENCE)
        acquire(config(state_dir)).release()
    finally:
        os.kill(orphan, 9)


def test_closing_happens_once(start: Start) -> None:
    """SPEC O6: again, and in a forked child, it touches no descriptor that is not its own."""
    process = start("closed_twice.py", NEURON_RT_NUM_CORES="4")
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "done\n", "")


@pytest.mark.parametrize(
    "where", ["ownership._take", "ownership._come_alive", "runtime.acquire", "runtime.Config.read",
              "ownership.LockFile.is_current", "runtime.recording.start", "runtime.Board"],
)  # fmt: skip
def test_a_start_inside_a_start(start: Start, tmp_path: Path, where: str) -> None:
    """SPEC C6, X4: a signal handler that needs the runtime while it starts gets one; the start that it interrupted
    returns the same, and nothing is taken twice."""
    trace = str(tmp_path / "run.json")
    process = start("start_in_a_start.py", where, NEURON_RT_NUM_CORES="3", NEURON_ADAPTERS_TRACE=trace)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "done\n", "")


def test_an_owner_on_its_way_out_is_named(start: Start, state_dir: Path) -> None:
    """SPEC O3: its NCs are owned until it is gone, and so is its record."""
    owner = start("exiting.py")
    assert owner.stdout is not None
    assert owner.stdout.readline() == "exiting\n"
    with pytest.raises(NeuronCoresNotAvailableError, match=f"pid {owner.pid} owns NC0-NC15"):
        acquire(config(state_dir))
    owner.communicate("", timeout=PATIENCE)
    acquire(config(state_dir)).release()


def test_an_owner_that_leaves_meanwhile(start: Start, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC O3: the error says so, and no sentence about owners that are not there."""
    holder = acquire(config(state_dir))
    monkeypatch.setattr(
        ownership, "_not_available", lambda *args, real=ownership._not_available: (holder.release(), real(*args))[1]
    )
    with pytest.raises(NeuronCoresNotAvailableError) as caught:
        acquire(config(state_dir, NEURON_RT_NUM_CORES="12"))
    assert str(caught.value) == (
        "NeuronCore(s) not available - Requested:12 Available:16 (an owner left meanwhile). "
        "Try again, or set NEURON_ADAPTERS_WAIT=SECONDS to wait."
    )


@pytest.mark.parametrize("what", ["link", "writable", "file", "missing parent"])
def test_a_directory_that_cannot_be_trusted(tmp_path: Path, what: str) -> None:
    """SPEC O5: links, directories that others can write to, and what is none are refused with a way out."""
    folder = tmp_path / "chosen"
    if what == "link":
        (tmp_path / "real").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "real")
    elif what == "writable":
        folder.mkdir()
        folder.chmod(0o777)
    elif what == "file":
        folder.write_text("")
    else:
        folder = folder / "below"
    with pytest.raises(StateDirectoryError, match="NEURON_ADAPTERS_STATE_DIR"):
        acquire(config(folder))


def test_a_sticky_directory_may_be_shared(tmp_path: Path) -> None:
    """SPEC O5: as /tmp is: others may add, nobody can remove what is not his."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    mine = acquire(config(folder))
    assert (folder / LOCK_NAME).stat().st_mode & 0o777 == 0o666
    mine.release()


USER = 65533  # an ordinary user, and the one after it


@pytest.fixture
def shared_dir() -> Iterator[Path]:
    """A directory that every user reaches, as an administrator would make it by hand."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def as_user(start: Start, folder: Path, user: int, script: str, **variables: str) -> subprocess.Popen[str]:
    return start("as_user.py", str(user), script, NEURON_ADAPTERS_STATE_DIR=str(folder), **variables)


@needs_root
def test_users_share_a_directory_and_cannot_spoil_it(start: Start, shared_dir: Path) -> None:
    """SPEC O5: one user tidies up after itself, and the other one's NCs stay its own."""
    share(shared_dir)
    first = as_user(start, shared_dir, USER, "holder.py", NEURON_RT_NUM_CORES="2")
    second = as_user(start, shared_dir, USER + 1, "holder.py", NEURON_RT_NUM_CORES="6")
    assert sorted(taken_by(first) + taken_by(second)) == list(range(8))
    tidy = as_user(start, shared_dir, USER, "spoil.py")
    assert tidy.wait(PATIENCE) == 0
    third = as_user(start, shared_dir, USER, "holder.py", NEURON_RT_NUM_CORES="16")
    _out, err = third.communicate(timeout=PATIENCE)
    assert err.startswith("NeuronCore(s) not available - Requested:16 Available:8")
    assert f"pid {second.pid} owns" in err


@needs_root
def test_the_first_user_does_not_make_the_lock_file(start: Start, shared_dir: Path) -> None:
    """SPEC O5: whoever owns it could remove it. One that an ordinary user left there is refused, and mended."""
    said = as_user(start, shared_dir, USER, "holder.py").communicate(timeout=PATIENCE)[1]
    assert f"Let its administrator run 'neuron-adapters share {shared_dir}'" in said
    assert not (shared_dir / LOCK_NAME).exists()
    (shared_dir / LOCK_NAME).touch()
    os.chown(shared_dir / LOCK_NAME, USER, USER)
    said = as_user(start, shared_dir, USER + 1, "holder.py").communicate(timeout=PATIENCE)[1]
    assert "cannot be opened (Permission denied). Let its administrator run" in said.splitlines()[-1]
    (shared_dir / LOCK_NAME).chmod(0o666)
    for user in (USER, USER + 1):
        said = as_user(start, shared_dir, user, "holder.py").communicate(timeout=PATIENCE)[1]
        assert f"of user {USER}, who could remove it" in said.splitlines()[-1]
    share(shared_dir)
    assert len(taken_by(as_user(start, shared_dir, USER, "holder.py"))) == 16
    os.chown(shared_dir, USER, USER)
    said = as_user(start, shared_dir, USER + 1, "holder.py").communicate(timeout=PATIENCE)[1]
    assert f"belongs to user {USER}, who could remove what is in it" in said


def test_a_lock_file_that_is_removed_is_noticed(
    make_runtime: MakeRuntime, state_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SPEC O5: once, at the next load."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="2")
    (state_dir / LOCK_NAME).unlink()
    (state_dir / LOCK_NAME).touch()
    (record,) = state_dir.glob("*.json")
    models = [neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="plain") for _ in range(2)]
    for count, model in enumerate(models, 1):
        runtime.place(model)
        while len(json.loads(record.read_text())["models"]) < count:
            time.sleep(0.01)
    assert [record.getMessage()[:60] for record in caplog.records] == [f"{state_dir / LOCK_NAME} was removed"[:60]]


def test_a_record_that_no_lock_bears_out(make_runtime: MakeRuntime, state_dir: Path) -> None:
    """SPEC O5: neither one under a name like a living process's, nor one that claims what nobody has locked."""
    make_runtime(NEURON_RT_NUM_CORES="2")
    (record,) = state_dir.glob("*.json")
    body = json.loads(record.read_text())
    for name in (f"{record.stem}zz.json", f"{record.stem}.json.json", f".{record.name}", f"{record.stem[:-1]}.json"):
        (state_dir / name).write_text(json.dumps({**body, "pid": 1, "command": "false"}))
    assert [owner.pid for owner in owners(state_dir)] == [os.getpid()]
    record.write_text(json.dumps({**body, "ncs": [2, 0, 1, -1, 10**30]}))
    assert [owner.ncs for owner in owners(state_dir)] == [(0, 1)]


@pytest.mark.parametrize("what", ["link", "pipe", "hard link", "directory"])
def test_a_lock_file_that_is_none(state_dir: Path, what: str) -> None:
    """SPEC O5: nothing leads out of the directory."""
    elsewhere = state_dir.parent / "elsewhere"
    elsewhere.write_text("")
    lock = state_dir / LOCK_NAME
    if what == "link":
        lock.symlink_to(elsewhere)
    elif what == "pipe":
        os.mkfifo(lock)
    elif what == "hard link":
        os.link(elsewhere, lock)
    else:
        lock.mkdir()
    with pytest.raises(StateDirectoryError, match=LOCK_NAME):
        acquire(config(state_dir))


JUNK = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"\xff\xfe",
    b"[" * 100_000,
    b"{}" + b" " * (1 << 20),
    json.dumps({"version": 1, "pid": "7", "ncs": [0]}).encode(),
    json.dumps({"version": 1, "pid": 7}).encode(),
    json.dumps({"version": 1, "pid": 7, "ncs": ["0"]}).encode(),
    json.dumps({"version": 2, "pid": 7, "ncs": []}).encode(),
    json.dumps({"version": 1, "pid": 7, "ncs": {"a": 1}}).encode(),
    b'{"version": 1, "pid": 7, "ncs": [1e999]}',
]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_records_are_not_believed(make_runtime: MakeRuntime, state_dir: Path, junk: bytes) -> None:
    """SPEC O5: whatever a living process's record says, reading it neither fails nor hangs."""
    make_runtime(NEURON_RT_NUM_CORES="2")
    (record,) = state_dir.glob("*.json")
    record.write_bytes(junk)
    assert owners(state_dir) == ()
    with pytest.raises(NeuronCoresNotAvailableError, match=r"NC0-NC1: owner has not published itself yet"):
        acquire(config(state_dir))


def test_a_record_cannot_move_the_cursor(make_runtime: MakeRuntime, state_dir: Path) -> None:
    """Control characters of another process's command stay out of our terminal."""
    make_runtime()
    (record,) = state_dir.glob("*.json")
    body = json.loads(record.read_text())
    record.write_text(json.dumps({**body, "command": "\x1b[2J evil\r\n", "tag": "\x07"}))
    (owner,) = owners(state_dir)
    assert str(owner).isprintable()


def test_what_is_published(make_runtime: MakeRuntime, state_dir: Path) -> None:
    """The owner's pid, command, tag, NCs and models stand beside the locks, for whoever looks."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="2", NEURON_PROCESS_TAG="tag")
    model = neuron_rt.Model("some model", 1, neuron_rt.PlainFramework(), kind="plain")
    runtime.place(model)
    while not owners(state_dir)[0].record["models"]:
        time.sleep(0.01)
    (owner,) = owners(state_dir)
    assert (owner.pid, owner.tag, owner.ncs) == (os.getpid(), "tag", (0, 1))
    assert owner.record["models"][0]["name"] == "some model"
    assert owner.record["models"][0]["replicas"] == [[0]]
    runtime.close()
    assert owners(state_dir) == ()
    assert owners(state_dir / "not there") == ()


def test_the_directory_is_removed_while_in_use(state_dir: Path) -> None:
    """A fresh lock file is no trap for who comes later, and releasing still works."""
    first = acquire(config(state_dir, NEURON_RT_NUM_CORES="2"))
    (state_dir / LOCK_NAME).unlink()
    first.release()
    second = acquire(config(state_dir))
    assert len(second.ncs) == 16
    second.release()
