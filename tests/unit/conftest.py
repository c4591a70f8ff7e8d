"""Lets unit tests import the builders that lie beside them."""

from __future__ import annotations

import sys
from pathlib import Path

# Test files are imported by path (import-mode=importlib), which leaves their folder out of the search path.
sys.path.insert(0, str(Path(__file__).parent))
