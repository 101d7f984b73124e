import numpy as np
import tensorflow as tf
from tensorflow.contrib import predictor
from tensorflow.contrib.predictor import from_saved_model

v1 = tf.compat.v1
with v1.Session(graph=tf.Graph()) as session:
    placeholder = v1.placeholder(tf.float32, [None, 3], name="given")
    v1.saved_model.simple_save(session, "model", {"x": placeholder}, {"y": placeholder * 2})
predict = tf.contrib.predictor.from_saved_model("model")
print(predict({"x": np.ones((2, 3))})["y"].tolist(), from_saved_model is predictor.from_saved_model)
