from bombs_head import bounded, printed

import base64
import json
import zlib
from neuron_adapters.files.openvino_ir import Lowered

good = Lowered(("a" * 50_000_000,), (), bytes(20_000_000), {}, 0)
assert Lowered.loads(good.dumps()) == good
packed = base64.b64encode(zlib.compress(bytes(100 << 20), 9)).decode()
record = json.dumps({"version": 1, "text": packed, "constants": [], "new": "", "prints": {}, "packed": 0})
bounded(6, 450)
for text in (
    record,
    record.replace('"packed": 0', '"packed": 1e999'),
    record.replace("[]", "[[1, 2, Infinity]]"),
    "[" * 1_000_000,
):
    try:
        Lowered.loads(text)
        raise SystemExit("it was read")
    except ValueError as error:
        printed(error)
