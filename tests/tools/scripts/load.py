"""Places models of the numbers of NCs it is told, then does what its input says, and tells what it counted itself."""

import json
import os
import sys
import time

import neuron_rt
import neuron_rt.runtime


class FaultError(Exception):
    pass


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def clocks():
    with open("/proc/thread-self/schedstat") as file:
        return time.thread_time(), int(file.read().split()[1]) * 1e-9, time.perf_counter()


def fault(_seconds):
    raise FaultError


def sleep(seconds):
    time.sleep(seconds)


runtime, models = neuron_rt.init(), []
for number, word in enumerate(sys.argv[1:]):
    nc_count, _, over = word.partition("x")  # "2x4": two NCs a replica, replicas on four
    model = neuron_rt.Model(
        f"m{number}",
        int(nc_count),
        neuron_rt.PlainFramework(),
        kind="python",
        file=f"/m/{number}",
        weights=1_000_003 * (number + 1),
    )
    runtime.place(model, neuron_rt.Place(count=int(over)) if over else neuron_rt.runtime.ANYWHERE)
    models.append(model)
print(*runtime.instance_ncs, flush=True)
for line in sys.stdin:
    what, *words = line.split()
    if what == "quit":
        break
    spent = []
    if what in ("burn", "fault", "sleep"):
        number, calls, seconds, pause = int(words[0]), int(words[1]), float(words[2]), float(words[3])
        ended = [0, 0, 0]
        for _ in range(calls):
            before = clocks()
            try:
                models[number].run({"burn": burn, "fault": fault, "sleep": sleep}[what], seconds)
                ended[0] += 1
            except FaultError:
                ended[1] += 1
            except neuron_rt.ExecutionTimeoutError:
                ended[2] += 1
            spent.append([after - start for after, start in zip(clocks(), before)])
            time.sleep(pause)
    elif what == "python":
        exec(line[len(what) :].strip())
        ended = []
    cpu, waited, wall = zip(*spent) if spent else ((), (), ())
    print(json.dumps({"ended": ended, "cpu": cpu, "waited": waited, "wall": wall}), flush=True)
