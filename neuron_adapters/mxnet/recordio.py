"""``mx.recordio``: files of records, which ``im2rec`` writes: a label and a picture in each."""

from __future__ import annotations

import io
import os
import struct
import threading
from typing import Any, NamedTuple

import numpy as np

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import FormatError, MXNetError, MXNetValueError, reading
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["IRHeader", "MXIndexedRecordIO", "MXRecordIO", "pack", "pack_img", "unpack", "unpack_img"]

__getattr__: Missing = missing_names("mx.recordio")

_MAGIC = 0xCED7230A
_LENGTH = (1 << 29) - 1


class IRHeader(NamedTuple):
    """What stands before the picture. ``flag``: how many numbers the label has, 0 for one number."""

    flag: int
    label: Any
    id: int
    id2: int


_HEADER = struct.Struct("<IfQQ")


class MXRecordIO:
    """A file of records, read (``flag`` "r") or written ("w") one after the other."""

    uri: str
    flag: str

    def __init__(self, uri: str, flag: str) -> None:
        if flag not in ("r", "w"):
            raise MXNetValueError(f"flag is r or w, got {flag!r}.")
        self.uri, self.flag = uri, flag
        self.open()

    def open(self) -> None:
        """Open the file, again after ``close``."""
        with reading(self.uri):
            self._file: Any = open(self.uri, f"{self.flag}b")  # noqa: SIM115 - close() closes it
        self.writable: bool = self.flag == "w"
        self.is_open: bool = True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self.is_open = False

    def __del__(self) -> None:
        if getattr(self, "is_open", False):
            self.close()

    def reset(self) -> None:
        """Go to the beginning; what was written is gone."""
        self.close()
        self.open()

    def tell(self) -> int:
        """Return the place in the file."""
        return int(self._file.tell())

    def write(self, buf: bytes) -> None:
        """Write a record. Raises MXNetError where the file is read, and for a record of 512 MiB and more."""
        if not self.writable or len(buf) > _LENGTH:
            raise MXNetError(f"{self.uri}, opened by {self.flag!r}: a record of {len(buf)} bytes cannot be written.")
        magic, parts, begin = struct.pack("<I", _MAGIC), [], 0
        for place in range(0, len(buf) - 3, 4):  # the mark is left out of what it would break in two
            if buf[place : place + 4] == magic:
                parts.append(buf[begin:place])
                begin = place + 4
        parts.append(buf[begin:])
        for number, part in enumerate(parts):
            first, last = number == 0, number == len(parts) - 1
            kind = 0 if first and last else 1 if first else 3 if last else 2
            self._file.write(struct.pack("<II", _MAGIC, kind << 29 | len(part)) + part + bytes(-len(part) % 4))

    def read(self) -> bytes | None:
        """Return the next record; None after the last. Raises FormatError for a damaged file."""
        if self.writable:
            raise MXNetError(f"{self.uri} is open for writing.")
        parts: list[bytes] = []
        while True:
            head = self._file.read(8)
            if not head and not parts:
                return None
            if len(head) < 8 or struct.unpack("<I", head[:4])[0] != _MAGIC:
                raise FormatError(f"{self.uri} is not an intact file of records, at byte {self.tell()}.")
            word = struct.unpack("<I", head[4:])[0]
            kind, length = word >> 29, word & _LENGTH
            part = self._file.read(length)
            self._file.read(-length % 4)
            if len(part) < length or kind > 3 or (kind in (0, 1)) == bool(parts):
                raise FormatError(f"{self.uri} is not an intact file of records, at byte {self.tell()}.")
            parts.append(part)
            if kind in (0, 3):
                return struct.pack("<I", _MAGIC).join(parts)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_file"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self.writable:
            raise MXNetError(f"{self.uri} is open for writing: it is not copied to another process.")
        self.open()


class MXIndexedRecordIO(MXRecordIO):
    """Records by a number, or another key, whose places stand in a second file."""

    idx_path: str
    key_type: Any

    def __init__(self, idx_path: str, uri: str, flag: str, key_type: Any = int) -> None:
        self.idx_path, self.key_type = idx_path, key_type
        self.idx: dict[Any, int] = {}
        self.keys: list[Any] = []
        self._guard = threading.RLock()
        super().__init__(uri, flag)

    def open(self) -> None:
        """Open both files."""
        super().open()
        self.idx, self.keys = {}, []
        if not self.writable and os.path.exists(self.idx_path):
            with reading(self.idx_path), open(self.idx_path, encoding="utf-8") as file:
                for line in file:
                    key, place = line.strip().split("\t")
                    self.idx[self.key_type(key)] = int(place)
            self.keys = list(self.idx)

    def close(self) -> None:
        """Close both files; the places of what was written are written now."""
        if self.is_open and self.writable:
            with open(self.idx_path, "w", encoding="utf-8") as file:
                file.writelines(f"{key}\t{place}\n" for key, place in self.idx.items())
        super().close()

    def seek(self, idx: Any) -> None:
        """Go to the record of a key."""
        self._file.seek(self.idx[idx])

    def read_idx(self, idx: Any) -> bytes | None:
        """Return the record of a key. Threads may ask for several at once, as the workers of a DataLoader do."""
        with self._guard:
            self.seek(idx)
            return self.read()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key != "_guard"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._guard = threading.RLock()
        super().__setstate__(state)

    def write_idx(self, idx: Any, buf: bytes) -> None:
        """Write a record under a key."""
        self.idx[self.key_type(idx)] = self.tell()
        self.keys.append(self.key_type(idx))
        self.write(buf)


def pack(header: IRHeader, s: bytes) -> bytes:
    """Return the record of a header and the bytes ``s``."""
    header = IRHeader(*header)
    if isinstance(header.label, (int, float)):
        return _HEADER.pack(0, header.label, header.id, header.id2) + s
    label = np.asarray(header.label, np.float32)
    return _HEADER.pack(label.size, 0, header.id, header.id2) + label.tobytes() + s


def unpack(s: bytes) -> tuple[IRHeader, bytes]:
    """Return the header of a record, and its bytes. Raises FormatError for a record that is too short."""
    if len(s) < _HEADER.size:
        raise FormatError(f"a record has a header of {_HEADER.size} bytes, got {len(s)} bytes.")
    flag, label, *ids = _HEADER.unpack(s[: _HEADER.size])
    rest = s[_HEADER.size :]
    if not flag:
        return IRHeader(flag, label, *ids), rest
    if len(rest) < 4 * flag:
        raise FormatError(f"a record says that its label has {flag} numbers, and has {len(rest)} bytes.")
    return IRHeader(flag, np.frombuffer(rest, np.float32, flag).copy(), *ids), rest[4 * flag :]


def unpack_img(s: bytes, iscolor: int = -1) -> tuple[IRHeader, np.ndarray[Any, Any]]:
    """Return the header of a record and its picture, blue first, as OpenCV has it. ``iscolor`` 0: one channel."""
    from neuron_adapters.mxnet import image

    header, rest = unpack(s)
    picture = image.imdecode(rest, iscolor, to_rgb=False).asnumpy()
    return header, picture[:, :, 0] if picture.shape[2] == 1 else picture


def pack_img(header: IRHeader, img: Any, quality: int = 95, img_fmt: str = ".jpg") -> bytes:
    """Return the record of a header and a picture, blue first. ``quality``: of a JPEG, or 0 to 9 of a PNG."""
    from neuron_adapters.mxnet.image.image import pillow

    pixels = img.asnumpy() if isinstance(img, NDArray) else np.asarray(img)
    if pixels.ndim == 3:
        pixels = pixels[:, :, ::-1] if pixels.shape[2] == 3 else pixels[:, :, 0]
    written = io.BytesIO()
    kind = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}.get(img_fmt.lower())
    if kind is None:
        raise MXNetValueError(f"img_fmt is .jpg or .png, got {img_fmt!r}.")
    options: dict[str, Any] = {"quality": quality} if kind == "JPEG" else {"compress_level": min(quality, 9)}
    pillow().fromarray(np.ascontiguousarray(pixels)).save(written, kind, **options)
    return pack(header, written.getvalue())
