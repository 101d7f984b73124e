"""Tests on emulated machines of many CPUs: ``make test-many-cpus`` runs them, since they need packages of the system."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("MANY_CPUS") else ["test_machine.py", "test_many_cpus.py"]
