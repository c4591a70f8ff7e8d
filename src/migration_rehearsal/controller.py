# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this command has its Ansible and its collection from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ansible_collections.migrations.rehearsal.plugins.module_utils import names


def collection_root() -> Path:
    """The directory above `ansible_collections` from which this command's collection is loaded."""
    # Not resolved: in a checkout the way in leads through links.
    return Path(os.path.abspath(names.__file__)).parents[5]


def controller_path() -> str:
    """PATH as Ansible gets it: the directory of this Python first."""
    return os.pathsep.join([os.path.dirname(os.path.abspath(sys.executable)), os.environ.get("PATH", "")])
