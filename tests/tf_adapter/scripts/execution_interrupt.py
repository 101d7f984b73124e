import os
import signal
import threading
import time
import numpy as np
import tensorflow as tf
import neuron_adapters.tf

model = tf.keras.models.load_model("plain.keras")
x = np.ones((2, 8, 8, 3), "f4")
model(x)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while True:
        model(x)
except KeyboardInterrupt:
    print("interrupted", model(x).shape)
