# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make HTML of untrusted text: whatever is not made by `tag()` is escaped."""

from __future__ import annotations

import re
from typing import Any, Union

# Browsers and XML know no other control characters; what a name holds beside them is shown to be there.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
_SPECIAL = re.compile("[&<>\"']")
_VOID = frozenset(["meta", "link", "input", "br"])


class Html(str):
    """Text that is HTML already."""


Child = Union[str, int, float, None]


def clean(value: Any) -> str:
    """As text, without characters that no document may hold."""
    return _CONTROLS.sub("\ufffd", str(value))


def escape(value: Any) -> Html:
    """HTML of any value."""
    if isinstance(value, Html):
        return value
    return Html(_SPECIAL.sub(lambda match: _ESCAPES[match[0]], clean(value)))


def join(*children: Child) -> Html:
    """One after the other; None is nothing."""
    return Html("".join(escape(child) for child in children if child is not None))


def tag(element: str, /, *children: Child, **attributes: Any) -> Html:
    """An element. `class_` is class, `data_x` is data-x; an attribute that is None or False is left out, True stands alone."""
    said = ""
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        called = key.rstrip("_").replace("_", "-")
        said += f" {called}" if value is True else f' {called}="{escape(str(value))}"'
    if element in _VOID:
        return Html(f"<{element}{said}>")
    return Html(f"<{element}{said}>{join(*children)}</{element}>")
