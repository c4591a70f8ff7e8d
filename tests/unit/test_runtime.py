"""meta/runtime.yml, the modules and their action plugins name the same things."""

from __future__ import annotations

import ast
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


# They run the others at the hosts, and are no task of anybody's.
CARRIER = {"stage", "kept_stage"}


def names(folder: str) -> set[str]:
    return {path.stem for path in (ROOT / folder).glob("*.py")}


def test_the_action_group_lists_every_module() -> None:
    assert set(yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["rehearsal"]) == names("plugins/modules") - CARRIER


def test_every_module_runs_through_an_action_plugin_of_ours() -> None:
    # Without one an unreachable host would end the play before clean-up, and the stage would not be noted.
    assert names("plugins/action") == names("plugins/modules") - CARRIER


def test_every_stage_is_carried_to_the_hosts_and_has_a_module() -> None:
    stages = names("plugins/module_utils/stages") - {"__init__"}
    assert stages <= names("plugins/modules")
    tree = ast.parse((ROOT / "plugins/modules/stage.py").read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and str(node.module).endswith(".stages")]
    values = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}
    documented = yaml.safe_load(ast.literal_eval(values["DOCUMENTATION"]))["options"]["stage"]["choices"]
    assert {alias.name for node in imports for alias in node.names} == stages
    assert set(ast.literal_eval(values["STAGES"])) == set(documented) == stages


def test_every_role_has_a_specification_and_a_readme() -> None:
    for role in (ROOT / "roles").iterdir():
        assert (role / "meta/argument_specs.yml").is_file(), role.name
        assert (role / "README.md").read_text().startswith(f"# migrations.rehearsal.{role.name}\n")
