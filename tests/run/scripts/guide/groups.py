os.environ['NEURONCORE_GROUP_SIZES'] = '4x1'
