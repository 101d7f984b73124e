"""``python -m neuron_adapters.tools.doctor``."""

from neuron_adapters.tools.doctor import main

raise SystemExit(main())
