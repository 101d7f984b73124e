"""Run by an interpreter that has the real MXNet: `python boxed.py FOLDER` reads pictures with boxes.

Writes a file of records, and the batches that MXNet's iterators make of it.
"""

import os
import struct
import sys
import zlib
from pathlib import Path

os.environ["MXNET_MKLDNN_ENABLED"] = "0"
os.environ["MXNET_STORAGE_FALLBACK_LOG_VERBOSE"] = "0"

import mxnet as mx
import numpy as np
from boxed_cases import BATCH, CASES, SHAPE


def png(pixels):
    """A picture as a file: MXNet's recordio needs OpenCV for that."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def records(path):
    rng = np.random.RandomState(11)
    writer = mx.recordio.MXIndexedRecordIO(str(path.with_suffix(".idx")), str(path), "w")
    for number, size in enumerate([(20, 30), (16, 24), (40, 25), (10, 12), (33, 33)]):
        corner = rng.uniform(0, 0.4, (number % 3 + 1, 2))
        boxes = np.concatenate([np.arange(len(corner))[:, None], corner, corner + 0.5], 1)
        label = np.concatenate([[2, 5], boxes.ravel()]).astype("f")
        rows = np.add.outer(np.arange(size[0]) * 5, np.arange(size[1]) * 3)
        picture = np.stack([rows, 255 - rows % 256, rows * 2], -1) % 256
        header = mx.recordio.IRHeader(0, label, number, 0)
        writer.write_idx(number, mx.recordio.pack(header, png(picture.astype("uint8"))))
    writer.close()


def main(folder):
    path = folder / "boxed.rec"
    records(path)
    for number, (kind, how) in enumerate(CASES):
        make = getattr(mx.io if kind == "ImageDetRecordIter" else mx.image, kind)
        iterator = make(path_imgrec=str(path), data_shape=SHAPE, batch_size=BATCH, **how)
        arrays = {"provide": np.array(iterator.provide_label[0][1])}
        for epoch in range(2):
            for place, batch in enumerate(iterator):
                arrays[f"{epoch}/{place}/data"] = batch.data[0].asnumpy()
                arrays[f"{epoch}/{place}/label"] = batch.label[0].asnumpy()
                arrays[f"{epoch}/{place}/pad"] = np.array(batch.pad or 0)
            iterator.reset()
        np.savez(folder / f"{number}.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
