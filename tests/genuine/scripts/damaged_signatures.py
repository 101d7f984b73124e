from damaged_head import data
import warnings

from pathlib import Path
from neuron_rt import ArtifactError

warnings.simplefilter("ignore")
import shutil
import tensorflow as tf
import neuron_adapters.tf
import neuron_adapters

shutil.copytree(data / "tensorflow" / "simple" / "1", "genuine")
plain = tf.Module()
plain.double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec([2])])
tf.saved_model.save(plain, "plain", signatures=plain.double)
for path in ("genuine", "plain"):
    file = Path(path, "saved_model.pb")
    assert b"signature_map" in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(b"signature_map", b"signature_mcp"))
for load in (tf.saved_model.load, tf.keras.models.load_model):
    try:
        load("genuine")
        raise SystemExit("it loaded")
    except ArtifactError as error:
        assert "signatures" in str(error) and "damaged" in str(error), error
restored = tf.saved_model.load("plain")
assert restored.double(tf.constant([1.0, 2.0])).numpy().tolist() == [2, 4] and neuron_adapters.placement(restored)
