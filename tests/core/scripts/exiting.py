import atexit
import sys

atexit.register(lambda: (print("exiting", flush=True), sys.stdin.read()))
import neuron_rt

neuron_rt.init()
