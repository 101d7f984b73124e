"""Run by an interpreter that has the real MXNet: `python text.py FOLDER` writes the answers of its mx.contrib.text."""

import json
import sys
from pathlib import Path

import mxnet as mx
import texts
from mxnet.gluon import utils

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    texts.write(folder)
    utils.check_sha1 = lambda *_: True  # the files here are not those that MXNet would download
    (folder / "answers.json").write_text(json.dumps(texts.answers(mx, folder)))
