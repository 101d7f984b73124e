"""What is done on the machine. Each scenario loads models, calls them and returns what it saw; the tests judge it.

A scenario is a dictionary:
- ``framework``, and ``action``: a function here;
- ``kind``: "plain", "compiled", "heavy" for compiled models of many weights, or "framework" for compiled models that the
  framework computes;
- ``models``: of each the NCs it is compiled for, the NC at which a script for MXNet starts it, and how many CPUs it
  should get;
- ``environ``.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from watching import masks, watch

ALONE, TOGETHER = 4, 8  # seconds of watching

#: The files of each kind.
FILES = {"plain": "plain", "compiled": "compiled", "framework": "compiled", "heavy": "heavy-compiled"}

Json = dict[str, Any]


class Scene:
    """The models of a scenario. ``answers``: what the framework answers alone, for each model."""

    def __init__(self, scenario: Json, framework: Any, folder: Path, answers: Sequence[np.ndarray]) -> None:
        self.scenario = scenario
        self.framework = framework
        self.kind = scenario["kind"]
        self.folder = folder
        self.answers = answers
        self.models: list[Any] = []

    def load(self, index: int) -> Any:
        need, start, _cpus = self.scenario["models"][index]
        return self.framework.load(self.folder, FILES[self.kind], need, start)

    def load_all(self) -> None:
        self.models = [self.load(index) for index in range(len(self.scenario["models"]))]

    def call(self, index: int) -> np.ndarray:
        return self.framework.call(self.models[index])

    def compare(self) -> list[Json]:
        """Whether each model answers as the framework does, to the bit and nearly."""
        comparisons = []
        for index, expected in enumerate(self.answers):
            answer = self.call(index)
            comparisons.append({
                "same_bits": bool(np.array_equal(answer, expected)),
                "close": bool(np.allclose(answer, expected, rtol=1e-3, atol=1e-4)),
                "difference": float(np.abs(answer - expected).max()),
                "digest": hashlib.sha256(answer.tobytes()).hexdigest()[:12],
            })  # fmt: skip
        return comparisons

    def watch(self, indexes: Sequence[int], seconds: float) -> Json:
        """Call models at the same time, each by a client of its own."""
        return watch({str(index): lambda index=index: self.call(index) for index in indexes}, seconds)

    def reports(self) -> list[Json]:
        """Where the models are, and what computes them."""
        import neuron_adapters

        return [
            {
                "placement": [list(replica.instance_ncs) for replica in report.placement],
                "cpus": list(report.cpus), "engine": report.engine, "why": report.why,
            }
            for report in neuron_adapters.describe().models
        ]  # fmt: skip


def together(scene: Scene) -> Json:
    """All models loaded; the first of each place watched alone, then all at the same time."""
    before = masks()
    scene.load_all()
    compared = scene.compare()
    reports = scene.reports()
    first = {json.dumps(report["placement"]): index for index, report in reversed(list(enumerate(reports)))}
    return {
        "models": reports,
        "answers": compared,
        "alone": {str(index): scene.watch([index], ALONE) for index in sorted(first.values())},
        "together": scene.watch(range(len(reports)), TOGETHER),
        "answers_afterwards": scene.compare(),
        "masks": {"before": before, "after": masks()},
    }


def lifecycle(scene: Scene) -> Json:
    """Fork beside loaded models, unload one and load it again, drop all and load them again."""
    import neuron_adapters

    before = masks()
    scene.load_all()
    seen: Json = {"first": _seen(scene)}
    seen["child"] = in_child(lambda: _child(scene))
    seen["after_fork"] = _seen(scene)
    neuron_adapters.unload(scene.models[0])
    seen["after_unload"] = _error(lambda: scene.call(0))
    scene.models[0] = scene.load(0)
    seen["reloaded"] = _seen(scene)
    scene.models.clear()
    gc.collect()
    seen["dropped"] = scene.reports()
    scene.load_all()
    seen["again"] = _seen(scene)
    seen["masks"] = {"before": before, "after": masks()}
    return seen


def _seen(scene: Scene) -> Json:
    answers = scene.compare()
    alone = {str(index): scene.watch([index], ALONE) for index in range(len(scene.models))}
    return {"models": scene.reports(), "answers": answers, "alone": alone}


def _child(scene: Scene) -> Json:
    """What a forked child may do: nothing with its parent's models, everything with its own, on NCs of its own."""
    inherited = _error(lambda: scene.call(0))
    before = masks()
    scene.load_all()
    return {"inherited": inherited, **_seen(scene), "masks": {"before": before, "after": masks()}}


def _error(call: Callable[[], object]) -> str:
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def in_child(function: Callable[[], Any]) -> Any:
    """What ``function`` returns in a forked child, by way of JSON."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with open(writer, "w") as file:
                json.dump(function(), file)
            status = 0
        finally:
            if status:
                import traceback

                traceback.print_exc()
            os._exit(status)
    os.close(writer)
    with open(reader) as file:
        text = file.read()
    _pid, status = os.waitpid(pid, 0)
    if status:
        raise ChildProcessError(f"a child ended with {os.waitstatus_to_exitcode(status)}")
    return json.loads(text)


ACTIONS = {action.__name__: action for action in (together, lifecycle)}
