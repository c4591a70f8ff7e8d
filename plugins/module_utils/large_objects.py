# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large objects in a fingerprint: as a table of their own, with a row for each object, so that lost and changed ones are seen like rows.

Their content is hashed by page, bound to object and page. Only some roles may read it; others count the objects.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session

NAME = "pg_catalog.pg_largeobject"
NOT_READ = "large objects: this role may only count them"

_PAGE = "pg_catalog.hash_array_extended(ARRAY[p.data], pg_catalog.hashint4extended(p.pageno, pg_catalog.hashoidextended(p.loid, 0)))"


def entry(session: Session, wanted: bool, hashed: bool) -> Optional[Dict[str, Any]]:
    """The entry of `tables`; None where there are none and they are not `wanted` all the same. `session` is in the proof's transaction."""
    found = session.row(
        "SELECT count(*) AS rows, coalesce(sum(pg_catalog.hashoidextended(oid, 0)), 0)::text AS keys, "
        "pg_catalog.has_table_privilege('pg_catalog.pg_largeobject', 'SELECT') AS readable FROM pg_catalog.pg_largeobject_metadata"
    )
    if not found["rows"] and not wanted:
        return None
    data: Optional[str] = None
    if hashed and found["readable"]:
        data = session.value(f"SELECT coalesce(sum({_PAGE}), 0)::text AS v FROM pg_catalog.pg_largeobject AS p")
    columns = {
        "loid": {"type": "oid", "number": 1, "by": "oid", "non_null": found["rows"], "hash": found["keys"] if hashed else None},
        "data": {"type": "bytea", "number": 3, "by": "pages", "non_null": found["rows"], "hash": data},
    }
    return {"rows": found["rows"], "key": ["loid"], "proof": "full" if hashed else "counts", "files": [], "columns": columns}
