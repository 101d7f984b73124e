"""``python -m neuron_adapters.tools.top``."""

from neuron_adapters.tools.top import main

raise SystemExit(main())
