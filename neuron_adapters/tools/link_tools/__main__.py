"""``python -m neuron_adapters.tools.link_tools``."""

from neuron_adapters.tools.link_tools import main

raise SystemExit(main())
