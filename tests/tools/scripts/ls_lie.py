"""Publishes what no honest process would."""

import os
import sys

import neuron_rt

runtime = neuron_rt.init()
runtime._ownership.publish(
    {
        "pid": os.getpid(),
        "command": "python\x1b[2J\x1b[1;1H\r\n\u202eserve.py",
        "tag": "\x1b]0;x\x07\ud800",
        "instance": ["inf1.xlarge"],
        "models": "none",
    }
)
print("ready", flush=True)
sys.stdin.read()
