"""meta/runtime.yml, the modules and their action plugins name the same things."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def names(folder: str) -> set[str]:
    return {path.stem for path in (ROOT / folder).glob("*.py")}


def test_the_action_group_lists_every_module() -> None:
    assert set(yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["rehearsal"]) == names("plugins/modules")


def test_every_module_runs_through_an_action_plugin_of_ours() -> None:
    # Without one an unreachable host would end the play before clean-up, and the stage would not be noted.
    assert names("plugins/action") == names("plugins/modules")


def test_every_role_has_a_specification_and_a_readme() -> None:
    for role in (ROOT / "roles").iterdir():
        assert (role / "meta/argument_specs.yml").is_file(), role.name
        assert (role / "README.md").read_text().startswith(f"# migrations.rehearsal.{role.name}\n")
