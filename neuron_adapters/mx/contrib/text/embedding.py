"""``mx.contrib.text.embedding``: tables of vectors for tokens, read from text files. Nothing is downloaded."""

from __future__ import annotations

import functools
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from typing import Any, ClassVar

import numpy as np

from neuron_adapters.mx.contrib.text.vocab import UNKNOWN, Vocabulary
from neuron_adapters.mxnet import ndarray, registry
from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MissingError, MXNetAssertionError, data_dir
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.util import is_np_array

__all__ = [
    "CompositeEmbedding", "CustomEmbedding", "FastText", "GloVe", "create", "get_pretrained_file_names", "register",
]  # fmt: skip

__getattr__: Missing = missing_names("mx.contrib.text.embedding")

Vectors = np.ndarray[Any, Any]
#: Makes the vector of tokens that are not known: ``mx.nd.zeros``.
Init = Callable[..., Any]


def _array(values: Any) -> Any:
    if is_np_array():
        from neuron_adapters.mxnet import numpy

        return numpy.array(values, dtype="float32")
    return ndarray.array(values)


class _TokenEmbedding(Vocabulary):
    """A vocabulary with a vector for each token. That of ``unknown_token`` is the file's, where it has one."""

    pretrained_file_name_sha1: ClassVar[dict[str, str]] = {}
    pretrained_archive_name_sha1: ClassVar[dict[str, str]] = {}
    _vec_len: int
    _idx_to_vec: Any

    @property
    def vec_len(self) -> int:
        """The length of each vector."""
        return self._vec_len

    @property
    def idx_to_vec(self) -> Any:
        """The vectors, in the order of the tokens' numbers."""
        return self._idx_to_vec

    def get_vecs_by_tokens(self, tokens: str | list[str], lower_case_backup: bool = False) -> Any:
        """Return the vector of a token, or those of a list of them, a row each.

        ``lower_case_backup``: look a token that is not known up in small letters.
        """
        listed = tokens if isinstance(tokens, list) else [tokens]
        known = self.token_to_idx
        numbers = [
            known.get(token, known.get(token.lower(), UNKNOWN) if lower_case_backup else UNKNOWN) for token in listed
        ]
        rows = np.minimum(numbers, len(self._idx_to_vec) - 1).astype(int)
        vectors = _array(self._idx_to_vec.asnumpy()[rows].reshape(len(listed), self.vec_len))
        return vectors if isinstance(tokens, list) else vectors[0]

    def update_token_vectors(self, tokens: str | list[str], new_vectors: Any) -> None:
        """Replace the vectors of tokens that are known. Raises ValueError for any other token."""
        listed = tokens if isinstance(tokens, list) else [tokens]
        shape = (len(listed), self.vec_len)
        allowed = [shape, shape[1:]] if len(listed) == 1 else [shape]
        if not isinstance(new_vectors, NDArray) or tuple(new_vectors.shape) not in allowed:
            shown = getattr(new_vectors, "shape", type(new_vectors).__name__)
            raise MXNetAssertionError(f"new_vectors has a row of {self.vec_len} for each token, got {shown}.")
        for token in listed:
            if token not in self.token_to_idx:
                raise ValueError(
                    f"Token {token} is unknown. To update the vector of all unknown tokens, say so: "
                    f"{self.unknown_token!r} in `tokens`."
                )
        vectors = self._idx_to_vec.asnumpy()
        vectors[[self.token_to_idx[token] for token in listed]] = new_vectors.asnumpy().reshape(shape)
        self._idx_to_vec[:] = _array(vectors)

    def _load(self, path: str, delimiter: str, init: Init, encoding: str = "utf8") -> None:
        path = os.path.expanduser(path)
        if not os.path.isfile(path):
            raise ValueError(f"pretrained_file_path is the path of a file of vectors, and {path} is none.")
        unknown: list[float] | None = None
        rows: list[list[float]] = []
        seen: set[Any] = set()
        for line, token, vector in _lines(path, delimiter, encoding):
            if token == self.unknown_token and unknown is None:
                unknown = vector
                seen.add(token)
            elif token in seen:
                warnings.warn(f"Line {line} of {path}: a second vector for {token!r} is skipped.", stacklevel=4)
            elif len(vector) == 1:
                warnings.warn(f"Line {line} of {path}: {token!r} and one number are likely a header.", stacklevel=4)
            else:
                if rows and len(vector) != len(rows[0]):
                    raise MXNetAssertionError(
                        f"Line {line} of {path}: {token!r} has {len(vector)} numbers, and those before {len(rows[0])}."
                    )
                rows.append(vector)
                seen.add(token)
                self._idx_to_token.append(token)
                self._token_to_idx[token] = len(self._idx_to_token) - 1
        if not rows:
            raise MXNetAssertionError(f"{path} has no vectors.")
        self._vec_len = len(rows[0])
        # As in MXNet, reserved tokens get no row of their own here: the file's first row is row 1.
        vectors = np.array([[0.0] * self._vec_len, *rows], "f")
        vectors[UNKNOWN] = init(shape=self._vec_len).asnumpy() if unknown is None else unknown
        self._idx_to_vec = _array(vectors)

    def _restrict(self, vocabulary: Vocabulary | None) -> None:
        """Keep the tokens of a vocabulary."""
        if vocabulary is None:
            return
        if not isinstance(vocabulary, Vocabulary):
            raise MXNetAssertionError(f"vocabulary is a Vocabulary, got {type(vocabulary).__name__}.")
        self._join([self], vocabulary)

    def _join(self, embeddings: Sequence[_TokenEmbedding], vocabulary: Vocabulary) -> None:
        """Take the tokens of a vocabulary, each with its vectors of all embeddings in a row."""
        tokens = vocabulary.idx_to_token
        parts = []
        for each in embeddings:
            rows = each.get_vecs_by_tokens(tokens).asnumpy()
            rows[UNKNOWN] = each.idx_to_vec.asnumpy()[UNKNOWN]
            parts.append(rows)
        joined = np.concatenate(parts, axis=1)
        self._vec_len = joined.shape[1]
        self._idx_to_vec = _array(joined)
        self._token_to_idx = dict(vocabulary.token_to_idx)
        self._idx_to_token = list(vocabulary.idx_to_token)
        self._unknown_token = vocabulary.unknown_token
        reserved = vocabulary.reserved_tokens
        self._reserved_tokens = None if reserved is None else list(reserved)

    @classmethod
    def _archive(cls, file_name: str) -> str:
        """Name the archive that has a file."""
        return file_name

    @classmethod
    def _file(cls, root: str, file_name: str) -> str:
        """Return the path of a file of vectors, which is taken out of its archive where only that is there.

        Raises KeyError for a name that no file has, MissingError where there is neither.
        """
        kind = cls.__name__.lower()
        if file_name not in cls.pretrained_file_name_sha1:
            raise KeyError(
                f"Cannot find pretrained file {file_name} for token embedding {kind}. Valid pretrained files for "
                f"embedding {kind}: {', '.join(cls.pretrained_file_name_sha1)}"
            )
        folder = os.path.join(os.path.expanduser(root), kind)
        path, archive = os.path.join(folder, file_name), os.path.join(folder, cls._archive(file_name))
        if not os.path.exists(path):
            if not os.path.exists(archive):
                raise MissingError(
                    f"There is no {file_name} in {folder}. This package downloads nothing: put the file there, or "
                    f"{os.path.basename(archive)}, from a machine on which MXNet has downloaded it."
                )
            with zipfile.ZipFile(archive) as packed:
                packed.extract(file_name, folder)
        return path


def _lines(path: str, delimiter: str, encoding: str) -> Iterator[tuple[int, str, list[float]]]:
    with open(path, encoding=encoding) as file:
        for number, line in enumerate(file, 1):
            token, *numbers = line.rstrip().split(delimiter)
            try:
                vector = [float(text) for text in numbers]
            except ValueError as error:
                raise ValueError(f"Line {number} of {path}: {error}.") from error
            if not vector:
                raise MXNetAssertionError(f"Line {number} of {path} is not a token and its numbers: {line!r}.")
            yield number, token, vector


_register = registry.get_register_func(_TokenEmbedding, "token embedding")
_create = registry.get_create_func(_TokenEmbedding, "token embedding")


def register(embedding_cls: type) -> type:
    """Add a class of embeddings, which ``create`` makes by its name."""
    return _register(embedding_cls)


def create(embedding_name: str, **kwargs: Any) -> Any:
    """Make an embedding by the name of its class, in letters of any case."""
    return _create(embedding_name, **kwargs)


def get_pretrained_file_names(embedding_name: str | None = None) -> list[str] | dict[str, list[str]]:
    """List the files that an embedding may be read from; without a name, those of each. Raises KeyError."""
    files = {
        name: list(kind.pretrained_file_name_sha1)  # type: ignore[attr-defined] # kinds of _TokenEmbedding
        for name, kind in registry.get_registry(_TokenEmbedding).items()
    }
    if embedding_name is None:
        return files
    if embedding_name not in files:
        raise KeyError(f"Cannot find `embedding_name` {embedding_name}. There are: {', '.join(files)}.")
    return files[embedding_name]


@functools.lru_cache(maxsize=1)
def _hashes() -> dict[str, dict[str, str]]:
    """Read the SHA-1 hashes of the files that MXNet downloads, by kind."""
    hashes: dict[str, dict[str, str]] = {}
    for line in resources.files(__package__).joinpath("_files.txt").read_text("utf-8").splitlines():
        kind, name, value = line.split()
        hashes.setdefault(kind, {})[name] = value
    return hashes


def _root(folder: str | None) -> str:
    return os.path.join(data_dir(), "embeddings") if folder is None else folder


@register
class GloVe(_TokenEmbedding):
    """Vectors of GloVe, from ``EMBEDDING_ROOT/glove``; ``~/.mxnet/embeddings`` unless MXNET_HOME says another."""

    pretrained_archive_name_sha1 = _hashes()["glove-archive"]
    pretrained_file_name_sha1 = _hashes()["glove"]

    def __init__(
        self,
        pretrained_file_name: str = "glove.840B.300d.txt",
        embedding_root: str | None = None,
        init_unknown_vec: Init = ndarray.zeros,
        vocabulary: Vocabulary | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._load(self._file(_root(embedding_root), pretrained_file_name), " ", init_unknown_vec)
        self._restrict(vocabulary)

    @classmethod
    def _archive(cls, file_name: str) -> str:
        corpus = file_name.split(".")[1]
        return next(name for name in cls.pretrained_archive_name_sha1 if name.split(".")[1] == corpus)


@register
class FastText(_TokenEmbedding):
    """Vectors of fastText, from ``EMBEDDING_ROOT/fasttext``; ``~/.mxnet/embeddings`` unless MXNET_HOME says another."""

    pretrained_archive_name_sha1 = _hashes()["fasttext-archive"]
    pretrained_file_name_sha1 = _hashes()["fasttext"]

    def __init__(
        self,
        pretrained_file_name: str = "wiki.simple.vec",
        embedding_root: str | None = None,
        init_unknown_vec: Init = ndarray.zeros,
        vocabulary: Vocabulary | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._load(self._file(_root(embedding_root), pretrained_file_name), " ", init_unknown_vec)
        self._restrict(vocabulary)

    @classmethod
    def _archive(cls, file_name: str) -> str:
        return f"{file_name.rpartition('.')[0]}.zip"


class CustomEmbedding(_TokenEmbedding):
    """Vectors of a text file: in each line a token and its numbers, with ``elem_delim`` between them."""

    def __init__(
        self,
        pretrained_file_path: str,
        elem_delim: str = " ",
        encoding: str = "utf8",
        init_unknown_vec: Init = ndarray.zeros,
        vocabulary: Vocabulary | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._load(pretrained_file_path, elem_delim, init_unknown_vec, encoding)
        self._restrict(vocabulary)


class CompositeEmbedding(_TokenEmbedding):
    """The tokens of a vocabulary, each with its vectors of one or more embeddings in a row."""

    def __init__(self, vocabulary: Vocabulary, token_embeddings: Any) -> None:
        embeddings = token_embeddings if isinstance(token_embeddings, list) else [token_embeddings]
        if not isinstance(vocabulary, Vocabulary):
            raise MXNetAssertionError(f"vocabulary is a Vocabulary, got {type(vocabulary).__name__}.")
        if strange := [each for each in embeddings if not isinstance(each, _TokenEmbedding)]:
            raise MXNetAssertionError(f"token_embeddings are embeddings, got {type(strange[0]).__name__}.")
        super().__init__()
        self._join(embeddings, vocabulary)
