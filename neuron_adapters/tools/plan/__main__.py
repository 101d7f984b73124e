"""``python -m neuron_adapters.tools.plan``."""

from neuron_adapters.tools.plan import main

raise SystemExit(main())
