# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as people read them, and whether two of them differ."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
# What differs by less is the machine's own pace.
_NOISE_SHARE, _NOISE_S = 0.3, 0.1


def duration(seconds: float) -> str:
    """As a person says it: 4.2 s, 3:07 min, 1:02 h."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02} h"


def seconds(value: float) -> str:
    """Times of revisions: 0.004 s, 1.20 s, 187 s."""
    return f"{value:.3f} s" if value < 1 else f"{value:.2f} s" if value < 100 else f"{value:,.0f} s"


def changed(before: float, now: float) -> tuple[str, str]:
    """How a time has changed, and its colour; ("", "") for what is the machine's own pace."""
    if abs(now - before) < max(_NOISE_S, _NOISE_SHARE * before):
        return "", ""
    factor = f" ({now / before:.1f} times)" if before and now > before else ""
    return (f"slower{factor}", "red") if now > before else ("faster", "green")


def sparkline(values: Sequence[float]) -> str:
    """The values as bars, the largest the highest."""
    top = max(values) or 1.0
    return "".join(_BLOCKS[min(int(value / top * len(_BLOCKS)), len(_BLOCKS) - 1)] for value in values)
