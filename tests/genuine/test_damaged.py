"""Damaged files of the real compilers: each ends in a result or in one clear error, never in a crash, a hang or much
memory.

The readers that are this package's own get ten thousand variants; the ways through the frameworks, a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_readers(run_script: Callable[..., str]) -> None:
    assert run_script("damaged_readers.py", 1, 10_000).startswith("whole")


def nested(depth: int) -> bytes:
    """A message in a message in a message, each the second field of the one round it."""
    body = b""
    for _ in range(depth):
        size, length = len(body), b""
        while size > 127:
            length += bytes([size & 127 | 128])
            size >>= 7
        body = b"\x12" + length + bytes([size]) + body
    return body


def test_depth_and_sharing() -> None:
    """Nothing recurses by what a file says, and what is shared is walked once."""
    from neuron_adapters.files import pickles, savedmodel, torchscript

    savedmodel.loads(memoryview(nested(20_000)))
    deep = pickles.read(b"\x80\x02" + b"(" * 1 + b"]" * 1 + b"\x85" * 50_000 + b".")
    assert sum(1 for _ in torchscript._walk(deep, (tuple, list, dict))) == 50_001
    laughs = (
        b"\x80\x02]q\x00"
        + b"".join(b"](h%ch%ce" % (level, level) + b"q%c" % (level + 1) for level in range(100))
        + b"."
    )
    value = pickles.read(laughs)  # 2 ** 100 leaves, were it a tree
    assert len(list(torchscript._walk(value, (tuple, list, dict)))) == 101
    assert torchscript._Texts(len(laughs)).of(value) == []
    with pytest.raises(ValueError, match="a text in it has 2147483647 bytes"):
        pickles.read(b"\x80\x02X\xff\xff\xff\x7f")


def test_through_pytorch(run_script: Callable[..., str]) -> None:
    assert run_script("damaged_torch.py", 1, 200, NEURON_RT_NUM_CORES="8").startswith("whole")


def test_through_tensorflow(run_script: Callable[..., str]) -> None:
    assert run_script("damaged_tensorflow.py", 1, 60, TF_CPP_MIN_LOG_LEVEL="3", NEURON_RT_NUM_CORES="8").startswith(
        "whole"
    )


def test_something_else_where_the_signatures_should_be(run_script: Callable[..., str]) -> None:
    """One bit of a file that TensorFlow restores all the same: it takes what it does not know for an object of a
    user's."""
    run_script("damaged_signatures.py", imported=True, TF_CPP_MIN_LOG_LEVEL="3", NEURON_RT_NUM_CORES="8")
