"""``neuron-adapters plan``, and what its tests read of a plan."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from neuron_adapters.tools import plan

Run = Callable[..., str]


@pytest.fixture
def run_plan(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str, code: int = 0) -> str:
        try:
            ended = plan.main(words)
        except SystemExit as error:
            ended = int(error.code or 0)
        said = capsys.readouterr()
        assert ended == code, said
        assert bool(said.err) == (code == 2), said
        return said.out + said.err

    return call


def findings(said: str) -> dict[str, tuple[list[str], list[int]]]:
    return {finding["kind"]: (finding["models"], finding["ncs"]) for finding in json.loads(said)["findings"]}
