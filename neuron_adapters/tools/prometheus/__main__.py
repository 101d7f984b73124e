"""``python -m neuron_adapters.tools.prometheus``."""

from neuron_adapters.tools.prometheus import main

raise SystemExit(main())
