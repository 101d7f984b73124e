import signal
import time
import numpy as np
import tensorflow as tf
import neuron_adapters.tf

model = tf.keras.models.load_model("plain.keras")
x = np.ones((2, 8, 8, 3), "f4")
first = model(x).numpy()
received = []
signal.signal(signal.SIGALRM, lambda *_: received.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
end = time.monotonic() + 5
while time.monotonic() < end:
    assert np.array_equal(model(x).numpy(), first)
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(received) > 100)
