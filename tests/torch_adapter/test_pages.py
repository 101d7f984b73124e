"""The memory of constants that the engine has packed: given back, and read again for whoever asks (SPEC K3, K5)."""

from __future__ import annotations

import copy
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import neuron_adapters
from neuron_adapters.adapter.hooks import original
from neuron_adapters.torch import DataParallel, _pages, experimental, trace
from neuron_rt import ArtifactError

nn = torch.nn
pytestmark = pytest.mark.usefixtures("default_engine")


class Words(nn.Module):
    """A table, of which a call reads some rows, and layers whose weights the engine packs: 5 MB of each."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5000, 256)
        self.layers = nn.Sequential(*(layer for _ in range(5) for layer in (nn.Linear(512, 512), nn.ReLU())))

    def forward(self, ids: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return self.layers(torch.cat([self.table(ids), x], -1))


IDS = torch.arange(0, 5000, 700)
X = torch.rand(8, 256, generator=torch.Generator().manual_seed(1))
NOT_FINITE = torch.where(X > 0.9, torch.inf, X)
PACKED = 5 << 20


@pytest.fixture(scope="module")
def compiled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("words") / "words.pt"
    with torch.no_grad():
        trace(Words().eval(), (IDS, X)).save(str(path))
    return path


@pytest.fixture
def file(compiled_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(compiled_file, tmp_path))


@pytest.fixture
def plain(compiled_file: Path) -> Any:
    return original(torch.jit.load)(str(compiled_file))


def pages_of(module: Any) -> _pages.Pages:
    pages: _pages.Pages = vars(module)["forward"]._target.pages
    return pages


def called(file: Path) -> Any:
    """A module that was loaded and called twice, without its pages."""
    module = torch.jit.load(file)
    with torch.no_grad():
        first, second = module(IDS, X), module(IDS, X)
    assert torch.equal(first, second)
    assert pages_of(module).missing
    return module


def weights_of(module: Any) -> list[torch.Tensor]:
    """The tensors among the constants of its graph."""
    nodes = module._c._get_method("forward").graph.findAllNodes("prim::Constant")
    return [value for node in nodes if isinstance(value := node.output().toIValue(), torch.Tensor)]


def anonymous() -> int:
    """Bytes of this process's own memory."""
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("Anonymous:"))


def answers(module: Any, plain: Any, *, exactly: bool = False) -> None:
    with torch.no_grad():
        same = torch.equal if exactly else torch.allclose
        assert same(torch.nan_to_num(module(IDS, NOT_FINITE)), torch.nan_to_num(plain(IDS, NOT_FINITE)))
        assert torch.allclose(module(IDS, X), plain(IDS, X), rtol=1e-3, atol=1e-4)


def test_memory_is_given_back(file: Path) -> None:
    """Once the engine has answered, PyTorch's copy is gone but for the table; further loads share that."""
    module = torch.jit.load(file)
    before = anonymous()
    with torch.no_grad():
        module(IDS, X)
    freed = before - anonymous()
    assert freed > 0.7 * PACKED
    assert sum(range_.end - range_.start for range_ in pages_of(module)._ranges) <= PACKED
    more = [called(file) for _ in range(3)]
    assert {pages_of(other) for other in more} == {pages_of(module)}


def outer(module: Any) -> nn.Module:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, ids: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            return self.inner(ids, x)

    return Outer()


def saved(module: Any) -> Any:
    module.save("saved.pt")
    return original(torch.jit.load)("saved.pt")


def stored(module: Any) -> Any:
    with open("buffer.pt", "wb") as file:
        file.write(module.save_to_buffer())
    return original(torch.jit.load)("buffer.pt")


ASKING: dict[str, Callable[[Any], Any]] = {
    "a call that no engine answers": lambda module: module,
    "save": saved,
    "save_to_buffer": stored,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "freeze": lambda module: original(torch.jit.freeze)(module.eval()),
    "optimize_for_inference": lambda module: original(torch.jit.optimize_for_inference)(module.eval()),
    "script": lambda module: original(torch.jit.script)(outer(module)),
    "trace": lambda module: original(torch.jit.trace)(outer(module), (IDS, X), check_trace=False),
    "the C++ module": lambda module: module._c._get_method("forward"),
    "DataParallel": lambda module: DataParallel(module, device_ids=[0, 1]),
}


@pytest.mark.parametrize("how", ASKING)
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_whoever_asks(file: Path, plain: Any, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = called(file)
    answers(ASKING[how](module), plain)
    answers(module, plain, exactly=True)
    assert not pages_of(module).missing


@pytest.mark.parametrize("way", ["method", "inlined", "code"])
def test_the_graph_has_its_constants(file: Path, plain: Any, way: str) -> None:
    module = called(file)
    if way == "code":
        values = [each.code_with_constants[1].const_mapping for each in (module, plain)]
        assert values[0].keys() == values[1].keys()
        pairs = [(values[0][name], values[1][name]) for name in values[0]]
    else:
        graphs = [each.forward.graph if way == "method" else each.inlined_graph for each in (module, plain)]
        constants = [[node.output().toIValue() for node in graph.findAllNodes("prim::Constant")] for graph in graphs]
        pairs = [pair for pair in zip(*constants) if isinstance(pair[0], torch.Tensor)]
    assert sum(value.nbytes for value, _ in pairs) > 1.9 * PACKED
    assert all(torch.equal(*pair) for pair in pairs)


def test_what_asks_for_less(file: Path, plain: Any) -> None:
    """Modes, names and what is not there are answered without the content, as PyTorch does."""
    module = called(file)
    assert isinstance(module, torch.jit.ScriptModule)
    assert type(module).__name__ == type(plain).__name__
    assert module.eval() is module
    assert not module.training
    assert module.train().training
    module.eval()
    assert module.original_name == plain.original_name
    assert repr(module) == repr(plain)
    assert not hasattr(module, "config")
    with pytest.raises(AttributeError) as expected:
        plain.config  # noqa: B018
    with pytest.raises(AttributeError) as raised:
        module.config  # noqa: B018
    assert str(raised.value) == str(expected.value)
    assert not list(module.parameters())
    assert module.state_dict() == plain.state_dict()
    module.note = 3
    assert module.note == 3
    assert type(module.to("cpu")) is type(module)
    assert pages_of(module).missing
    assert type(copy.copy(module)) is type(plain)
    assert type(module) is type(plain)


@pytest.mark.parametrize("change", ["removed", "replaced", "moved"])
def test_the_file_may_go(file: Path, plain: Any, change: str) -> None:
    """What was loaded is what answers, whatever the name leads to now."""
    module = called(file)
    if change == "removed":
        file.unlink()
    elif change == "moved":
        file.rename(file.with_name("other.pt"))
    else:
        file.with_name("new").write_bytes(b"nothing")
        file.with_name("new").replace(file)
    answers(module, plain, exactly=True)


@pytest.mark.parametrize("change", ["cut off", "emptied", "a byte", "another model"])
def test_a_file_that_is_written_to(file: Path, plain: Any, change: str) -> None:
    """The engine goes on; what only PyTorch can answer is an error, and no other answer."""
    module = called(file)
    times = os.stat(file)
    with open(file, "r+b") as opened:
        if change == "cut off":
            opened.truncate(file.stat().st_size // 2)
        elif change == "emptied":
            opened.truncate(0)
        elif change == "a byte":  # of the middle of a weight, found by what is in it
            weights = max(
                (value for value in plain.code_with_constants[1].const_mapping.values() if value.shape == (512, 512)),
                key=torch.Tensor.numel,
            )
            at = file.read_bytes().index(weights.numpy().tobytes()) + weights.nbytes // 2
            opened.seek(at)
            opened.write(b"\x55\xaa")
        else:
            torch.manual_seed(1)
            with torch.no_grad():
                original(torch.jit.trace)(Words().eval(), (IDS, X)).save(str(file))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    with torch.no_grad():
        assert torch.allclose(module(IDS, X), plain(IDS, X), rtol=1e-3, atol=1e-4)
        for _ in range(2):
            with pytest.raises(ArtifactError, match=r"words.pt was written to after it was loaded.*Load it again"):
                module(IDS, NOT_FINITE)
    with pytest.raises(ArtifactError, match="was written to"):
        module.save("saved.pt")
    with torch.no_grad():
        assert torch.allclose(module(IDS, X), plain(IDS, X), rtol=1e-3, atol=1e-4)


def test_a_file_that_is_written_to_while_it_is_loaded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What PyTorch read may be another file than the one that can be read again: the memory stays."""
    identity = _pages.identity
    monkeypatch.setattr(_pages, "identity", lambda fd: (os.utime(file), identity(fd))[1])
    module = torch.jit.load(file)
    with torch.no_grad():
        module(IDS, X)
    assert vars(module)["forward"]._target.pages is None


def test_what_the_engine_reads_in_place(file: Path, plain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel tells: the call without the pages is repeated with them, and they stay."""
    monkeypatch.setattr(_pages, "_tables", lambda _program: [])
    module = torch.jit.load(file)
    with torch.no_grad():
        results = [module(IDS, X) for _ in range(3)]
    assert all(torch.equal(results[0], result) for result in results)
    assert pages_of(module).kept
    assert not pages_of(module).missing
    answers(module, plain)


@pytest.mark.parametrize("copied", [0, 1 << 30])
def test_other_neuroncores(file: Path, plain: Any, monkeypatch: pytest.MonkeyPatch, copied: int) -> None:
    """A load on other NCs after the first calls: the engine packs again what is read again, and it is given back, where
    each set of CPUs has an executable, and where they are lanes of one."""
    monkeypatch.setattr("neuron_rt.deployment.MOST_COPIED", copied)
    modules = [called(file)]
    for start in (1, 2, 3):
        with experimental.neuron_cores_context(start):
            module = torch.jit.load(file)
        modules.append(module)
    with torch.no_grad():
        for module in modules * 3:
            assert torch.equal(module(IDS, X), modules[0](IDS, X))
    pages = pages_of(modules[0])
    assert pages.missing
    assert pages.untouched()
    assert pages.proven()
    assert not any(isinstance(request, _pages._Unproven) for request in requests_of(modules[-1]))
    answers(modules[2], plain, exactly=True)
    answers(modules[0], plain, exactly=True)


def requests_of(module: Any) -> list[Any]:
    return list(vars(module)["forward"]._model.slots[0].pool.idle)


def test_a_lane_that_reads_in_place(file: Path, plain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run of one lane tells nothing of the next one: each is looked at."""
    monkeypatch.setattr("neuron_rt.deployment.MOST_COPIED", 0)
    with experimental.neuron_cores_context(0, 2):
        module = torch.jit.load(file)
    with torch.no_grad():
        expected = module(IDS, X)
        pages = pages_of(module)
        assert pages.missing
        pages._lanes_ran = [lambda: False]  # a lane that has not run yet
        for _ in range(4):
            assert torch.equal(module(IDS, X), expected)
        assert any(isinstance(request, _pages._Unproven) for request in requests_of(module))
        read = _pages._Call.__call__

        def in_place(self: Any, leaves: Any) -> Any:
            range_ = pages._ranges[0]
            seen.append(range_.view[range_.start])
            return read(self, leaves)

        seen: list[int] = []
        monkeypatch.setattr(_pages._Call, "__call__", in_place)
        assert torch.equal(module(IDS, X), expected)
        assert len(seen) == 2, "it ran again with what it had read in memory"
    assert pages.kept
    answers(module, plain)


def test_many_threads(file: Path, plain: Any) -> None:
    """First calls, calls that PyTorch answers and loads at once."""
    with torch.no_grad():
        expected = plain(IDS, X), torch.nan_to_num(plain(IDS, NOT_FINITE))
    for turn in range(6):
        with experimental.neuron_cores_context(0, 4):
            module = torch.jit.load(file)
        wrong: list[object] = []
        barrier = threading.Barrier(6)

        def serve(
            number: int, module: Any = module, wrong: Any = wrong, barrier: Any = barrier, turn: int = turn
        ) -> None:
            try:
                barrier.wait()
                with torch.no_grad():
                    for call in range(12):
                        if number == 5 and call == turn:
                            wrong.extend(
                                [] if torch.equal(torch.nan_to_num(module(IDS, NOT_FINITE)), expected[1]) else [1]
                            )
                        elif not torch.allclose(module(IDS, X), expected[0], rtol=1e-3, atol=1e-4):
                            wrong.append(call)
            except Exception as error:
                wrong.append(error)

        threads = [threading.Thread(target=serve, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        neuron_adapters.unload(module)


def test_in_a_forked_child(file: Path, plain: Any) -> None:
    """The child's pages are missing, too, and are read again there."""
    module = called(file)
    expected = [value.numpy().tobytes() for value in weights_of(plain)]
    child = os.fork()
    if not child:
        try:
            same = [value.numpy().tobytes() for value in weights_of(module)] == expected
            os._exit(0 if same and not pages_of(module).missing else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pages_of(module).missing


def test_what_has_no_name_stays(file: Path, plain: Any) -> None:
    """What was read from an open file or compiled here cannot be read again."""
    with open(file, "rb") as opened:
        module = torch.jit.load(opened)
    with torch.no_grad():
        module(IDS, X)
    assert vars(module)["forward"]._target.pages is None
    answers(module, plain)


def test_the_descriptor_goes_with_the_model(file: Path) -> None:
    def leading() -> list[str]:
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        return [link for link in links if os.path.lexists(link) and os.readlink(link) == str(file)]

    module = called(file)
    assert len(leading()) == 1
    del module
    assert not leading()
