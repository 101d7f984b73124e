"""``python -m neuron_adapters.tools.ray_resources``."""

from neuron_adapters.tools.ray_resources import main

raise SystemExit(main())
