"""Sentences as batches, each of those of about one length."""

from __future__ import annotations

import bisect
import logging
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.io import DataBatch, DataDesc, DataIter

__all__ = ["BucketSentenceIter", "encode_sentences"]


def encode_sentences(
    sentences: Sequence[Sequence[Any]],
    vocab: Mapping[Any, int] | None = None,
    invalid_label: int = -1,
    invalid_key: Any = "\n",
    start_label: int = 0,
    unknown_token: Any = None,
) -> tuple[list[list[int]], Any]:
    """Return the sentences as numbers, and the vocabulary, which grows by new words where none is given. A word that a
    given one lacks is ``unknown_token``. Raises MXNetValueError where there is no such token."""
    words: Any = {invalid_key: invalid_label} if vocab is None else vocab
    number = start_label
    encoded = []
    for sentence in sentences:
        coded = []
        for word in sentence:
            known = word
            if word not in words:
                if vocab is not None and not unknown_token:
                    raise MXNetValueError(f"the vocabulary has no word {word!r}: unknown_token=... stands for such.")
                known = unknown_token or word
                if known not in words:
                    number += number == invalid_label
                    words[known] = number
                    number += 1
            coded.append(words[known])
        encoded.append(coded)
    return encoded, words


class BucketSentenceIter(DataIter):
    """Batches of sentences, filled up to the lengths ``buckets`` with ``invalid_label``, in random order; labels are
    the words one place on. Without ``buckets``: the lengths of which there is a batch. Longer ones are left out."""

    data_name: str
    label_name: str
    dtype: Any
    invalid_label: Any
    data: list[np.ndarray[Any, Any]]
    buckets: list[int]
    default_bucket_key: int

    def __init__(
        self,
        sentences: Sequence[Sequence[int]],
        batch_size: int,
        buckets: Sequence[int] | None = None,
        invalid_label: int = -1,
        data_name: str = "data",
        label_name: str = "softmax_label",
        dtype: Any = "float32",
        layout: str = "NT",
    ) -> None:
        super().__init__(batch_size)
        if layout not in ("NT", "TN"):
            raise MXNetValueError(f"layout is NT or TN, got {layout!r}.")
        counts = np.bincount([len(sentence) for sentence in sentences])
        lengths = sorted(buckets or [length for length, count in enumerate(counts) if count >= batch_size])
        if not lengths:
            raise MXNetValueError("there are no buckets: name some, or take a smaller batch_size.")
        rows: dict[int, list[Any]] = {length: [] for length in lengths}
        left_out = 0
        for sentence in sentences:
            place = bisect.bisect_left(lengths, len(sentence))
            if place == len(lengths):
                left_out += 1
                continue
            row = np.full(lengths[place], invalid_label, dtype)
            row[: len(sentence)] = sentence
            rows[lengths[place]].append(row)
        if left_out:
            logging.getLogger(__name__).warning("%d sentences are longer than the largest bucket", left_out)
        self.data_name, self.label_name, self.dtype, self.invalid_label = data_name, label_name, dtype, invalid_label
        self.layout = layout
        self.data = [np.asarray(some, dtype) for some in rows.values() if some]
        self.buckets = [length for length, some in rows.items() if some]
        self.default_bucket_key = max(self.buckets)
        self._places = [
            (bucket, start)
            for bucket, some in enumerate(self.data)
            for start in range(0, len(some) - batch_size + 1, batch_size)
        ]
        self.reset()

    def _described(self, name: str, length: int) -> list[DataDesc]:
        shape = (self.batch_size, length) if self.layout == "NT" else (length, self.batch_size)
        return [DataDesc(name, shape, layout=self.layout)]

    @property
    def provide_data(self) -> list[DataDesc]:
        """Name and shape of the input, of the largest bucket."""
        return self._described(self.data_name, self.default_bucket_key)

    @property
    def provide_label(self) -> list[DataDesc]:
        """Name and shape of the labels, of the largest bucket."""
        return self._described(self.label_name, self.default_bucket_key)

    def reset(self) -> None:
        """Start anew, in another order."""
        random.shuffle(self._places)
        for some in self.data:
            np.random.shuffle(some)  # noqa: NPY002 - scripts seed it so
        self._next = 0

    def next(self) -> DataBatch:
        """Return the next batch."""
        if self._next == len(self._places):
            raise StopIteration
        bucket, start = self._places[self._next]
        self._next += 1
        rows = self.data[bucket][start : start + self.batch_size]
        labels = np.full_like(rows, self.invalid_label)
        labels[:, :-1] = rows[:, 1:]
        length = self.buckets[bucket]
        data, label = (
            ndarray.array(some if self.layout == "NT" else some.T, dtype=self.dtype) for some in (rows, labels)
        )
        return DataBatch(
            [data], [label], pad=0, bucket_key=length, provide_data=self._described(self.data_name, length),
            provide_label=self._described(self.label_name, length),
        )  # fmt: skip
