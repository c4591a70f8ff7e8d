# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which line of a revision's own file asks for the statement that is on its way.

Runs inside the application's Python: standard library only.
"""

from __future__ import annotations

import sys
from types import CodeType
from typing import List, Optional, Tuple

# Frames between a statement and the line that asked for it: SQLAlchemy's, Alembic's and the project's own helpers.
_MOST_FRAMES = 200
_MOST_WAYS = 16


class Lines:
    """Finds the innermost frame of a file by the ways that led there before.

    Since Python 3.11 a frame is an object only once somebody looks at it, and walking over thirty of them makes thirty: that was up to a third of
    what is done about a statement. From one operation to the next the way is the same: so many calls deep, the last of them to the same function.
    """

    def __init__(self) -> None:
        # (how deep, what is called there), the last one that was found first.
        self._ways: List[Tuple[int, CodeType]] = []

    def find(self, file: str) -> Optional[int]:
        """The line in `file`, as its frames name it, from which our caller was called; None where no frame of it is in sight."""
        for index, (depth, called) in enumerate(self._ways):
            try:
                frame = sys._getframe(depth)
            except ValueError:
                continue
            if frame.f_code.co_filename == file and sys._getframe(depth - 1).f_code is called:
                if index:
                    self._ways.insert(0, self._ways.pop(index))
                return frame.f_lineno
        above = sys._getframe()
        for depth in range(1, _MOST_FRAMES):
            found = above.f_back
            if found is None:
                break
            if found.f_code.co_filename == file:
                self._ways = [(depth, above.f_code), *self._ways[: _MOST_WAYS - 1]]
                return found.f_lineno
            above = found
        return None
