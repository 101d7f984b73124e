"""Fresh Python processes that measure themselves: for what happens once a process, such as imports and loads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from _files import BenchmarkError
from _measure import progress

PATIENCE = 300  # seconds


def run(script: str | tuple[str, str], env: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """Run Python source, or an interpreter with source; its last line of output is one JSON object. Raises
    BenchmarkError with its last words."""
    python, source = (sys.executable, script) if isinstance(script, str) else script
    command = [python, "-W", "ignore", "-c", source, *arguments]
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE, errors="replace")
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"no answer in {PATIENCE} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise BenchmarkError(said[-1][:300])
    return json.loads(done.stdout.splitlines()[-1])


def interleave(scripts: Mapping[str, tuple[Any, ...]], rounds: int) -> dict[str, list[dict[str, Any] | None]]:
    """Each of ``scripts`` (its name, and the arguments of :func:`run`) once a round, in an order that rotates.

    The first round brings files into memory and is dropped. One that fails is said in a line and left out from then on.
    """
    answers: dict[str, list[dict[str, Any] | None]] = {name: [] for name in scripts}
    failed = set()
    names = list(scripts)
    for turn in range(rounds + 1):
        shift = turn % len(names)
        for name in [*names[shift:], *names[:shift]]:
            answer = None
            if name not in failed:
                try:
                    answer = run(*scripts[name])
                except BenchmarkError as error:
                    failed.add(name)
                    progress(f"{name}: LEFT OUT, {error}")
            if turn:
                answers[name].append(answer)
    return answers
