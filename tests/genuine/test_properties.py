"""SPEC F3: whatever happens to a file of any format, reading it is a result or one ArtifactError of one printable line.

Hypothesis damages files: bits, cuts, splices, lengths, and the words that readers look for."""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import neuron_adapters.torch
from neuron_adapters import mx
from neuron_adapters.files.inspect import look
from neuron_adapters.files.neff import neff
from neuron_adapters.mx._compile import compile_symbol
from neuron_adapters.tools.inspect import _lines
from neuron_rt import ArtifactError

from archives import new_style, old_style, write  # isort: skip

#: What a number, a text or a name in a file may be instead.
WORDS = (
    b"Infinity",
    b"-Infinity",
    b"NaN",
    b"1e999",
    b"-1",
    b"0",
    b"9" * 5000,
    b"null",
    b"true",
    b"{}",
    b"[" * 3000,
    b"1.5",
    b'"\\ud800"',
    b'"\\u0000\\u001b[2J\\n"',
    b"\\ud800",
    b"\\u001b[2J\\n",
    b"\xff",
    b"\x1b]0;x\x07\n\r",
    "\N{RIGHT-TO-LEFT OVERRIDE}".encode(),
    b"18446744073709551616",
)
SIZES = (0, 1, 0x7F, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
PLACES = st.floats(0, 1, exclude_max=True)
DAMAGE = st.lists(
    st.one_of(
        st.tuples(st.just("cut"), PLACES, st.just(0)),
        st.tuples(st.just("bit"), PLACES, st.integers(0, 7)),
        st.tuples(st.just("drop"), PLACES, st.integers(1, 60)),
        st.tuples(st.just("splice"), PLACES, PLACES),
        st.tuples(st.just("size"), PLACES, st.sampled_from(SIZES)),
        st.tuples(st.just("word"), PLACES, st.sampled_from(WORDS)),
        st.tuples(st.just("number"), PLACES, st.sampled_from(WORDS)),
        st.tuples(st.just("name"), PLACES, st.sampled_from(WORDS)),
    ),
    min_size=1, max_size=3,
)  # fmt: skip


def damaged(data: bytes, damage: list[tuple[str, float, Any]]) -> bytes:
    copy = bytearray(data)
    for kind, place, what in damage:
        at = int(place * len(copy))
        if kind == "cut":
            del copy[at:]
        elif kind == "bit" and copy:
            copy[at] ^= 1 << what
        elif kind == "drop":
            del copy[at : at + what]
        elif kind == "splice":
            start = int(what * len(copy))
            copy[at:at] = copy[start : start + 200]
        elif kind == "size":
            copy[at : at + (8 if what > 0xFFFFFFFF else 4)] = struct.pack("<Q" if what > 0xFFFFFFFF else "<I", what)
        elif kind == "word":
            copy[at : at + len(what)] = what
        else:
            match = re.compile(rb'"\d+"|\d+' if kind == "number" else rb"[a-z_]{3,}").search(copy, at)
            if match:
                copy[match.start() : match.end()] = what
    return bytes(copy)


def refused(read: Callable[[], object], *errors: type[Exception]) -> None:
    """``read`` ends, or raises one printable line."""
    accepted = errors or (ArtifactError,)
    try:
        read()
    except accepted as error:
        text = str(error)
        assert 0 < len(text) < 2000, text
        assert text.isprintable(), text


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, simple: Path, checkpoint: Path) -> dict[str, tuple[Path, str]]:
    """By kind: a file to damage, and what ``inspect`` is given."""
    folder = tmp_path_factory.mktemp("files")
    compiled = neuron_adapters.torch.trace(torch.nn.Linear(3, 2).eval(), torch.ones(1, 3))
    compiled.save(str(folder / "own.pt"))
    torch.jit.script(torch.nn.Linear(3, 2)).save(str(folder / "plain.pt"))
    exported = neuron_adapters.torch.trace(torch.nn.Linear(3, 2).eval(), torch.ones(1, 3), format="pt2")
    torch.export.save(exported, str(folder / "own.pt2"))
    write(folder / "new.pt", new_style())
    write(folder / "old.pt", old_style())
    (folder / "a.neff").write_bytes(neff("1.2.3.4+abc-/x", 5, {"a": b"1"}))
    (folder / "saved").mkdir()
    (folder / "saved" / "saved_model.pb").write_bytes((simple / "saved_model.pb").read_bytes())
    (folder / "record").mkdir()
    (folder / "record" / "saved_model.pb").write_bytes(
        b"\x1a\xff\x7f" + compiled._c.getattr("_neuron_artifact").encode().ljust(16383)
    )
    for end in ("-symbol.json", "-0000.params"):
        (folder / f"genuine{end}").write_bytes(checkpoint.with_name(f"{checkpoint.name}{end}").read_bytes())
    out = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc")
    weights = {"fc_weight": mx.nd.ones((2, 3)), "fc_bias": mx.nd.ones((2,))}
    mx.model.save_checkpoint(
        str(folder / "small"), 0, *compile_symbol(out, weights, {}, {"data": mx.nd.ones((1, 3)).asnumpy()})
    )
    named = {name: name for name in ("own.pt", "plain.pt", "own.pt2", "new.pt", "old.pt", "a.neff")}
    named |= {"saved/saved_model.pb": "saved", "record/saved_model.pb": "record"}
    named |= {f"{name}{end}": name for name in ("genuine", "small") for end in ("-symbol.json", "-0000.params")}
    return {name: (folder / name, str(folder / file)) for name, file in named.items()}


MANY = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize(
    "name",
    ["own.pt", "plain.pt", "own.pt2", "new.pt", "old.pt", "a.neff", "saved/saved_model.pb", "record/saved_model.pb"]
    + [f"{name}{end}" for name in ("genuine", "small") for end in ("-symbol.json", "-0000.params")],
)
def test_inspect(files: dict[str, tuple[Path, str]], name: str) -> None:
    path, named = files[name]
    whole = path.read_bytes()

    def read() -> None:
        contents = look(named)
        lines = list(_lines(contents))
        assert all(line.isprintable() and len(line) < 400 for line in lines)
        json.loads(json.dumps(contents.as_json(), allow_nan=False)).keys()

    @MANY
    @given(DAMAGE)
    def holds(damage: list[tuple[str, float, Any]]) -> None:
        path.write_bytes(damaged(whole, damage))
        refused(read)

    try:
        holds()
    finally:
        path.write_bytes(whole)
    read()


@pytest.mark.parametrize("validate", ["false", "true"])
@pytest.mark.parametrize("name", ["genuine-symbol.json", "small-symbol.json", "small-0000.params"])
def test_mxnet(files: dict[str, tuple[Path, str]], name: str, validate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the adapter, up to the check of what was compiled."""
    from neuron_adapters.mx._artifact import verify

    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", validate)
    path, prefix = files[name]
    whole = path.read_bytes()

    def read() -> None:
        symbol, args, aux = mx.model.load_checkpoint(prefix, 0)
        symbol.list_arguments(), symbol.list_outputs()
        verify(symbol._entries, {**args, **aux})

    @MANY
    @given(DAMAGE)
    def holds(damage: list[tuple[str, float, Any]]) -> None:
        path.write_bytes(damaged(whole, damage))
        refused(read, ArtifactError, mx.base.MXNetError)

    try:
        holds()
    finally:
        path.write_bytes(whole)
    read()


@pytest.mark.parametrize("validate", ["false", "true"])
def test_pytorch(run_script: Callable[..., str], validate: str) -> None:
    """Checked, every refusal is ours; else PyTorch's own errors are its own."""
    assert run_script(
        "properties_torch.py", 3, 300, NEURON_RT_NUM_CORES="4", NEURON_RT_VALIDATE_HASH=validate
    ).startswith("whole")


NODE = {
    "op": "_neuron_subgraph_op",
    "name": "n",
    "inputs": [],
    "attrs": {"__subgraph_opt_neuroncore__": "1"},
    "subgraphs": [],
}


@pytest.mark.parametrize(
    "change",
    [
        {"attrs": {"__subgraph_opt_neuroncore__": float("inf")}}, {"attrs": {"__subgraph_opt_neuroncore__": float("nan")}}, {"attrs": {"__subgraph_opt_neuroncore__": "9" * 6000}},
        {"attrs": {"__subgraph_opt_neuroncore__": "\x1b[2J\n\ud800"}}, {"attrs": [1]}, {"attrs": "x"}, {"name": "\x1b]0;x\x07\nn\ud800" + "n" * 5000}, {"name": {"a": [1]}}, {"op": 3},
        {"attrs": {"__model_inputmap__": "{'\\x1b[2J':[[[1]],'float32']}"}}, {"attrs": {"__model_inputmap__": "{'a':[[[1e999]],'float32']}"}}, {"attrs": {"__model_inputmap__": "1is 1"}},
        {"subgraphs": [{"nodes": [{"op": "\x1b[2J\ud800"}]}]}, {"subgraphs": 5}, {"subgraphs": [{}]}, {"attrs": {"__ext_shape__": "[[Infinity, 1e999]]"}},
    ],
    ids=lambda change: ascii(change)[:40],
)  # fmt: skip
def test_words_of_a_symbol_file(tmp_path: Path, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What JSON can say and nobody means: numbers that are not finite, halves of characters, control characters."""
    from neuron_adapters.mx._artifact import verify

    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", "true")
    (tmp_path / "c-symbol.json").write_text(json.dumps({"nodes": [{**NODE, **change}], "heads": [[0, 0]]}))
    mx.nd.save(str(tmp_path / "c-0000.params"), {"arg:w": mx.nd.ones((1,))})

    def inspected() -> None:
        contents = look(str(tmp_path / "c"))
        said = json.dumps(contents.as_json(), ensure_ascii=False)
        assert all(line.isprintable() and len(line) < 400 for line in _lines(contents))
        assert said.isprintable()
        assert len(said) < 4000

    def bound() -> None:
        symbol = mx.sym.load(str(tmp_path / "c-symbol.json"))
        symbol.list_arguments(), symbol.list_outputs()
        verify(symbol._entries, {})

    refused(inspected)
    refused(bound, ArtifactError, mx.base.MXNetError)


def test_a_pipe_is_not_waited_for(tmp_path: Path, checkpoint: Path) -> None:
    (tmp_path / "c-symbol.json").write_bytes(checkpoint.with_name(f"{checkpoint.name}-symbol.json").read_bytes())
    os.mkfifo(tmp_path / "c-0000.params")
    with pytest.raises(ArtifactError, match="is not a regular file"):
        look(str(tmp_path / "c"))
