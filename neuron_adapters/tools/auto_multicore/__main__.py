"""``python -m neuron_adapters.tools.auto_multicore``."""

from neuron_adapters.tools.auto_multicore import main

raise SystemExit(main())
