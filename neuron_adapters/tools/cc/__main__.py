"""``python -m neuron_adapters.tools.cc``."""

from __future__ import annotations

import sys

from neuron_adapters.tools.cc import main

sys.exit(main())
