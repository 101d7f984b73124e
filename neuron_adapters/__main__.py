"""``python -m neuron_adapters`` is ``neuron-run``."""

import sys

from neuron_adapters.run import main

sys.exit(main())
