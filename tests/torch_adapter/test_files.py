"""Files of strangers: what plain PyTorch ignores does no harm, and what it would run is refused where it is asked not
to (SPEC F1 to F4)."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import neuron_adapters
import neuron_adapters.torch
from neuron_adapters.torch._constants import constants
from neuron_adapters.torch._untrusted import plain
from neuron_rt import ArtifactError


def edited(source: Path, target: Path, edit: Callable[[str, bytes], bytes | None], **more: bytes) -> Path:
    """The archive with each member as ``edit`` makes it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        root = old.namelist()[0].partition("/")[0]
        for entry in old.infolist():
            body = edit(entry.filename, old.read(entry))
            if body is not None:
                new.writestr(entry.filename, body)
        for name, body in more.items():
            new.writestr(f"{root}/{name}", body)
    return target


#: Debug information that is cut, gone, of another kind, and such as takes PyTorch gigabytes to read.
DEBUG: dict[str, Callable[[bytes], bytes | None]] = {
    "cut": lambda body: body[: len(body) // 2],
    "empty": lambda body: b"",
    "gone": lambda body: None,
    "no pickle": lambda body: b"\xff" * 50,
    "nothing": lambda body: b"\x80\x02N.",
    "a long text": lambda body: body[:20] + b"X\xff\xff\xff\x7f" + body[20:],
    "many objects": lambda body: b"\x80\x02" + b"}" * 3_000_000 + b".",
    "bits": lambda body: bytes(byte ^ (1 << index % 8 if index % 50 == 7 else 0) for index, byte in enumerate(body)),
}


@pytest.fixture(scope="module")
def debugged(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    """Of a plain and of a compiled model, files with each of DEBUG."""
    folder = tmp_path_factory.mktemp("debug")
    for name in ("plain", "k1"):
        for number, change in enumerate(DEBUG.values()):
            edited(
                models / f"{name}.pt",
                folder / f"{name}{number}.pt",
                lambda n, body: change(body) if n.endswith(".debug_pkl") else body,
            )
        assert any(entry.endswith(".debug_pkl") for entry in zipfile.ZipFile(models / f"{name}.pt").namelist())
    return folder


@pytest.mark.parametrize("engine", ["auto", "framework"])
def test_damaged_debug_information_does_no_harm(script: Callable[..., str], debugged: Path, engine: str) -> None:
    """It runs, as in plain PyTorch, which never looks at it."""
    script("damaged_debug_information.py", debugged, len(DEBUG), NEURON_ADAPTERS_ENGINE=engine, NEURON_RT_NUM_CORES="4")


@pytest.mark.parametrize("number", range(len(DEBUG)), ids=list(DEBUG))
def test_damaged_debug_information_where_checksums_are_asked_for(
    debugged: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The checksum is one of the code, which PyTorch cannot print then."""
    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", "true")
    if list(DEBUG)[number] == "gone":
        torch.jit.load(debugged / f"k1{number}.pt")
        return
    with pytest.raises(ArtifactError) as caught:
        torch.jit.load(debugged / f"k1{number}.pt")
    assert str(caught.value).isprintable()
    assert re.search("debug information|cannot be checked", str(caught.value))


def test_the_constants_are_those_of_the_code() -> None:
    """In the order of PyTorch's list, by which older files number them too; in branches and loops, shared, equal, in
    lists."""

    class Branches(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(4, 4)
            self.listed = [torch.ones(2), torch.zeros(3)]
            self.scale, self.again = torch.arange(16.0).reshape(4, 4), torch.arange(16.0).reshape(4, 4)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
            y = self.linear(x) + self.again
            if bool(x.sum() > 0):
                y = y * self.scale + self.listed[0][0]
            else:
                for _ in range(3):
                    y = y + self.listed[1][0] * self.scale.t()
            return torch.cat([y, self.again], 1), [self.listed[0]]

    models = [
        torch.jit.script(Branches().eval()),
        torch.jit.script(torch.nn.Sequential(*[torch.nn.Linear(4, 4) for _ in range(12)]).eval()),
        torch.jit.trace(
            torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), torch.rand(1, 3, 8), check_trace=False
        ),
        torch.jit.trace(
            torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()).eval().to(memory_format=torch.channels_last),
            torch.rand(1, 3, 9, 9),
        ),
    ]
    for model in models:
        frozen = torch.jit.freeze(model)
        buffer = io.BytesIO()
        torch.jit.save(frozen, buffer)
        buffer.seek(0)
        for module in (frozen, torch.jit.load(buffer)):
            listed, read = list(module.code_with_constants[1].const_mapping.values()), constants(module)
            assert len(listed) == len(read) > 1
            for left, right in zip(listed, read):
                assert torch.equal(torch.as_tensor(left), torch.as_tensor(right))


def test_tensors_without_memory(models: Path, tmp_path: Path) -> None:
    """PyTorch loads them. Made ready for inference, they end the process."""
    path = edited(models / "k1.pt", tmp_path / "m.pt", lambda name, body: b"" if "/constants/" in name else body)
    with pytest.raises(ArtifactError, match="longer than its memory"):
        torch.jit.load(path)
    assert neuron_adapters.describe().models == ()


def test_the_record_is_read_as_such(models: Path, tmp_path: Path) -> None:
    """Numbers that are none, texts that are no UTF-8, control characters: one line."""
    whole = (models / "k1.pt").read_bytes()
    cases = [
        (b'"pipeline_cores": 1', word)
        for word in (b'"pipeline_cores": NaN', b'"pipeline_cores": 1e999', b'"pipeline_cores": "\\n"')
    ]
    cases += [
        (b'{"version": 1', b'{"version": Infinity'),
        (b'{"version": 1', b'{"v\xffrsion": 1'),
        (b'"float32"', b'"\\u001b[2J"'),
        (b'"float32"', b'"_inductor"'),
        (b"[[", b"[" * 3000),
        (b", [2, 3", b", [1e999, 3"),
    ]
    for old, new in cases:
        path = tmp_path / "m.pt"
        edited(
            models / "k1.pt",
            path,
            lambda name, body: re.sub(rb"X(....)(?=\{\"version\": 1, \"pipe)", b"", body) and _replaced(body, old, new),
        )
        with pytest.raises(ArtifactError) as caught:
            torch.jit.load(path)
        assert str(caught.value).isprintable(), new
        assert "record" in str(caught.value), new
    assert whole == (models / "k1.pt").read_bytes()
    assert neuron_adapters.describe().models == ()


def _replaced(body: bytes, old: bytes, new: bytes) -> bytes:
    """A pickle with other words in the text of the record, its length right."""
    start = body.find(b'{"version": 1, "pipeline_cores"')
    if start < 0:
        return body
    size = int.from_bytes(body[start - 4 : start], "little")
    text = body[start : start + size].replace(old, new, 1)
    return body[: start - 4] + len(text).to_bytes(4, "little") + text + body[start + size :]


class Evil:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "m.pt2"
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(torch.nn.Linear(4, 2).eval(), (torch.rand(3, 4),), dynamic_shapes=({0: batch},))
    torch.export.save(program, path)
    return path


def of_strangers(exported: Path, target: Path, how: str, mark: Path) -> Path:
    """An exported program in which code is hidden."""

    def edit(name: str, body: bytes) -> bytes:
        if how == "inputs" and "sample_inputs" in name:
            return saved(Evil(mark))
        if how == "weights" and name.endswith("weights_config.json"):
            config = json.loads(body)
            next(iter(config["config"].values())).update(use_pickle=True, path_name="evil")
            return json.dumps(config).encode()
        if how == "constants" and name.endswith("constants_config.json"):
            return json.dumps(
                {
                    "config": {
                        "x": {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
                    }
                }
            ).encode()
        if how == "sizes" and "/models/" in name:
            evil = json.dumps(f"__import__('os').system('touch {mark}')").encode()
            return re.sub(rb'"expr_str": "[^"]*"', lambda _match: b'"expr_str": ' + evil, body)
        if how == "structures" and "/models/" in name:
            return re.sub(rb'"in_spec": "', b'"in_spec": "__enum__', body)
        return body

    pickled = {
        "inputs": {},
        "weights": {"data/weights/evil": saved(Evil(mark))},
        "constants": {"data/constants/opaque_obj_0": pickle.dumps(Evil(mark))},
        "older": {"data/weights/model.pt": saved(Evil(mark))},
        "libraries": {"data/aotinductor/model/m.so": b"\x7fELF"},
    }
    return edited(exported, target, edit, **pickled.get(how, {}))


HOWS = ["inputs", "weights", "constants", "older", "sizes", "libraries", "structures"]


@pytest.mark.parametrize("how", HOWS)
def test_exported_programs_of_strangers(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """PyTorch's own switch asks for files without code: everything that is known to run when one is opened is
    refused."""
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    mark = tmp_path / "mark"
    path = of_strangers(exported, tmp_path / "b.pt2", how, mark)
    for file in (path, str(path), io.BytesIO(path.read_bytes())):
        with pytest.raises(ArtifactError, match="TORCH_FORCE_WEIGHTS_ONLY_LOAD") as caught:
            torch.export.load(file)
        assert str(caught.value).isprintable()
        assert not mark.exists()
    assert neuron_adapters.describe().models == ()


def test_what_plain_pytorch_runs(exported: Path, tmp_path: Path, script: Callable[..., str]) -> None:
    """These are real: without the switch they run, with the hook and without it (SPEC F1, H2)."""
    for how in ("inputs", "weights", "constants", "older", "sizes"):
        of_strangers(exported, tmp_path / f"{how}.pt2", how, tmp_path / f"{how}.mark")
    for hooked in ((), ("hooked",)):
        assert script("what_plain_pytorch_runs.py", *hooked, folder=tmp_path).splitlines() == [
            "constants",
            "inputs",
            "older",
            "sizes",
            "weights",
        ]
        for mark in tmp_path.glob("*.mark"):
            mark.unlink()


def test_whole_exported_programs(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the switch, too: sizes that are arithmetic, tensors, a record. A file that cannot be looked through is
    refused."""
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    program = torch.export.load(exported)
    assert program.module()(torch.rand(5, 4)).shape == (5, 2)
    assert len(neuron_adapters.placement(program)) == 1
    with pytest.raises(ArtifactError, match="cannot be looked through"):
        torch.export.load(
            edited(exported, tmp_path / "half.pt2", lambda name, body: body[:100] if "/models/" in name else body)
        )


def test_arithmetic() -> None:
    for good in (
        "s0",
        "2*s77 + 1",
        "s0//2",
        "Max(1, s0)",
        "FloorDiv(s0, 2)",
        "s0**2",
        "-u3",
        "s0 <= 5",
        "zuf0",
        "1.5",
        "oo",
        " 3 ",
        "Rational(1, 2)",
        "Mul(Integer(6), Max(Integer(1), TruncToInt(Mul(Float('1.5', precision=53), ToFloat(Symbol('s77', positive=True, integer=True))))))",
        "Pow(Symbol('s77', positive=True, integer=True), Integer(-2))",
        "StrictLessThan(Symbol('u0', integer=True), Integer(100))",
    ):
        assert plain(good), good
    for bad in (
        "",
        "x",
        "os",
        "s0.__class__",
        "__import__('os')",
        "eval('1')",
        "open('x')",
        "s0()",
        "[s0 for s0 in s1]",
        "9**9**9",
        "2**100000",
        "lambda: 1",
        "'s0'",
        "s0 if s1 else s2",
        "f(s0)",
        "Max(*s0)",
        "Max(a=s0)",
        "(s0 := 1)",
        "s0[0]",
        "Symbol('__import__')",
        "Symbol(s0=1)",
        "Float('1e999999999')",
        "Float('1', precision=10**9)",
        "Pow(9, Pow(9, 9))",
        "Integer('9')",
        "Symbol('s0', x=1)",
        "s" * 5000,
        "(" * 4000,
        "ѕ0",
        None,
        3,
    ):
        assert not plain(bad), bad
