"""``python -m neuron_adapters.tools.ls``."""

from neuron_adapters.tools.ls import main

raise SystemExit(main())
