"""``python -m neuron_adapters.tools.inspect``."""

from neuron_adapters.tools.inspect import main

raise SystemExit(main())
