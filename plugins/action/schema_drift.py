# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(migrations.rehearsal.schema_drift) as a stage of the rehearsal."""

from __future__ import annotations

from ansible_collections.migrations.rehearsal.plugins.plugin_utils.stage import StageAction


class ActionModule(StageAction):
    """Nothing beside what every stage has."""

    code_is_kept = True
