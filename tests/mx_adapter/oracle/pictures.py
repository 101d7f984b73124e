"""Pictures and files of records that both interpreters make alike, without any library for pictures."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np

#: Height and width of each.
SIZES = ((20, 24), (24, 20), (17, 31), (32, 32), (21, 21), (18, 27), (26, 19))


def picture(number: int) -> np.ndarray:
    """Smooth colours, and some noise."""
    height, width = SIZES[number]
    rng = np.random.RandomState(number)
    rows, columns = np.mgrid[0:height, 0:width]
    base = np.stack([rows * 7 + number * 13, columns * 6 + 20, rows * 3 + columns * 2], -1)
    return np.clip(base + rng.randint(0, 30, base.shape), 0, 255).astype("uint8")


def png(pixels: np.ndarray) -> bytes:
    """The bytes of a PNG file."""
    height, width, _channels = pixels.shape
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def label(number: int, width: int = 1):
    return float(number % 3) if width == 1 else [float(number), float(number) / 2]


def write_records(recordio, folder: str, name: str = "pictures", width: int = 1) -> str:
    """A file of records and its index; ``recordio``: the library's own."""
    path = os.path.join(folder, name)
    records = recordio.MXIndexedRecordIO(f"{path}.idx", f"{path}.rec", "w")
    for number in range(len(SIZES)):
        header = recordio.IRHeader(0, label(number, width), number, 0)
        records.write_idx(number, recordio.pack(header, png(picture(number))))
    records.close()
    return path


def write_folder(folder: str) -> str:
    """Folders of classes with files."""
    root = os.path.join(folder, "classes")
    for number in range(len(SIZES)):
        place = os.path.join(root, ("cat", "dog")[number % 2])
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, f"{number}.png"), "wb") as file:
            file.write(png(picture(number)))
    return root


def answers(mx, folder: str) -> dict[str, np.ndarray]:
    """What a library called ``mx`` makes of them, by name."""
    arrays: dict[str, np.ndarray] = {}
    _transforms(mx, arrays)
    path = write_records(mx.recordio, folder)
    _iterators(mx, path, arrays)
    _datasets(mx, folder, path, arrays)
    return arrays


def _transforms(mx, arrays) -> None:
    transforms = mx.gluon.data.vision.transforms
    x = mx.nd.array(picture(0), dtype="uint8")
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    chain = transforms.Compose([
        transforms.Resize(16, keep_ratio=True), transforms.CenterCrop(12), transforms.ToTensor(),
        transforms.Normalize(mean, std),
    ])  # fmt: skip
    for name, function in {
        "to_tensor": transforms.ToTensor(),
        "resize": transforms.Resize((10, 14)),
        "resize_one": transforms.Resize(11),
        "resize_keep": transforms.Resize(11, keep_ratio=True),
        "resize_nearest": transforms.Resize(11, interpolation=0),
        "crop": transforms.CenterCrop((8, 10)),
        "crop_larger": transforms.CenterCrop(40),
        "crop_resize": transforms.CropResize(2, 3, 9, 8, (5, 6), 1),
        "cast": transforms.Cast("float32"),
        "chain": chain,
        # Chance has nothing to choose from.
        "brightness": transforms.RandomBrightness(0.0),
        "random_crop": transforms.RandomResizedCrop((24, 20), scale=(1.0, 1.0), ratio=(1.2, 1.2)),
    }.items():
        arrays[f"transform/{name}"] = function(x).asnumpy()
    batch = mx.nd.array(np.stack([picture(4), picture(4)[::-1]]), dtype="uint8")
    tensor = transforms.ToTensor()(x)
    for name, zoom in {"turn": {}, "turn_in": {"zoom_in": True}, "turn_out": {"zoom_out": True}}.items():
        arrays[f"transform/{name}"] = transforms.Rotate(25, **zoom)(tensor).asnumpy()
    arrays["transform/batch"] = transforms.Normalize(0.5, 0.25)(transforms.ToTensor()(batch)).asnumpy()


def _iterators(mx, path, arrays) -> None:
    rec = {"path_imgrec": f"{path}.rec", "data_shape": (3, 12, 14), "batch_size": 3}
    kinds = {
        "plain": mx.io.ImageRecordIter(**rec),
        "normal": mx.io.ImageRecordIter(
            resize=16,
            mean_r=123.68,
            mean_g=116.779,
            mean_b=103.939,
            std_r=58.4,
            std_g=57.1,
            std_b=57.4,
            scale=0.5,
            **rec,
        ),
        "mirror": mx.io.ImageRecordIter(mirror=True, **rec),
        "bytes": mx.io.ImageRecordUInt8Iter(**rec),
        "part": mx.io.ImageRecordIter(num_parts=2, part_index=1, **rec),
        "not_rounded": mx.io.ImageRecordIter(round_batch=False, **rec),
        "list": mx.image.ImageIter(path_imgidx=f"{path}.idx", resize=16, mean=True, std=True, **rec),
        "discard": mx.image.ImageIter(last_batch_handle="discard", **rec),
        "roll_over": mx.image.ImageIter(last_batch_handle="roll_over", **rec),
    }
    for name, batches in kinds.items():
        for turn in range(2):
            for number, batch in enumerate(batches):
                # Without rounding MXNet leaves what was in memory in the rows that are too many, and says that there are none.
                rows = min(3, len(SIZES) - 3 * number) if name == "not_rounded" else 3
                arrays[f"iterator/{name}/{turn}/{number}/data"] = batch.data[0].asnumpy()[:rows]
                arrays[f"iterator/{name}/{turn}/{number}/label"] = batch.label[0].asnumpy()[:rows]
                if name != "not_rounded":
                    arrays[f"iterator/{name}/{turn}/{number}/pad"] = np.array(batch.pad)
            batches.reset()


def _datasets(mx, folder, path, arrays) -> None:
    data = mx.gluon.data
    crop = data.vision.transforms.CenterCrop((14, 12))
    sets = {
        "records": data.vision.ImageRecordDataset(f"{path}.rec").transform_first(crop),
        "folder": data.vision.ImageFolderDataset(write_folder(folder)).transform_first(crop),
        "arrays": data.ArrayDataset(mx.nd.arange(14).reshape((7, 2)), mx.nd.arange(7)),
        "numbers": data.SimpleDataset(list(range(7))).transform(lambda x: x * 2.0),
        "shard": data.SimpleDataset(list(range(7))).shard(3, 1),
        "take": data.SimpleDataset(list(range(7))).filter(lambda x: x % 2 == 0).take(3),
    }
    for name, dataset in sets.items():
        for last_batch in ("keep", "discard", "rollover"):
            loader = data.DataLoader(dataset, batch_size=3, last_batch=last_batch)
            for turn in range(2):
                arrays[f"dataset/{name}/{last_batch}/{turn}/length"] = np.array(len(loader))
                for number, batch in enumerate(loader):
                    parts = batch if isinstance(batch, (list, tuple)) else [batch]
                    for place, part in enumerate(parts):
                        arrays[f"dataset/{name}/{last_batch}/{turn}/{number}/{place}"] = part.asnumpy()
