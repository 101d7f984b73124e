"""SPEC O: an NC belongs to one process at a time, the kernel keeps the books, and a death frees everything at once."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import neuron_rt
from neuron_rt import Config, NeuronCoresNotAvailableError, Runtime, StateDirectoryError
from neuron_rt import owners, ownership
from neuron_rt.locks import LOCK_NAME, share
from neuron_rt.ownership import acquire

Start = Callable[..., subprocess.Popen[str]]
MakeRuntime = Callable[..., Runtime]
PATIENCE = 60

#: Takes NCs, says which, and keeps them until its input ends.
HOLDER = """
import sys, neuron_rt
try:
    print(*neuron_rt.init().instance_ncs, flush=True)
except neuron_rt.NeuronCoresNotAvailableError as error:
    sys.exit(str(error))
sys.stdin.read()
"""


def taken_by(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    return [int(nc) for nc in process.stdout.readline().split()]


def config(state_dir: Path, **variables: str) -> Config:
    return Config.read({"NEURON_ADAPTERS_STATE_DIR": str(state_dir), **variables})


def test_first_fit(start: Start) -> None:
    """SPEC O2, P8: each process gets the next free run; the sixth of five times three is told who has what."""
    processes = [start(HOLDER, NEURON_RT_NUM_CORES="3") for _ in range(5)]
    runs = sorted(taken_by(process) for process in processes)
    assert runs == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11], [12, 13, 14]]
    sixth = start(HOLDER, NEURON_RT_NUM_CORES="3", NEURON_PROCESS_TAG="sixth")
    _out, err = sixth.communicate(timeout=PATIENCE)
    assert err.startswith("NeuronCore(s) not available - Requested:3 Available:1")
    for process in processes:
        assert f"pid {process.pid}" in err


def test_visible_cores_side_by_side(start: Start) -> None:
    """SPEC P8: five processes on 0-2, 3-5, 6-8, 9-11 and 12-14 all run."""
    for first in range(0, 15, 3):
        assert taken_by(start(HOLDER, NEURON_RT_VISIBLE_CORES=f"{first}-{first + 2}")) == [first, first + 1, first + 2]


def test_the_documented_error(start: Start, state_dir: Path) -> None:
    """SPEC O3: the documented words, then the owner by pid, tag, NCs and command."""
    holder = start(HOLDER, NEURON_RT_VISIBLE_CORES="0-3", NEURON_PROCESS_TAG="my server")
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
    holder = start(HOLDER)
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
        waiters.append(start(HOLDER, NEURON_ADAPTERS_WAIT=str(PATIENCE)))
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
    large = start(HOLDER, NEURON_ADAPTERS_WAIT=str(PATIENCE))
    while not list(low._lock.held_by_others(1 << 41, (1 << 41) - 1)):
        time.sleep(0.01)
    low.release()
    with pytest.raises(NeuronCoresNotAvailableError, match="Available:8"):
        acquire(config(state_dir, NEURON_RT_NUM_CORES="1", NEURON_ADAPTERS_WAIT="0.3"))
    acquire(config(state_dir, NEURON_RT_NUM_CORES="1")).release()
    high.release()
    assert len(taken_by(large)) == 16


FIGHTER = """
import fcntl, os, random, sys, time, neuron_rt
folder = sys.argv[1]
random.seed(os.getpid())
try:
    ncs = neuron_rt.init().instance_ncs
except neuron_rt.NeuronCoresNotAvailableError:
    sys.exit(3)
for nc in ncs:
    witness = os.open(os.path.join(folder, str(nc)), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(witness, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os._exit(66)
assert list(ncs) == list(range(ncs[0], ncs[0] + len(ncs)))
time.sleep(random.random() * 0.05)
os._exit(0) if random.random() < 0.5 else sys.exit(0)
"""


def test_two_hundred_processes_fight(
    environment: Callable[..., dict[str, str]], tmp_path: Path, state_dir: Path
) -> None:
    """SPEC O1-O3: 200 processes for 16 NCs, some killed at any point. A witness, a flock an NC, would see a second
    owner; afterwards one process can take all, so none was lost."""
    import sys

    chance = random.Random(7)
    script = tmp_path / "fighter.py"
    script.write_text(FIGHTER)
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
    snippet = """
import os, neuron_rt
from neuron_rt.ownership import acquire
print("go", flush=True)
while True:
    acquire(neuron_rt.Config.read()).release()
"""
    chance = random.Random(1)
    for _ in range(12):
        process = start(snippet)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.random() * 0.01)
        process.kill()
        process.wait()
        mine = acquire(config(state_dir))
        assert len(mine.ncs) == 16
        mine.release()


FORKED = """
import os, signal, sys, neuron_rt
model = neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="plain")
runtime = neuron_rt.init()
runtime.place(model)
ready, tell = os.pipe()
child = os.fork()
if child == 0:
    assert neuron_rt.current() is None
    try:
        model.run(lambda: 1)
    except neuron_rt.ModelNotLoadedError as error:
        assert "load it again in this one, after the fork" in str(error)
    else:
        os._exit(1)
    os.environ["NEURON_RT_NUM_CORES"] = "2"
    assert neuron_rt.init().instance_ncs == (4, 5), neuron_rt.init().instance_ncs
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert model.run(lambda: 2) == 2
child = os.fork()
if child == 0:
    os.write(tell, b"running")  # from its first line on; until then the kernel has but copied the parent
    signal.pause()
os.read(ready, 7)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_fork(start: Start, state_dir: Path) -> None:
    """SPEC O4: the child owns nothing, takes its own, and keeps nothing of a parent that dies."""
    parent = start(FORKED, NEURON_RT_NUM_CORES="4")
    assert parent.stdout is not None
    orphan = int(parent.stdout.readline())
    try:
        parent.wait(timeout=PATIENCE)
        mine = acquire(config(state_dir))
        assert len(mine.ncs) == 16
        mine.release()
    finally:
        os.kill(orphan, 9)


FORKED_IN_BETWEEN = """
import os, signal, threading, neuron_rt
from neuron_rt import ownership
come_alive, inside, go_on = ownership._come_alive, threading.Event(), threading.Event()

def slowly(lock):
    inside.set()
    go_on.wait()
    return come_alive(lock)

ownership._come_alive = slowly
ready, tell = os.pipe()
thread = threading.Thread(target=neuron_rt.init)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    os.write(tell, b"running")  # from its first line on; until then the kernel has but copied the parent
    signal.pause()
os.read(ready, 7)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_fork_while_another_thread_takes_ncs(start: Start, state_dir: Path) -> None:
    """SPEC O4: what the parent was just opening is not kept alive either."""
    parent = start(FORKED_IN_BETWEEN.replace("import os", "import warnings; warnings.simplefilter('ignore')\nimport os", 1))
    assert parent.stdout is not None
    orphan = int(parent.stdout.readline())
    try:
        parent.wait(timeout=PATIENCE)
        acquire(config(state_dir)).release()
    finally:
        os.kill(orphan, 9)


CLOSED_TWICE = """
import contextlib, os, subprocess, sys, neuron_rt
from neuron_rt import ownership
first = neuron_rt.init()
first.close()
second = neuron_rt.init()
first.close()
files = [open(os.devnull) for _ in range(8)]
folder = neuron_rt.Config.read().state_dir
assert not second.closed and len(ownership.owned(folder, 16)) == 4
second.close()
files += [open(os.devnull) for _ in range(8)]
second.close()
assert [file.read() for file in files] == [""] * 16, "a descriptor was not its own"
with contextlib.closing(neuron_rt.init()) as parents:
    child = os.fork()
    if child == 0:
        mine = neuron_rt.init()
        assert mine.instance_ncs == (4, 5, 6, 7)
    else:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
if child == 0:
    parents.close()
    assert not mine.closed and [file.read() for file in files] == [""] * 16
    other = subprocess.run([sys.executable, "-c", "import neuron_rt; print(neuron_rt.init().instance_ncs)"],
                           capture_output=True, text=True)
    os._exit(other.stdout != "(8, 9, 10, 11)\\n")  # the parent's are taken, and so are the child's
for file in files:
    file.close()
print("done")
"""


def test_closing_happens_once(start: Start) -> None:
    """SPEC O6: again, and in a forked child, it touches no descriptor that is not its own."""
    process = start(CLOSED_TWICE, NEURON_RT_NUM_CORES="4")
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "done\n", "")


START_IN_A_START = """
import neuron_rt
from neuron_rt import ownership, runtime
inner, original, depth = [], getattr(*NAMES), []

def interrupted(*args, **kwargs):  # as a signal handler here would
    if not depth:
        depth.append(1)
        inner.append(neuron_rt.init())
    return original(*args, **kwargs)

setattr(NAMES[0], NAMES[1], interrupted)
outer = neuron_rt.init()
assert inner == [outer] and outer is neuron_rt.current() and outer.instance_ncs == (0, 1, 2)
assert len(ownership.owned(outer.config.state_dir, 16)) == 3
outer.close()
assert not ownership.owned(outer.config.state_dir, 16)
print("done")
"""


@pytest.mark.parametrize(
    "where", ["ownership, '_take'", "ownership, '_come_alive'", "runtime, 'acquire'", "runtime.Config, 'read'",
              "ownership.LockFile, 'is_current'", "runtime.recording, 'start'", "runtime, 'Board'"],
)  # fmt: skip
def test_a_start_inside_a_start(start: Start, tmp_path: Path, where: str) -> None:
    """SPEC C6, X4: a signal handler that needs the runtime while it starts gets one; the start that it interrupted
    returns the same, and nothing is taken twice."""
    process = start(START_IN_A_START.replace("NAMES", f"({where})"), NEURON_RT_NUM_CORES="3",
                    NEURON_ADAPTERS_TRACE=str(tmp_path / "run.json"))
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "done\n", "")


EXITING = """
import atexit, sys
atexit.register(lambda: (print("exiting", flush=True), sys.stdin.read()))
import neuron_rt
neuron_rt.init()
"""


def test_an_owner_on_its_way_out_is_named(start: Start, state_dir: Path) -> None:
    """SPEC O3: its NCs are owned until it is gone, and so is its record."""
    owner = start(EXITING)
    assert owner.stdout is not None and owner.stdout.readline() == "exiting\n"
    with pytest.raises(NeuronCoresNotAvailableError, match=f"pid {owner.pid} owns NC0-NC15"):
        acquire(config(state_dir))
    owner.communicate("", timeout=PATIENCE)
    acquire(config(state_dir)).release()


def test_an_owner_that_leaves_meanwhile(start: Start, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC O3: the error says so, and no sentence about owners that are not there."""
    holder = acquire(config(state_dir))
    monkeypatch.setattr(ownership, "_not_available", lambda *args, real=ownership._not_available: (holder.release(), real(*args))[1])
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
AS = """
import os, sys, neuron_rt  # now: the interpreter may be out of the user's reach
os.setgroups([])
os.setgid(USER)
os.setuid(USER)
"""


@pytest.fixture
def shared_dir() -> Iterator[Path]:
    """A directory that every user reaches, as an administrator would make it by hand."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def as_user(start: Start, folder: Path, user: int, snippet: str, **variables: str) -> subprocess.Popen[str]:
    return start(
        AS.replace("USER", str(user)) + snippet, NEURON_ADAPTERS_STATE_DIR=str(folder), **variables
    )  # fmt: skip


@needs_root
def test_users_share_a_directory_and_cannot_spoil_it(start: Start, shared_dir: Path) -> None:
    """SPEC O5: one user tidies up after itself, and the other one's NCs stay its own."""
    share(shared_dir)
    first = as_user(start, shared_dir, USER, HOLDER, NEURON_RT_NUM_CORES="2")
    second = as_user(start, shared_dir, USER + 1, HOLDER, NEURON_RT_NUM_CORES="6")
    assert sorted(taken_by(first) + taken_by(second)) == list(range(8))
    tidy = as_user(start, shared_dir, USER, """
import os
folder = os.environ["NEURON_ADAPTERS_STATE_DIR"]
for name in os.listdir(folder):
    for spoil in (os.unlink, lambda path: os.chmod(path, 0), lambda path: os.rename(path, path + "x")):
        try:
            spoil(os.path.join(folder, name))
        except OSError:
            pass
""")  # fmt: skip
    assert tidy.wait(PATIENCE) == 0
    third = as_user(start, shared_dir, USER, HOLDER, NEURON_RT_NUM_CORES="16")
    _out, err = third.communicate(timeout=PATIENCE)
    assert err.startswith("NeuronCore(s) not available - Requested:16 Available:8")
    assert f"pid {second.pid} owns" in err


@needs_root
def test_the_first_user_does_not_make_the_lock_file(start: Start, shared_dir: Path) -> None:
    """SPEC O5: whoever owns it could remove it. One that an ordinary user left there is refused, and mended."""
    said = as_user(start, shared_dir, USER, HOLDER).communicate(timeout=PATIENCE)[1]
    assert f"Let its administrator run 'neuron-adapters share {shared_dir}'" in said
    assert not (shared_dir / LOCK_NAME).exists()
    (shared_dir / LOCK_NAME).touch()
    os.chown(shared_dir / LOCK_NAME, USER, USER)
    said = as_user(start, shared_dir, USER + 1, HOLDER).communicate(timeout=PATIENCE)[1]
    assert "cannot be opened (Permission denied). Let its administrator run" in said.splitlines()[-1]
    (shared_dir / LOCK_NAME).chmod(0o666)
    for user in (USER, USER + 1):
        said = as_user(start, shared_dir, user, HOLDER).communicate(timeout=PATIENCE)[1]
        assert f"of user {USER}, who could remove it" in said.splitlines()[-1]
    share(shared_dir)
    assert len(taken_by(as_user(start, shared_dir, USER, HOLDER))) == 16
    os.chown(shared_dir, USER, USER)
    said = as_user(start, shared_dir, USER + 1, HOLDER).communicate(timeout=PATIENCE)[1]
    assert f"belongs to user {USER}, who could remove what is in it" in said


def test_a_lock_file_that_is_removed_is_noticed(
    make_runtime: MakeRuntime, state_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SPEC O5: once, at the next load."""
    runtime = make_runtime(NEURON_RT_NUM_CORES="2")
    (state_dir / LOCK_NAME).unlink()
    (state_dir / LOCK_NAME).touch()
    for _ in range(2):
        runtime._write_record()
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
    b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000, b"{}" + b" " * (1 << 20),
    json.dumps({"version": 1, "pid": "7", "ncs": [0]}).encode(), json.dumps({"version": 1, "pid": 7}).encode(),
    json.dumps({"version": 1, "pid": 7, "ncs": ["0"]}).encode(), json.dumps({"version": 2, "pid": 7, "ncs": []}).encode(),
    json.dumps({"version": 1, "pid": 7, "ncs": {"a": 1}}).encode(), b'{"version": 1, "pid": 7, "ncs": [1e999]}',
]  # fmt: skip


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
    runtime._write_record()
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
