"""Run scenarios, each in a process of its own: drive.py FOLDER JSON. Prints a line of JSON for each, with its result
and with what it said.

A framework is imported once, in a process that then forks for each scenario and has done nothing else: on an emulated
machine the import takes most of a minute.

drive.py FOLDER, on the real machine: saves the models there.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from frameworks import FRAMEWORKS
from scenarios import ACTIONS, FILES, Scene, in_child

PATIENCE = 400  # seconds for a scenario
Json = dict[str, Any]


def main() -> None:
    folder = Path(sys.argv[1])
    if len(sys.argv) == 2:
        os.environ["NEURON_ADAPTERS_ENGINE"] = "openvino"  # no race that another machine's speed decides
        for framework in FRAMEWORKS.values():
            in_child(lambda framework=framework: framework.prepare(folder))
        return
    scenarios: list[Json] = json.loads(sys.argv[2])
    for name, framework in FRAMEWORKS.items():
        own = [scenario for scenario in scenarios if scenario["framework"] == name]
        if own:
            in_child(lambda framework=framework, own=own: run_all(framework, own, folder))


def run_all(framework: Any, scenarios: list[Json], folder: Path) -> None:
    began = time.monotonic()
    framework.import_framework()
    print(f"{framework.name}: imported in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    answers: dict[tuple[str, int, int], list[Any]] = {}

    def answer(*model: Any) -> list[Any]:
        if model not in answers:  # a process that no adapter is in
            answers[model] = in_child(lambda: framework.alone(folder, *model).tolist())
        return answers[model]

    for scenario in scenarios:
        with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as result:
            began = time.monotonic()
            plain = FILES[scenario["kind"]].replace("compiled", "plain")
            try:
                alone = [answer(plain, need, cpus) for need, _start, cpus in scenario["models"]]
            except ChildProcessError:
                alone = []
            code = run(lambda: _act(scenario, framework, folder, alone, result), said)
            line = {"id": scenario["id"], "seconds": round(time.monotonic() - began), "code": code}
            said.seek(0)
            result.seek(0)
            text = result.read()
            print(json.dumps({**line, "result": json.loads(text) if text else None, "said": said.read()}), flush=True)


def _act(scenario: Json, framework: Any, folder: Path, alone: list[Any], result: Any) -> None:
    os.environ.update(scenario["environ"], NEURON_ADAPTERS_STATE_DIR=tempfile.mkdtemp())
    if scenario["kind"] == "framework":
        os.environ["NEURON_ADAPTERS_ENGINE"] = "framework"
    framework.import_adapter()
    scene = Scene(scenario, framework, folder, [np.asarray(values, np.float32) for values in alone])
    json.dump(ACTIONS[scenario["action"]](scene), result)
    result.flush()


def run(function: Any, said: Any) -> int:
    """Run it in a forked child, whose words go to ``said``; its exit status, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        import faulthandler
        import traceback

        faulthandler.dump_traceback_later(PATIENCE - 5)
        status = 1
        try:
            function()
            status = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    descriptor = os.pidfd_open(pid)
    if not select.select([descriptor], [], [], PATIENCE)[0]:
        os.kill(pid, signal.SIGKILL)
    os.close(descriptor)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main()
