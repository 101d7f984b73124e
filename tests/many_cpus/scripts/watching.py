"""Where the threads of this process run, as /proc tells it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

INTERVAL = 0.2  # seconds between two looks
SETTLING = 0.5  # seconds after which no helper thread of an earlier call spins any more


def _threads() -> dict[int, tuple[str, int, int]]:
    """Name, CPU ticks used so far and last CPU of each thread."""
    threads = {}
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/self/task/{task}/stat") as file:
            head, _, tail = file.read().rpartition(")")
            fields = tail.split()
            threads[int(task)] = (head.partition("(")[2], int(fields[11]) + int(fields[12]), int(fields[36]))
    return threads


class Usage:
    """What a thread did while it was watched."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ticks: dict[int, int] = defaultdict(int)
        self.masks: set[tuple[int, ...]] = set()

    def as_json(self, role: str) -> dict[str, Any]:
        return {
            "name": self.name, "role": role, "ticks": {str(cpu): self.ticks[cpu] for cpu in sorted(self.ticks)},
            "masks": sorted(map(list, self.masks)),
        }  # fmt: skip


def watch(calls: dict[str, Callable[[], object]], seconds: float) -> dict[str, Any]:
    """Call each of ``calls`` again and again, each in a thread of its own, and tell which thread worked on which CPU:
    CPU ticks by CPU, and the masks that it had while it worked. ``role``: whose call a thread makes; "" for others.

    Ticks between two looks count for the CPU of the second: a thread that is bound does not move in between.
    """
    time.sleep(SETTLING)
    end = time.monotonic() + seconds
    counts, callers = dict.fromkeys(calls, 0), dict[int, str]()
    errors: dict[str, str] = {}

    def call_again(name: str) -> None:
        callers[threading.get_native_id()] = name
        try:
            while time.monotonic() < end:
                calls[name]()
                counts[name] += 1
        except BaseException as error:
            errors[name] = repr(error)

    before = _threads()
    clients = [threading.Thread(target=call_again, args=(name,)) for name in calls]
    for client in clients:
        client.start()
    usages: dict[int, Usage] = {}
    while any(client.is_alive() for client in clients):
        time.sleep(INTERVAL)
        now = _threads()
        for task, (name, ticks, cpu) in now.items():
            used = ticks - before.get(task, ("", 0, 0))[1]
            if used and task != threading.get_native_id():
                usage = usages.setdefault(task, Usage(name))
                usage.ticks[cpu] += used
                with contextlib.suppress(ProcessLookupError):
                    usage.masks.add(tuple(sorted(os.sched_getaffinity(task))))
        before = now
    for client in clients:
        client.join()
    return {
        "calls": counts, "errors": errors,
        "threads": [usage.as_json(callers.get(task, "")) for task, usage in usages.items()],
    }  # fmt: skip


def masks() -> dict[str, list[int]]:
    """The mask of this thread, and of a thread and a process that it starts."""
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.extend(sorted(os.sched_getaffinity(0))))
    thread.start()
    thread.join()
    reader, writer = os.pipe()
    pid = os.posix_spawn(
        "/bin/grep", ["grep", "Cpus_allowed_list", "/proc/self/status"], os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)],
    )  # fmt: skip
    os.waitpid(pid, 0)
    os.close(writer)
    with open(reader) as said:
        allowed = said.read().split()[1]
    process = [
        cpu for part in allowed.split(",") for low, _, high in [part.partition("-")]
        for cpu in range(int(low), int(high or low) + 1)
    ]  # fmt: skip
    return {"caller": sorted(os.sched_getaffinity(0)), "thread": seen, "process": process}
