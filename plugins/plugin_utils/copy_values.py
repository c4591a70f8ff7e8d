# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says about where the copy comes from and where it goes, checked before anything is touched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.plugin_utils.inventory_values import InventoryValues

_EPHEMERAL_KEYS = {"bin_dir", "owner", "directory", "user", "listen", "port", "password", "settings"}


def read(values: InventoryValues) -> dict[str, Any]:
    """{"place", "source", "backup_file", "backup_file_on"}; what is wrong is among the problems of `values`. No secret is in it."""
    dev = values.dev
    place = str(values.value(dev, "rehearsal_copy", "existing"))
    source = str(values.value(dev, "rehearsal_source", "dump"))
    path = values.value(dev, "rehearsal_backup_file") or ""
    on = str(values.value(dev, "rehearsal_backup_file_host", "controller"))
    _check_ephemeral(values)
    if source == "basebackup" and place != "ephemeral":
        values.problems.append(f"{dev}: rehearsal_source is basebackup: a physical copy needs a server of its own, so set rehearsal_copy: ephemeral")
    if path and source != "dump":
        values.problems.append(f"{dev}: rehearsal_backup_file and rehearsal_source: {source} name two sources; leave one out")
    if source == "auto" and place != "ephemeral":
        source = "dump"
    if path:
        source = "file"
        path = os.path.abspath(os.path.expanduser(str(path))) if on == "controller" else str(path)
    return {"place": place, "source": source, "backup_file": path, "backup_file_on": on if path else ""}


def touches_production(copy: Mapping[str, Any]) -> bool:
    """Whether anything is done on the production host: not if the backup is a file that lies elsewhere."""
    return bool(copy["source"] != "file" or copy["backup_file_on"] == "production")


def _check_ephemeral(values: InventoryValues) -> None:
    dev = values.dev
    wish = values.optional(dev, "rehearsal_ephemeral", dict, {}, f"must be a mapping: {', '.join(sorted(_EPHEMERAL_KEYS))}")
    unknown = sorted(set(wish) - _EPHEMERAL_KEYS)
    if unknown:
        values.problems.append(f"{dev}: rehearsal_ephemeral has unknown keys: {', '.join(unknown)}")
    if wish.get("listen") and not wish.get("password"):
        values.problems.append(
            f"{dev}: rehearsal_ephemeral.listen opens the copy to the network: set rehearsal_ephemeral.password too, from a vault or a lookup"
        )
