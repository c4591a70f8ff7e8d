# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody looks on, and with what."""

from __future__ import annotations

import os
import sys

_UNABLE = ("", "dumb", "unknown")


def is_live() -> bool:
    """Standard output is a terminal that can move its cursor, and colours are welcome (https://no-color.org)."""
    encoding = (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "")
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") not in _UNABLE and encoding == "utf8"


def why_not_live() -> str:
    """The first reason, for a person."""
    if not sys.stdout.isatty():
        return "standard output is no terminal"
    if os.environ.get("NO_COLOR"):
        return "NO_COLOR is set"
    return f"TERM is {os.environ.get('TERM') or 'not set'}" if os.environ.get("TERM", "dumb") in _UNABLE else "the terminal's encoding is not UTF-8"
