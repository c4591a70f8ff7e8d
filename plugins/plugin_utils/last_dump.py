# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large the last dump of a database was, as far as the report directory still knows."""

from __future__ import annotations

import os

from ansible_collections.migrations.rehearsal.plugins.module_utils import files, history
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import MANIFEST
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import EVIDENCE, RehearsalDirectory


def share(directory: RehearsalDirectory, production_host: str, database: str) -> float:
    """What part of the database's size the last dump of it had; 0 where no earlier rehearsal beside this one tells."""
    reports = os.path.dirname(directory.path)
    for entry in reversed(history.read(reports).entries):
        if (entry["production_host"], entry["database"]) != (production_host, database):
            continue
        try:
            manifest = files.read_json(os.path.join(reports, entry["id"], EVIDENCE, MANIFEST))
            found = float(manifest["load"]["bytes"]) / float(manifest["size_bytes"])
        except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
            continue  # its directory was deleted, or there was no dump
        return round(found, 4)
    return 0.0
