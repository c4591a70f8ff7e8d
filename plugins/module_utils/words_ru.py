# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Russian catalog: English template → Russian template."""

from __future__ import annotations

from typing import Dict

CATALOG: Dict[str, str] = {}
