#!/bin/bash
NEURON_RT_NUM_CORES=13 python your_neuron_application.py
