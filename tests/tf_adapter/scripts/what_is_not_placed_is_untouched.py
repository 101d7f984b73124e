import keras
import numpy as np
import neuron_adapters.tf
import neuron_adapters
import neuron_rt

model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
assert model(np.ones((1, 3), "f4")).shape == (1, 2) and model.predict(np.ones((1, 3)), verbose=0).shape == (1, 2)
model.compile("sgd", "mse")
model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
assert neuron_adapters.placement(model) == () and neuron_rt.current() is None
try:
    keras.models.load_model("missing.keras")
except ValueError as error:
    print(str(error)[:14])
try:
    model.save("model.xyz", zipped=True)
except ValueError as error:
    print(str(error)[:26])
