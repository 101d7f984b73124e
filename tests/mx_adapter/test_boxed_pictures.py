"""Pictures with boxes, of a file of records, are read as MXNet reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx


@pytest.fixture
def folder(ask_oracle: Callable[[str], Path]) -> Path:
    return ask_oracle("boxed")


@pytest.fixture
def records(folder: Path) -> Callable[..., Any]:
    def make(**how: Any) -> Any:
        return mx.io.ImageDetRecordIter(str(folder / "boxed.rec"), (3, 24, 28), 2, **how)

    return make


@pytest.mark.parametrize("number", range(7))
def test_batches(number: int, folder: Path, oracle: Callable[[str], ModuleType]) -> None:
    cases = oracle("boxed_cases")
    kind, how = cases.CASES[number]
    make = getattr(mx.io if kind == cases.RECORDS else mx.image, kind)
    iterator = make(path_imgrec=str(folder / "boxed.rec"), data_shape=cases.SHAPE, batch_size=cases.BATCH, **how)
    with np.load(folder / f"{number}.npz") as expected:
        np.testing.assert_array_equal(iterator.provide_label[0][1], expected["provide"])
        count = 0
        for epoch in range(2):
            for place, batch in enumerate(iterator):
                count += 1
                key = f"{epoch}/{place}"
                shown = cases.BATCH - int(expected[f"{key}/pad"])
                assert (batch.pad or 0) == int(expected[f"{key}/pad"])
                labels = batch.label[0].asnumpy()
                np.testing.assert_allclose(labels[:shown], expected[f"{key}/label"][:shown], atol=1e-5)
                data = batch.data[0].asnumpy()
                for row in range(shown):
                    height, width = (int(size) for size in labels[row, 1:3]) if kind == cases.RECORDS else (24, 28)
                    part = (row, slice(None), slice(height), slice(width))
                    np.testing.assert_allclose(data[part], expected[f"{key}/data"][part], atol=1.01)
            iterator.reset()
        assert count == sum(key.endswith("/pad") for key in expected)


def test_a_detector_is_evaluated(records: Callable[..., Any]) -> None:
    """A loop as scripts have it: labels without their head, and without the rows that fill up."""
    boxes = 0
    for batch in records(mean_r=123, round_batch=False):
        for row in batch.label[0].asnumpy()[: 2 - batch.pad]:
            head, width = int(row[4]), int(row[5])
            objects = row[4 + head : 4 + int(row[3])].reshape(-1, width)
            assert ((objects[:, 3] > objects[:, 1]) & (objects[:, 4] <= 1)).all()
            boxes += len(objects)
    assert boxes == 1 + 2 + 3 + 1 + 2


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ({"rand_mirror_prob": 0.5}, mx.MXNetError, r"rand_mirror_prob=0\.5 changes pictures for training"),
        ({"rand_crop_prob": 1}, mx.MXNetError, "ImageDetRecordIter: rand_crop_prob=1 changes pictures"),
        ({"nothing": 1}, ValueError, "ImageDetRecordIter has no parameter 'nothing'"),
        ({"resize_mode": "other"}, ValueError, "got 'other'"),
        ({"label_width": 7}, mx.MXNetError, "has a label of 12 numbers, and label_width is 7"),
        ({"label_pad_width": 9}, mx.MXNetError, "the longest label has 17 numbers"),
    ],
)
def test_what_is_refused(how: dict[str, Any], error: type[Exception], says: str, records: Callable[..., Any]) -> None:
    with pytest.raises(error, match=says):
        records(**how)
    assert records(rand_crop_prob=0, max_crop_trials=(25,), preprocess_threads=2).batch_size == 2


@pytest.mark.parametrize("label", [[1.0], [2, 5, 0, 0.1, 0.1, 0.5], [2, 4, 0, 0.1, 0.1, 0.5, 0.5, 1]])
def test_labels_that_are_none(label: list[float], tmp_path: Path) -> None:
    writer = mx.recordio.MXRecordIO(str(tmp_path / "wrong.rec"), "w")
    header = mx.recordio.IRHeader(0, np.array(label, "f"), 0, 0)
    writer.write(mx.recordio.pack_img(header, np.zeros((8, 8, 3), np.uint8), img_fmt=".png"))
    writer.close()
    with pytest.raises(mx.MXNetError, match=r"record 0: a label (has two numbers|of 8 numbers)"):
        mx.io.ImageDetRecordIter(str(tmp_path / "wrong.rec"), (3, 8, 8), 1).next()
