"""``mx.contrib.text`` answers what MXNet's answers."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx

text = mx.contrib.text


def test_answers(ask_oracle: Callable[[str], Path], oracle: Callable[[str], ModuleType]) -> None:
    folder = ask_oracle("text")
    expected = json.loads((folder / "answers.json").read_text())
    answers = json.loads(json.dumps(oracle("texts").answers(mx, folder)))
    assert set(answers) == set(expected)
    for name, answer in expected.items():
        assert answers[name] == answer, name
    assert all(answers["failures"])


@pytest.fixture
def folder(tmp_path: Path, oracle: Callable[[str], ModuleType]) -> Path:
    oracle("texts").write(tmp_path)
    return tmp_path


def test_a_file_that_is_not_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MXNET_HOME", str(folder))
    for make, name in ((text.embedding.GloVe, "glove.840B.300d"), (text.embedding.FastText, "wiki.simple")):
        with pytest.raises(mx.MXNetError, match=f"no {name}.*downloads nothing: put the file there, or {name}.zip"):
            make()
    with pytest.raises(FileNotFoundError, match=str(folder / "embeddings" / "fasttext")):
        text.embedding.create("fasttext")


def test_an_archive(folder: Path) -> None:
    (folder / "fasttext").mkdir()
    with zipfile.ZipFile(folder / "fasttext" / "wiki.zu.zip", "w") as archive:
        archive.writestr("wiki.zu.vec", "2 3\nhello 1 2 3\nthere 4 5 6 \n")
        archive.writestr("wiki.zu.bin", "not wanted")
    with pytest.warns(UserWarning, match=r"Line 1 of .*'2' and one number are likely a header"):
        vectors = text.embedding.FastText("wiki.zu.vec", str(folder))
    np.testing.assert_array_equal(vectors.get_vecs_by_tokens("there").asnumpy(), [4, 5, 6])
    assert sorted(path.name for path in (folder / "fasttext").iterdir()) == ["wiki.zu.vec", "wiki.zu.zip"]


@pytest.mark.parametrize(
    ("lines", "error", "says"),
    [
        ("hello 1 2\nworld 1 2 3\n", AssertionError, "Line 2 of .*'world' has 3 numbers, and those before 2"),
        ("hello\n", AssertionError, "Line 1 of .* is not a token and its numbers"),
        ("hello 1 x\n", ValueError, "Line 1 of .*could not convert string to float: 'x'"),
        ("", AssertionError, "has no vectors"),
    ],
)
def test_a_damaged_file(lines: str, error: type[Exception], says: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(lines)
    with pytest.raises(error, match=says):
        text.embedding.CustomEmbedding(str(path))


def test_a_vocabulary_feeds_an_embedding(folder: Path) -> None:
    """As in tutorials: the vectors are the weight of a layer."""
    vectors = text.embedding.CustomEmbedding(str(folder / "plain.txt"))
    words = text.vocab.Vocabulary(text.utils.count_tokens_from_str("hello world hello"))
    table = text.embedding.CompositeEmbedding(words, vectors)
    layer = mx.gluon.nn.Embedding(len(table), table.vec_len)
    layer.initialize()
    layer.weight.set_data(table.idx_to_vec)
    result = layer(mx.nd.array(words.to_indices(["world", "no such"]))).asnumpy()
    np.testing.assert_allclose(result, [[4.5, 5, 0.6], [0, 0, 0]])


def test_arrays_of_deep_numpy(folder: Path) -> None:
    mx.npx.set_np()
    try:
        vectors: Any = text.embedding.CustomEmbedding(str(folder / "plain.txt"))
        assert isinstance(vectors.get_vecs_by_tokens("hello"), mx.np.ndarray)
    finally:
        mx.npx.reset_np()
