"""SPEC F2: the work of a reader is bounded by the size of the file, and its memory by a small multiple of it. Small
files in which one thing is said many times, or said once and meant many times, end soon, in a result or in one line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from neuron_adapters.files import inspect, neff
from neuron_adapters.files.inspect import look
from neuron_adapters.files.record import Record

from archives import metaneff, text, write  # isort: skip
from bombs import BINARY, INSPECTED, MARKER, checkpoint, one_class, params, shared_parts  # isort: skip

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", INSPECTED)
def test_inspect(run_script: Callable[..., str], name: str) -> None:
    run_script("bombs_look.py", name)


def test_a_binary_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many nodes of a checkpoint, or parts of an archive, name it."""
    hashed = []
    md5 = neff.hashlib.md5
    monkeypatch.setattr(
        neff.hashlib, "md5", lambda data, **options: (hashed.append(len(data)), md5(data, **options))[1]
    )
    node = {"op": "_neuron_subgraph_op", "name": "n", "attrs": {"__subgraph_opt_neuroncore__": "2"}}
    symbol = {"nodes": [node] * 20_000, "heads": [[0, 0]]}
    contents = look(str(checkpoint(tmp_path / "c", symbol, params(("arg:n_neuronbin", BINARY)))))
    assert len(contents.parts) == 20_000
    assert contents.nc_count == 2
    assert hashed == [len(BINARY) - 1024]
    assert contents.parts[-1].neff is not None
    assert contents.parts[-1].neff.problem == ""
    hashed.clear()
    parts = look(
        str(write(tmp_path / "m.pt", one_class(shared_parts(text(BINARY) + text(metaneff()) + b"\x86", 200))))
    ).parts
    assert len(parts) == 200
    assert parts[-1].neff is not None
    assert hashed == [len(BINARY) - 1024]


class Counting(io.FileIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int = -1, /) -> bytes:
        data = super().read(size)
        Counting.count += len(data)
        return data


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a record is looked for. A few beginnings do not hide the record that follows."""
    path, record = tmp_path / "f", Record(pipeline_cores=3).dumps().encode()
    monkeypatch.setattr(inspect, "open", lambda name, _mode: Counting(name), raising=False)
    parsed = []
    monkeypatch.setattr(inspect, "_ANY", Parser(parsed))
    for beginning in (MARKER, b'{"version": ["', b'{"version": 1}', b'{"version": "' + b"x" * 30):
        path.write_bytes(beginning * 200_000)
        Counting.count, parsed[:] = 0, []
        assert inspect._record(str(path)) is None
        assert Counting.count <= path.stat().st_size
        assert len(parsed) <= 64
        assert max(parsed) <= 1 << 20
        path.write_bytes(b"x" * (3 << 20) + beginning * 50 + b"\0" + record + b"\0" * (3 << 20))
        read = inspect._record(str(path))
        assert read is not None
        assert read.pipeline_cores == 3


class Parser(json.JSONDecoder):
    """Notes what it is given."""

    def __init__(self, lengths: list[int]) -> None:
        super().__init__()
        self.lengths = lengths

    def raw_decode(self, text: str, start: int = 0) -> tuple[object, int]:
        self.lengths.append(len(text))
        return super().raw_decode(text, start)


def test_through_pytorch(run_script: Callable[..., str]) -> None:
    run_script("bombs_torch.py")


def test_what_is_checked_is_no_more_than_the_file_holds(run_script: Callable[..., str]) -> None:
    """Tensors of a few bytes that stand for a terabyte, and a text that thousands of modules share."""
    run_script("bombs_checked.py", NEURON_RT_VALIDATE_HASH="true")


def test_through_mxnet(run_script: Callable[..., str]) -> None:
    run_script("bombs_mxnet.py", NEURON_RT_VALIDATE_HASH="true")


def test_the_form_for_the_engine(run_script: Callable[..., str]) -> None:
    """What a text of a few bytes unpacks to is not believed; what packs well is written so that it can be read."""
    run_script("form_for_the_engine.py")
