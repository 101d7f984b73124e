"""``python -m neuron_adapters.tools.monitor``."""

from neuron_adapters.tools.monitor import main

raise SystemExit(main())
