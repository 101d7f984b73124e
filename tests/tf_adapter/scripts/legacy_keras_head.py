import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)
warnings.filterwarnings("ignore", "You are saving your model as an HDF5")
import os
import gc
import numpy as np
import tensorflow as tf
