# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look after production while it is dumped: end the dump when a replica falls behind or too many sessions work."""

from __future__ import annotations

import threading
from typing import Callable, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils import server_facts
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, PostgresError, Server, Session, quote_literal

_EVERY_S = 2.0
_TIMEOUT_S = 30.0


class ProductionBusy(RehearsalError):
    """Production passed a limit that was set for it; the backup was ended."""


class Guard:
    """Asks production at once and then every few seconds, in a session of its own; limits of 0 are none.

    Entering it raises `ProductionBusy` where a limit is passed already. `stop` is called, once, when one is, and `busy()` says why.
    """

    def __init__(
        self,
        server: Server,
        database: str,
        rehearsal_id: str,
        *,
        max_lag_s: float,
        max_active: int,
        stop: Callable[[], None],
        every_s: float = _EVERY_S,
    ) -> None:
        self.reason: Optional[str] = None
        self.on = bool(max_lag_s or max_active)
        self._server, self._database, self._id = server, database, rehearsal_id
        self._max_lag_s, self._max_active, self._stop, self._every_s = max_lag_s, max_active, stop, every_s
        self._looked, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Guard:
        if self.on:
            self._thread.start()
            # A short backup would be done before the first answer.
            self._looked.wait(_TIMEOUT_S)
            if self.reason:
                self._thread.join(_TIMEOUT_S)
                raise self.busy()
        return self

    def busy(self) -> ProductionBusy:
        """What to tell of the limit that was passed."""
        return ProductionBusy(f"{self._server.describe(self._database)}: the backup was ended: {self.reason}; rehearse again at a quieter time")

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        if self.on:
            self._thread.join(_TIMEOUT_S)

    def _watch(self) -> None:
        name = quote_literal(application_name(self._id))
        try:
            with Session(self._server, self._database, application_name(self._id), READ_ONLY, _TIMEOUT_S) as session:
                role = session.value("SELECT current_user::text")
                while True:
                    load = server_facts.read_load(session)
                    self.reason = "; ".join(server_facts.limit_problems(load, role, self._max_lag_s, self._max_active)) or None
                    if self.reason:
                        self._stop()
                        # What else reads for this rehearsal would only find out when it is done.
                        session.rows(
                            "SELECT pg_catalog.pg_terminate_backend(pid) AS ended FROM pg_catalog.pg_stat_activity "
                            f"WHERE application_name = {name} AND pid <> pg_catalog.pg_backend_pid()"
                        )
                        return
                    self._looked.set()
                    if self._ended.wait(self._every_s):
                        return
        except PostgresError as error:
            if not self._ended.is_set() and not self.reason:
                # A limit that is not watched is none.
                self.reason = f"production's load cannot be watched: {error.message}"
                self._stop()
        finally:
            self._looked.set()
