"""Runs models as it is told, a line each, and says what it has counted itself."""

import contextlib
import json
import sys
import threading
import time

import neuron_rt

runtime = neuron_rt.init()


def load(name, size, start, count=None):
    model = neuron_rt.Model(
        name, size, neuron_rt.PlainFramework(), kind="python", file=f"/models/{name}", weights=1 << 20
    )
    runtime.place(model, neuron_rt.Place(start=start, count=count))
    return model


first, second, many = load("one", 1, 0), load("two", 1, 0), load("many", 1, 1, 2)
spent = [0, 0]  # nanoseconds around all calls, of each thread that calls


def work():
    end = time.perf_counter_ns() + 300_000
    while time.perf_counter_ns() < end:
        pass


def fail():
    raise ValueError


stop = threading.Event()


def load_on(thread):
    while not stop.is_set():
        began = time.perf_counter_ns()
        many.run(work)
        spent[thread] += time.perf_counter_ns() - began


def counts():
    return {
        m.name: [sum(getattr(s, what) for s in m.slots) for what in ("calls", "errors", "timeouts", "switches")]
        for m in (first, second, many)
    } | {"spent": sum(spent)}


print(json.dumps(counts()), flush=True)
threads = []
for line in sys.stdin:
    word, times = line.split()
    if word == "turns":  # each call is a switch, the first one apart
        for _ in range(int(times)):
            first.run(work)
            second.run(work)
    elif word == "many":
        for _ in range(int(times)):
            many.run(work)
    elif word == "fail":
        for _ in range(int(times)):
            with contextlib.suppress(ValueError):
                many.run(fail)
    elif word == "load":
        threads = [threading.Thread(target=load_on, args=(number,)) for number in range(int(times))]
        [one_thread.start() for one_thread in threads]
    elif word == "rest":
        stop.set()
        [one_thread.join() for one_thread in threads]
    elif word == "newer":  # as a later version of this package would
        runtime._board._words[1] = int(times)
    elif word == "record":
        runtime._ownership.publish({"version": int(times), "pid": 1, "command": "later"})
    print(json.dumps(counts()), flush=True)
stop.set()
