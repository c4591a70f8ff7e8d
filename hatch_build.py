"""What the wheel carries beside the Python package: the Ansible collection, the sample application, the demonstration's inventory.

A build hook, because the static form of force-include also applies to editable installs: these would get a second, soon stale,
copy of the collection. They see the checkout itself instead, through `dev-mode-dirs`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COLLECTION = ("galaxy.yml", "README.md", "CHANGELOG.md", "LICENSE", "meta", "plugins", "roles", "playbooks")


class CarryCollection(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the root entries to a standard wheel, and nothing to an editable one."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "standard":
            return
        included = {name: f"ansible_collections/migrations/rehearsal/{name}" for name in COLLECTION}
        included["examples/staffprobot"] = "migration_rehearsal/_examples/staffprobot"
        included["inventory/demo"] = "migration_rehearsal/_inventory/demo"
        for source, target in included.items():
            build_data["force_include"][str(Path(self.root, source))] = target
