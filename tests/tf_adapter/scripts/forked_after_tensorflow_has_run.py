import logging
import os
import threading
from plugin_idioms_head import K, net, plain, same, x

from neuron_adapters.tf import _forked

said = []
heard = threading.Event()
handler = logging.Handler()
handler.emit = lambda record: (said.append(record.getMessage()), heard.set())
logging.getLogger("neuron_adapters").addHandler(handler)
net.save("plain.keras")
same(K.models.load_model("plain.keras")(x), plain)
assert not said, said
child = os.fork()
if not child:
    code = 1
    try:
        # In a thread: TensorFlow itself may wait for ever after that.
        threading.Thread(target=K.models.load_model, args=("plain.keras",), daemon=True).start()
        heard.wait(60)
        _forked.warn()
        code = 0 if len(said) == 1 and "forked after TensorFlow had computed" in said[0] and "spawn" in said[0] else 2
    finally:
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert not said, said
