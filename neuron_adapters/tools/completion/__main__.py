"""``python -m neuron_adapters.tools.completion``."""

from neuron_adapters.tools.completion import main

raise SystemExit(main())
