"""``python -m neuron_adapters.tools.top``: what the command does."""

import sys

from neuron_adapters.tools.top import main

if __name__ == "__main__":
    sys.exit(main())
