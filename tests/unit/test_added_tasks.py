"""Which files of added tasks can be used, told before anything is touched."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

GOOD = {
    "plain": "- ansible.builtin.debug: {msg: hello}\n",
    "block": "- when: true\n  block:\n    - ansible.builtin.debug: {msg: x}\n  rescue:\n    - ansible.builtin.fail: {msg: y}\n",
    "import_tasks": "- ansible.builtin.import_tasks: other.yml\n",
    "import_tasks in a block": "- block:\n    - import_tasks: {file: other.yml}\n",
    "include_tasks": "- ansible.builtin.include_tasks: found_when_it_runs.yml\n",
    "name known later": "- import_tasks: '{{ kind }}.yml'\n",
    "import_role": "- ansible.builtin.import_role: {name: smoke}\n",
    "include_role": "- include_role: {name: smoke, tasks_from: quick}\n",
    "loop": "- ansible.builtin.debug: {msg: '{{ item }}'}\n  loop: [1, 2]\n",
    "nothing": "[]\n",
}
BAD = {
    "a play": ("- hosts: dev\n  tasks: []\n", "hosts"),
    "no list": ("name: x\n", "no list of tasks"),
    "empty": ("", "no list of tasks"),
    "no task": ("- words\n", "«words» is no task"),
    "no action": ("- name: nothing\n", "no module/action"),
    "unknown action": ("- no.such.module: {}\n", "no.such.module"),
    "unknown action in a block": ("- block:\n    - no.such.module: {}\n", "no.such.module"),
    "unknown keyword": ("- ansible.builtin.debug: {msg: x}\n  whenn: true\n", "whenn"),
    "unknown keyword of a block": ("- block: []\n  frobnicate: true\n", "frobnicate"),
    "import that is missing": ("- import_tasks: missing.yml\n", "missing.yml"),
    "import that is wrong": ("- import_tasks: wrong.yml\n", "no.such.module"),
    "import of itself": ("- import_tasks: tasks.yml\n", "imports itself"),
    "role without a name": ("- include_role: {}\n", "name"),
    "no YAML": ("- debug: {msg: \n", "YAML"),
}


# A process of its own: Ansible's loader of plugins takes the import of collections over for good.
CHECK = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([path for path in sys.path if path.endswith("collections")])
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import added_tasks
told = {}
for name, path in json.load(sys.stdin).items():
    try:
        told[name] = added_tasks.check(DataLoader(), path)
    except AnsibleError as error:
        told[name] = error.message
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What is said of each file; None where it can be used."""
    paths = {}
    for name, text in {**GOOD, **{name: text for name, (text, _told) in BAD.items()}}.items():
        place = tmp_path_factory.mktemp("tasks")
        (place / "other.yml").write_text(GOOD["plain"])
        (place / "wrong.yml").write_text(BAD["unknown action"][0])
        (place / "tasks.yml").write_text(text)
        paths[name] = str(place / "tasks.yml")
    argv = [sys.executable, "-c", CHECK, json.dumps(sys.path)]
    done = subprocess.run(argv, input=json.dumps(paths), capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, str | None] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", GOOD)
def test_files_that_can_be_used(name: str, told: dict[str, str | None]) -> None:
    assert told[name] is None


@pytest.mark.parametrize("name", BAD)
def test_files_that_cannot_be_used(name: str, told: dict[str, str | None]) -> None:
    assert BAD[name][1] in (told[name] or "")
