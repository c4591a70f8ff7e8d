# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the place where reports are to be kept can be used from here."""

from __future__ import annotations

import importlib.util
import re
import sys
from typing import Any

from ansible.plugins.loader import module_loader

S3 = "s3://"
KEYS = ("endpoint_url", "region", "access_key", "secret_key", "profile", "ca_bundle", "encrypt")
_MODULE = "amazon.aws.s3_object"
_LIBRARIES = ("boto3", "botocore")


def problems(store: str, options: Any) -> list[str]:
    """What is wrong with rehearsal_report_store and rehearsal_report_store_s3, or missing here for them. A folder is only known on dev."""
    if not isinstance(options, dict) or set(options) - set(KEYS):
        return [f"rehearsal_report_store_s3 must be a mapping: {', '.join(KEYS)}"]
    if not store.startswith(S3):
        return []
    if not re.match(r"s3://[a-z0-9][a-z0-9.-]+(/|$)", store):
        return [f"rehearsal_report_store is «{store}»: it must be s3://BUCKET or s3://BUCKET/PREFIX"]
    # Asked now: Ansible ends a run at once when it comes upon a module that it does not know.
    if not module_loader.find_plugin_with_context(_MODULE).resolved:
        return ["a store s3:// needs the collection amazon.aws: ansible-galaxy collection install amazon.aws"]
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    return [f"a store s3:// needs {' and '.join(missing)} in {sys.executable}, which runs Ansible: pip install boto3"] if missing else []
