"""``python -m neuron_adapters.tools.share``."""

from neuron_adapters.tools.share import main

raise SystemExit(main())
