import logging
import os
from plugin_idioms_head import K, net, plain, same, x

said = []
handler = logging.Handler()
handler.emit = lambda record: said.append(record.getMessage())
logging.getLogger("neuron_adapters").addHandler(handler)
net.save("plain.keras")
same(K.models.load_model("plain.keras")(x), plain)
assert not said, said
child = os.fork()
if not child:
    code = 1
    try:
        for _ in range(2):
            same(K.models.load_model("plain.keras")(x), plain)  # so small that TensorFlow needs no thread for it
        code = 0 if len(said) == 1 and "forked after TensorFlow had computed" in said[0] and "spawn" in said[0] else 2
    finally:
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert not said, said
